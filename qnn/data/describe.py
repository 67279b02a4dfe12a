# SPDX-License-Identifier: MIT
"""A data set in words and numbers, for `qnn data show`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.data.dataset import Dataset

SHADES = " .:-=+*#%@"
BLOCK_ROWS = 1 << 16


@dataclass(frozen=True)
class Column:
    """Range and mean of an input or a target over all rows, in its own unit."""

    name: str
    decimals: int
    low: float
    high: float
    mean: float
    constant: bool


def input_columns(dataset: Dataset) -> tuple[Column, ...]:
    """One entry a feature; images have one for all their pixels, called "pixels"."""
    x = dataset.x
    if not dataset.schema.features:
        flat = x.reshape(len(x), -1)
        return (_column("pixels", 0, [flat[i : i + BLOCK_ROWS] for i in range(0, len(x), BLOCK_ROWS)]),)
    return tuple(
        _column(feature.name, feature.decimals, [x[:, i]]) for i, feature in enumerate(dataset.schema.features)
    )


def target_columns(dataset: Dataset) -> tuple[Column, ...]:
    """One entry a target of a regression; none for classes and for data without labels."""
    if dataset.y is None or dataset.schema.task != "regression":
        return ()
    named = zip(dataset.schema.targets, dataset.schema.target_decimals, strict=True)
    result = []
    for i, (name, decimals) in enumerate(named):
        values = dataset.y[:, i]
        low, high = float(values.min()), float(values.max())
        result.append(Column(name, decimals, low, high, float(values.mean()), low == high))
    return tuple(result)


def class_counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Of each class, its rows in each part: {"setosa": {"train": 36, "validation": 4, "test": 10}}."""
    if dataset.y is None or dataset.schema.task != "classification":
        return {}
    classes = dataset.schema.classes
    counts = {
        part: np.bincount(dataset.y[dataset.rows(part)], minlength=len(classes))
        for part in ("train", "validation", "test")
    }
    return {name: {part: int(count[i]) for part, count in counts.items()} for i, name in enumerate(classes)}


def drawn(dataset: Dataset, count: int) -> tuple[tuple[str, ...], ...]:
    """Up to `count` images as lines of characters, evenly spaced through the data; none if samples are no images."""
    shape = dataset.schema.shape
    if len(shape) != 3 or len(dataset.x) == 0:
        return ()
    rows = np.linspace(0, len(dataset.x) - 1, min(count, len(dataset.x))).astype(np.int64)
    images = dataset.x[rows].astype(np.float64).mean(axis=3)
    low, high = float(images.min()), float(images.max())
    levels = ((images - low) / max(high - low, 1.0) * (len(SHADES) - 1) + 0.5).astype(np.int64)
    return tuple(tuple("".join(SHADES[v] * 2 for v in line) for line in image) for image in levels)


def _column(name: str, decimals: int, blocks: list[np.ndarray]) -> Column:
    unit = 10.0**-decimals
    low, high = min(int(b.min()) for b in blocks), max(int(b.max()) for b in blocks)
    mean = sum(int(b.sum(dtype=np.int64)) for b in blocks) / max(1, sum(b.size for b in blocks))
    # Dividing by a whole power of ten prints as written; multiplying by its inverse does not.
    scale = 10.0**decimals
    return Column(name, decimals, low / scale, high / scale, mean * unit, low == high)
