# SPDX-License-Identifier: MIT
"""NumPy archives (.npz) with x and y, and x_test and y_test where the test part is given. Never unpickles."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from qnn.data.arrays import labels_of_array, samples_of_array
from qnn.data.options import LoadOptions, check_memory
from qnn.data.table import Table
from qnn.errors import QnnError
from qnn.npyheader import read_header

NAMES = (("x", "y"), ("x_train", "y_train"))
TEST_NAMES = ("x_test", "y_test")
MAX_HEADER_BYTES = 1 << 16
REMEDY = "make it with numpy.savez(file, x=..., y=...)"


def read_npz(stream: BinaryIO, subject: str, options: LoadOptions) -> Table:
    """The samples in an archive: x (N, F), (N, H, W) or (N, H, W, C) and y (N,) or (N, targets).

    Integers stay as they are (bytes as uint8, others as int32); fractions become integers of each column's own
    decimal unit. Without y the samples have no labels. Raises QnnError for anything else.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            samples, labels = next((pair for pair in NAMES if pair[0] in entries), NAMES[0])
            if samples not in entries:
                raise QnnError(subject, f"has no array x (it has {', '.join(sorted(entries)[:8]) or 'none'})", REMEDY)
            wanted = [name for name in (samples, labels, *TEST_NAMES) if name in entries]
            check_memory(subject, 2 * sum(entries[name].file_size for name in wanted), options.max_memory, "its arrays")
            arrays = {name: _array(archive, entries[name], subject) for name in wanted}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, ValueError) as error:
        raise QnnError(subject, f"is not a .npz file or is damaged ({error})", REMEDY) from None
    except OSError as error:
        raise QnnError(subject, f"cannot be read ({error.strerror or error})", "check its permissions") from None
    return _table(arrays, samples, labels, subject, options)


def open_npz(path: Path, options: LoadOptions) -> Table:
    """As `read_npz`, of the file at `path`."""
    try:
        with path.open("rb") as stream:
            return read_npz(stream, str(path), options)
    except OSError as error:
        raise QnnError(path, f"cannot be read ({error.strerror})", "check its name and permissions") from None


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, subject: str) -> np.ndarray:
    """One array, whose header must agree with its size before anything is allocated."""
    with archive.open(entry) as stream:
        start = stream.read(MAX_HEADER_BYTES)
    head = io.BytesIO(start)
    header = read_header(head)
    if header.dtype.hasobject:
        raise QnnError(subject, f"array {entry.filename} holds Python objects", "store plain numbers")
    size = head.tell() + math.prod(header.shape) * header.dtype.itemsize
    if size != entry.file_size or len(start) > entry.file_size:
        raise ValueError(f"array {entry.filename} is not as large as its header says")
    if entry.file_size > 1040 * max(entry.compress_size, 1) or entry.compress_type not in (0, 8):
        raise ValueError(f"array {entry.filename} is compressed in a way that NumPy does not")
    with archive.open(entry) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _table(arrays: dict[str, np.ndarray], samples: str, labels: str, subject: str, options: LoadOptions) -> Table:
    test_x, test_y = (arrays.get(name) for name in TEST_NAMES)
    x, y = arrays[samples], arrays.get(labels)
    if (test_x is None) != (test_y is None) or (test_x is not None and y is None):
        raise QnnError(subject, "has a test part without samples or labels", "store x, y, x_test and y_test")
    if test_x is not None and test_y is not None and y is not None:
        if test_x.shape[1:] != x.shape[1:] or test_y.shape[1:] != y.shape[1:]:
            raise QnnError(subject, "has training and test arrays of different shapes", "store samples of one shape")
        x, y = np.concatenate([x, test_x]), np.concatenate([y, test_y])
    test = len(test_x) if test_x is not None else 0
    raw, features = samples_of_array(x, subject)
    if y is None:
        return Table(raw, features, None)
    if y.shape[:1] != x.shape[:1]:
        raise QnnError(
            subject, f"has {len(x):,} samples and {len(y) if y.ndim else 1:,} labels", "store one label a sample"
        )
    return Table(raw, features, labels_of_array(y, subject, options.task), test)
