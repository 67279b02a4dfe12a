# SPDX-License-Identifier: MIT
"""The samples that every stage reads: raw integers in, classes or targets out, and which rows are whose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PARTS = ("train", "validation", "test", "all")


@dataclass(frozen=True)
class Feature:
    """One input of a sample: its name and its decimal unit (a raw integer r means r * 10**-decimals)."""

    name: str
    decimals: int = 0


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples as raw integers.

    x: (N, *shape) uint8 (pixels and bytes) or int32 (readings, in units of 10**-decimals per feature).
    shape: one sample's shape, (F,) or (H, W, C).
    features: one per element of a flat sample; empty for images.
    task: "classification" or "regression".
    y: classification (N,) int64 class indices; regression (N, T) float64 targets in their own unit;
       None where the data has no labels.
    classes: class names (classification); targets: target names (regression); target_decimals: of each target.
    source: what the user wrote ("mnist", "readings.csv"); sha256: of the samples, hex.
    train, validation, test: row indices, disjoint, int64, ascending; together all rows.
    """

    source: str
    sha256: str
    x: np.ndarray
    shape: tuple[int, ...]
    features: tuple[Feature, ...]
    task: str
    y: np.ndarray | None
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    target_decimals: tuple[int, ...]
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def rows(self, part: str) -> np.ndarray:
        """Row indices of a part: "train", "validation", "test" or "all"."""
        if part == "all":
            return np.arange(len(self.x), dtype=np.int64)
        return {"train": self.train, "validation": self.validation, "test": self.test}[part]
