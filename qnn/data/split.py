# SPDX-License-Identifier: MIT
"""Which rows are for training, validation and test, and how the same rows are found again."""

from __future__ import annotations

import hashlib

import numpy as np

from qnn.data.dataset import PARTS, Dataset
from qnn.errors import QnnError
from qnn.schema import CHRONOLOGICAL, DataRecord

TRAIN, EVALUATE = "train", "evaluate"

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


def split_rows(count: int, given_test: int, record: DataRecord) -> Parts:
    """(train, validation, test) row indices, int64, ascending, disjoint, together all of `count`.

    The last `given_test` rows are the test part; where there are none, record.test_fraction of all are drawn.
    Of the others record.validation_fraction are drawn for validation. One row at least is for training.
    Where record.split is chronological nothing is drawn: the first rows are for training, the last for the test.
    """
    if record.split == CHRONOLOGICAL:
        return _split_in_order(count, given_test, record)
    generator = np.random.Generator(np.random.PCG64(record.seed))
    left = count - given_test
    # Sorting raw words of the bit generator: its stream never changes, that of Generator.permutation may.
    order = np.argsort(generator.bit_generator.random_raw(left), kind="stable").astype(np.int64, copy=False)
    drawn = 0 if given_test else _share(left, record.test_fraction)
    held = _share(left - drawn, record.validation_fraction)
    test = np.arange(left, count, dtype=np.int64) if given_test else np.sort(order[:drawn])
    return np.sort(order[drawn + held :]), np.sort(order[drawn : drawn + held]), test


def _split_in_order(count: int, given_test: int, record: DataRecord) -> Parts:
    """As split_rows, of rows in the order of time."""
    test = given_test or _share(count, record.test_fraction)
    held = _share(count - test, record.validation_fraction)
    rows = np.arange(count, dtype=np.int64)
    return rows[: count - test - held], rows[count - test - held : count - test], rows[count - test :]


def _share(count: int, fraction: float) -> int:
    """The nearest whole part; at least 1 if it should be more than none, and never all."""
    return 0 if fraction == 0 or count < 2 else min(count - 1, max(1, int(count * fraction + 0.5)))


def sha256_of(x: np.ndarray, y: np.ndarray | None) -> str:
    """The hash (hex) of samples and labels: type, shape and values, the same on every machine."""
    digest = hashlib.sha256()
    for array in (x, y) if y is not None else (x,):
        plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{plain.dtype.str}{plain.shape};".encode())
        digest.update(plain.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def rows_for(dataset: Dataset, record: DataRecord | None, part: str | None, stage: str) -> np.ndarray:
    """The row indices (int64) that a stage uses; `record` is the model's, None before there is one.

    part: "train", "validation", "test" or "all" where the user chose, else None, which means: for stage "train"
    the training part (all rows where the data has none); for "evaluate" the test part if the data is what the model
    was trained on, else all rows. If it is, the parts are those of `record`, however the data was loaded.
    Raises QnnError if that leaves no rows.
    """
    if part is not None and part not in PARTS:
        raise QnnError("--part", f"{part!r} is no part", f"use {', '.join(PARTS)}")
    same = record is not None and record.sha256 == dataset.record.sha256
    train, validation, test = dataset.train, dataset.validation, dataset.test
    if record is not None and same:
        given = len(test) if record.test_fraction == 0 and dataset.record.test_fraction == 0 else 0
        train, validation, test = split_rows(len(dataset.x), given, record)
    everything = dataset.rows("all")
    if part is None:
        chosen = (train if len(train) else everything) if stage == TRAIN else (test if same else everything)
    else:
        chosen = {"train": train, "validation": validation, "test": test, "all": everything}[part]
    if not len(chosen):
        name = part or "test"
        raise QnnError(dataset.record.source, f"has no {name} rows", "choose others with --part, or other data")
    return chosen
