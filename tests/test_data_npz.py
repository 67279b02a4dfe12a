# SPDX-License-Identifier: MIT
"""NumPy archives: the types they may hold, and what is refused without being unpacked."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnn.data import Dataset, LoadOptions, load
from qnn.data.npz import read_npz
from qnn.errors import QnnError

Read = Callable[..., Dataset]
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def reader(options: LoadOptions | None = None, like: Dataset | None = None, **arrays: np.ndarray) -> Dataset:
        np.savez_compressed(tmp_path / "data.npz", **arrays)
        return load(str(tmp_path / "data.npz"), options, like.schema if like else None)

    return reader


@pytest.mark.parametrize(
    ("shape", "dtype", "expected", "raw"),
    [
        ((6, 4), np.uint8, (4,), np.uint8),
        ((6, 4, 3), np.uint8, (4, 3, 1), np.uint8),
        ((6, 4, 3, 2), np.uint8, (4, 3, 2), np.uint8),
        ((6, 4), np.int16, (4,), np.int32),
        ((6, 4), np.int64, (4,), np.int32),
        ((6, 4), np.uint32, (4,), np.int32),
        ((6, 4), np.bool_, (4,), np.uint8),
    ],
)
def test_shapes_and_types(
    read: Read, shape: tuple[int, ...], dtype: type, expected: tuple[int, ...], raw: type
) -> None:
    x = np.arange(np.prod(shape)).reshape(shape)
    x = (x % 3 == 0 if dtype is np.bool_ else x).astype(dtype)
    data = read(x=x, y=Y)
    assert data.schema.shape == expected
    assert data.x.dtype == raw
    assert (data.x.reshape(shape) == x).all()
    assert data.schema.classes == ("0", "1", "2")
    assert len(data.schema.features) == (expected[0] if len(expected) == 1 else 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fractions_get_decimals(read: Read, dtype: type) -> None:
    x = np.array([[0.1, 2, 1e-4], [0.25, 3, 0], [-0.3, -4, 2], [0, 0, 0], [1, 1, 1], [2, 2, 2]], dtype=dtype)
    data = read(x=x, y=Y)
    assert [f.decimals for f in data.schema.features] == [2, 0, 4]
    assert data.x[:3].tolist() == [[10, 2, 1], [25, 3, 0], [-30, -4, 20000]]


def test_labels_of_text_and_several_targets(read: Read) -> None:
    x = np.arange(12).reshape(6, 2)
    assert read(x=x, y=np.array(["b", "a", "b", "a", "b", "a"])).schema.classes == ("a", "b")
    data = read(x=x, y=np.arange(12).reshape(6, 2) / 4)
    assert data.schema.targets == ("y1", "y2")
    assert data.schema.target_decimals == (1, 2)
    assert data.y.tolist() == (np.arange(12).reshape(6, 2) / 4).tolist()
    column = read(x=x, y=Y[:, None])
    assert column.schema.task == "classification"


def test_a_test_part(read: Read) -> None:
    data = read(x_train=np.arange(12).reshape(6, 2), y_train=Y, x_test=np.arange(4).reshape(2, 2), y_test=Y[:2])
    assert data.test.tolist() == [6, 7]
    assert data.x[6:].tolist() == [[0, 1], [2, 3]]


def test_a_model_reads_what_it_was_trained_on(read: Read) -> None:
    x = np.array([[0.5], [1.25], [2], [3], [4], [5]])
    model = read(x=x, y=Y)
    again = read(like=model, x=np.array([[7], [8]]), y=np.array([2, 1]))
    assert again.x.tolist() == [[700], [800]]
    assert again.y.tolist() == [2, 1]
    assert read(like=model, x=np.array([[7.125]])).x.tolist() == [[713]]
    assert read(like=model, x=np.array([[7.125]])).y is None
    with pytest.raises(QnnError, match="label '3'"):
        read(like=model, x=x, y=Y + 1)
    with pytest.raises(QnnError, match="has samples of 2; the model reads 1"):
        read(like=model, x=np.zeros((6, 2)), y=Y)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros(3)}, "has no array x"),
        ({"x": np.zeros((6, 2), dtype=np.uint8)}, "has no labels"),
        ({"x": np.zeros(6), "y": Y}, "shape (6,)"),
        ({"x": np.zeros((0, 2)), "y": Y[:0]}, "shape (0, 2)"),
        ({"x": np.arange(10).reshape(5, 2), "y": Y}, "5 samples and 6 labels"),
        ({"x": np.full((6, 1), 1 << 40), "y": Y}, "beyond int32"),
        ({"x": np.array([[np.nan]] * 6), "y": Y}, "feature 1: has 6 NaN or infinite values"),
        ({"x": np.array([[np.inf]] * 6), "y": Y}, "NaN or infinite"),
        ({"x": np.full((6, 1), 1e12), "y": Y}, "beyond 32-bit"),
        ({"x": np.zeros((6, 2, 2)), "y": Y}, "images of fractions"),
        ({"x": np.zeros((6, 1), dtype=complex), "y": Y}, "type complex128"),
        ({"x": np.arange(6)[:, None], "y": Y.astype(complex)}, "labels of type complex128"),
        ({"x": np.arange(6)[:, None], "y": Y * np.nan}, "label 1: has 6 NaN"),
        ({"x": np.arange(6)[:, None], "y": Y * 0}, "one class only"),
        ({"x": np.zeros((6, 1), dtype=int), "y": Y}, "nothing but constant"),
        ({"x": np.arange(6)[:, None], "y": Y, "x_test": np.arange(6)[:, None]}, "test part without"),
        ({"x": np.arange(6)[:, None], "y": Y, "x_test": np.zeros((6, 3)), "y_test": Y}, "different shapes"),
    ],
)
def test_arrays_that_cannot_be_used(read: Read, arrays: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(QnnError) as caught:
        read(**arrays)
    assert words in str(caught.value)
    assert "data.npz" in str(caught.value)


def archive(content: bytes, name: str = "x.npy") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
        file.writestr("y.npy", npy(Y))
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def refused(content: bytes, limit: int = 1_000_000) -> str:
    with pytest.raises(QnnError) as caught:
        read_npz(io.BytesIO(content), "data.npz", LoadOptions(max_memory=limit))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_objects_are_not_unpickled() -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array([{}], dtype=object), allow_pickle=True)
    assert "Python objects" in refused(archive(stream.getvalue()))


def test_bombs_and_lies_are_not_unpacked() -> None:
    assert "more than the 1.0 MB allowed" in refused(archive(npy(np.zeros((6, 1_000_000), dtype=np.uint8))))
    header = npy(np.zeros((6, 10), dtype=np.uint8)).replace(b"(6, 10)", b"(9, 99)")
    assert "not as large as its header says" in refused(archive(header))
    assert "not a .npz file" in refused(archive(b"not an array"))
    assert "not a .npz file" in refused(archive(npy(Y))[:-30])
    assert "not a .npz file" in refused(b"PK\x03\x04 and nothing else")


good_archive = archive(npy(np.arange(12, dtype=np.int32).reshape(6, 2)))


@given(st.lists(st.tuples(st.integers(0, len(good_archive) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=300)
def test_garbled_archives_are_read_or_refused_in_one_line(changes: list[tuple[int, int]]) -> None:
    content = bytearray(good_archive)
    for place, value in changes:
        content[place] = value
    with contextlib.suppress(QnnError):
        table = read_npz(io.BytesIO(bytes(content)), "data.npz", LoadOptions(max_memory=1_000_000))
        assert table.x.nbytes + len(good_archive) < 1_000_000
