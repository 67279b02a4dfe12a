# SPDX-License-Identifier: MIT
"""IDX files: MNIST's, and every way in which one can be broken."""

from __future__ import annotations

import contextlib
import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnn.data import LoadOptions, load
from qnn.data.idx import read_idx
from qnn.errors import QnnError


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def images(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 256, (count, 3, 4), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    for part, count in (("train", 30), ("t10k", 10)):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images(rng, count))))
        labels = np.arange(count, dtype=np.uint8) % 3
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def test_a_folder_with_a_test_part(folder: Path) -> None:
    data = load(str(folder))
    assert data.x.shape == (40, 3, 4, 1)
    assert data.x.dtype == np.uint8
    assert data.schema.classes == ("0", "1", "2")
    assert data.schema.features == ()
    assert data.test.tolist() == list(range(30, 40))
    assert sorted([*data.train, *data.validation]) == list(range(30))
    assert len(data.validation) == 3
    assert data.record.test_fraction == 0
    raw = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    assert data.x[30:].tobytes() == raw


def test_a_folder_without_test_part_is_split(folder: Path) -> None:
    for path in folder.glob("t10k*"):
        path.unlink()
    data = load(str(folder))
    assert (len(data.train), len(data.validation), len(data.test)) == (22, 2, 6)


def test_the_other_spelling(folder: Path) -> None:
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("-idx", ".idx"))
    assert load(str(folder)).x.shape == (40, 3, 4, 1)


def test_mnist(data_dir: Path) -> None:
    data = load("mnist", LoadOptions(data_dir=data_dir))
    assert data.x.shape == (70000, 28, 28, 1)
    assert (len(data.train), len(data.validation), len(data.test)) == (54000, 6000, 10000)
    assert np.bincount(data.y[data.test]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.schema.classes == tuple("0123456789")
    assert load("mnist", LoadOptions(data_dir=data_dir / "mnist")).record.sha256 == data.record.sha256


def broken(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    with pytest.raises(QnnError) as caught:
        load(str(folder), LoadOptions(max_memory=1_000_000))
    assert "\n" not in str(caught.value)
    assert name.split("-ubyte")[0] in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda good: b"", "is empty"),
        (lambda good: good[:3], "not an IDX file"),
        (lambda good: b"\x01" + good[1:], "not an IDX file"),
        (lambda good: b"\0\0\x0d" + good[3:], "IDX type 13 in 1 dimensions"),
        (lambda good: good[:3] + b"\x03" + good[4:], "IDX type 8 in 3 dimensions"),
        (lambda good: good[:6], "truncated within its header"),
        (lambda good: good[:-1], "truncated: 29 of 30 bytes"),
        (lambda good: gzip.compress(good[:-1]), "truncated: 29 of 30 bytes"),
        (lambda good: good + b"\0", "more bytes than the 30"),
        (lambda good: gzip.compress(good)[:-9], "damaged gzip"),
        (lambda good: gzip.compress(good)[:-8] + bytes(8), "damaged gzip"),
        (lambda good: good[:4] + struct.pack(">I", 0), "no content"),
        (lambda good: good[:4] + struct.pack(">I", 0xFFFFFFFF) + good[8:], "more than"),
        (lambda good: good[:4] + struct.pack(">I", 29) + good[8:-1], "30 images, its labels file 29 labels"),
    ],
)
def test_broken_files_are_one_clear_line(folder: Path, change: Callable[[bytes], bytes], words: str) -> None:
    good = (folder / "train-labels-idx1-ubyte").read_bytes()
    if "labels file" in words:
        (folder / "train-labels-idx1-ubyte").write_bytes(change(good))
        with pytest.raises(QnnError, match=words):
            load(str(folder))
    else:
        assert words in broken(folder, "train-labels-idx1-ubyte", change(good))


def test_a_bomb_is_not_unpacked(folder: Path) -> None:
    bomb = gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 30, 3, 4) + bytes(50_000_000))
    assert "more bytes than the 360" in broken(folder, "train-images-idx3-ubyte.gz", bomb)
    large = gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 5000, 100, 100) + bytes(50_000_000))
    assert "50.0 MB, more than" in broken(folder, "train-images-idx3-ubyte.gz", large)


def test_a_header_that_lies_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", 2000, 1000, 1000) + b"few")
    with pytest.raises(QnnError, match="truncated: its header promises 2,000,000,000 bytes"):
        read_idx(path, 3, 1 << 40)


def test_folders_that_lack_something(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(QnnError, match="lacks train-labels-idx1-ubyte"):
        load(str(folder))
    with pytest.raises(QnnError, match="holds no IDX files"):
        load(str(tmp_path_factory.mktemp("empty")))
    with pytest.raises(QnnError, match="one IDX file of several"):
        load(str(folder / "t10k-labels-idx1-ubyte"))


def test_sizes_must_agree(folder: Path, rng: np.random.Generator) -> None:
    other = rng.integers(0, 256, (10, 4, 3), dtype=np.uint8)
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(other)))
    with pytest.raises(QnnError, match="different sizes"):
        load(str(folder))


good_file = idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@given(
    st.integers(0, len(good_file) - 1),
    st.lists(st.tuples(st.integers(0, 39), st.integers(0, 255)), max_size=4),
    st.booleans(),
)
@settings(max_examples=200)
def test_garbled_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int, changes: list[tuple[int, int]], packed: bool
) -> None:
    content = bytearray(gzip.compress(good_file, mtime=0) if packed else good_file)
    for place, value in changes:
        content[place] = value
    path = tmp_path_factory.getbasetemp() / "garbled"
    for end in (len(content), cut):
        path.write_bytes(bytes(content[:end]))
        with contextlib.suppress(QnnError):
            array = read_idx(path, 3, 1 << 20)
            assert array.ndim == 3
            assert array.dtype == np.uint8
            assert array.size <= 1 << 20
