# SPDX-License-Identifier: MIT
"""The samples that every stage reads: raw integers in, classes or targets out, and which rows are whose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.schema import DataRecord, Schema

PARTS = ("train", "validation", "test", "all")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples as raw integers.

    schema: shapes, types and names.
    record: where the samples came from and how they were split; record.sha256 is of the samples, hex.
    x: (N, *schema.shape) of schema.dtype.
    y: classification (N,) int64 class indices; regression (N, T) float64 targets in their own unit;
       None where the data has no labels.
    train, validation, test: row indices, disjoint, int64, ascending; together all rows.
    warnings: one line each, for the user: what was left out, what cannot be learned from.
    """

    schema: Schema
    record: DataRecord
    x: np.ndarray
    y: np.ndarray | None
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    warnings: tuple[str, ...] = ()

    def rows(self, part: str) -> np.ndarray:
        """Row indices (int64) of a part: "train", "validation", "test" or "all"."""
        if part == "all":
            return np.arange(len(self.x), dtype=np.int64)
        return {"train": self.train, "validation": self.validation, "test": self.test}[part]
