# SPDX-License-Identifier: MIT
"""Headers of .npy arrays: what numpy.save writes is read, everything else is refused in one line."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from qnn.container import Container, pack, unpack
from qnn.data import LoadOptions
from qnn.data.npz import read_npz
from qnn.errors import QnnError
from qnn.npyheader import read_header

GOOD = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }"
HOSTILE = (
    "(((",
    "",
    "{}",
    "[" * 4000,
    GOOD.replace("'<i4'", "('<i4', (2,))"),
    GOOD.replace("'<i4'", "[('a', '<i4')]"),
    GOOD.replace("<i4", "<i9"),
    GOOD.replace("<i4", "<a4"),
    GOOD.replace("<i4", "<M8[fortnight]"),
    GOOD.replace("<i4", "<U999999999"),
    GOOD.replace("<i4", "<U0"),
    GOOD.replace("<i4", "i4"),
    GOOD.replace("(2, 3)", "(True,)"),
    GOOD.replace("(2, 3)", "(2L, 3L)"),
    GOOD.replace("(2, 3)", "(1L,)"),
    GOOD.replace("(2, 3)", "(-2, -3)"),
    GOOD.replace("(2, 3)", "(6)"),
    GOOD.replace("(2, 3)", "[2, 3]"),
    GOOD.replace("(2, 3)", f"({'9' * 5000}, 1)"),
    GOOD.replace("(2, 3)", f"({', '.join('1' * 99)})"),
    GOOD.replace("(2, 3)", "(0, 999999999999999999)"),
    GOOD.replace("(2, 3)", "(\u0662, 3)"),
    GOOD.replace("False", "0"),
    GOOD.replace("'shape'", "1"),
    GOOD.replace("'descr'", "b'descr'"),
    GOOD + " " * 9000,
)


def array_file(header: str, content: bytes = bytes(24)) -> bytes:
    text = (header + "\n").encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def zipped(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 2, 3, 4)])
@pytest.mark.parametrize("dtype", ["|u1", "|i1", "<i2", ">i4", "<f8", "<U5", "|S3", "|b1", "<M8[ns]"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_what_numpy_writes(shape: tuple[int, ...], dtype: str, version: tuple[int, int]) -> None:
    stream = io.BytesIO()
    array = np.zeros(shape, dtype, order="F")
    np.lib.format.write_array(stream, array, version=version)
    end = stream.tell()
    stream.seek(0)
    header = read_header(stream)
    assert (header.shape, header.dtype) == (shape, np.dtype(dtype))
    assert header.fortran == (len(shape) > 1)
    assert end - stream.tell() == array.nbytes


@pytest.mark.parametrize("header", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_headers_are_one_line(header: str) -> None:
    """Python's evaluator, as numpy uses it, fails on these in six different ways, or accepts them with a warning."""
    bad = array_file(header)
    with pytest.raises(QnnError, match=r"data\.npz: is not a \.npz file or is damaged"):
        read_npz(io.BytesIO(zipped({"x.npy": bad})), "data.npz", LoadOptions())
    with zipfile.ZipFile(io.BytesIO(pack(Container("float", {}, {})))) as archive:
        document = archive.read("model.json")
    with pytest.raises(QnnError, match=r"m\.qnn: ") as caught:
        unpack(zipped({"model.json": document, "a.npy": bad}), Path("m.qnn"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("start", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x09\x00\x10\x00", b"NUMPY" * 9])
def test_beginnings_that_are_no_array(start: bytes) -> None:
    with pytest.raises(ValueError, match="an array has"):
        read_header(io.BytesIO(start))


def test_two_entries_of_one_name_are_refused() -> None:
    """Which of them counts would depend on who reads the file."""
    data = io.BytesIO(pack(Container("float", {}, {"a": np.zeros(3, np.float32)})))
    with zipfile.ZipFile(data, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("a.npy", array_file(GOOD))
    with pytest.raises(QnnError, match="two entries have one name"):
        unpack(data.getvalue(), Path("m.qnn"))


@pytest.mark.parametrize("version", ["true", "1.0", "1e0", '"1"', "null", "2"])
def test_only_the_integer_1_is_version_1(version: str) -> None:
    text = f'{{"format": "qnn", "version": {version}, "kind": "float"}}'
    with pytest.raises(QnnError, match="has format version"):
        unpack(zipped({"model.json": text.encode()}), Path("m.qnn"))
