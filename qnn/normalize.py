# SPDX-License-Identifier: MIT
"""How raw integers become the network's floats, measured on the training rows, and outputs become targets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from qnn.data.dataset import Dataset
from qnn.model import Normalization

CHUNK = 1 << 16
BYTE_SPREAD = 8  # a byte's standard deviation counts as at least 1/8 of its range


def fit_normalization(dataset: Dataset) -> Normalization:
    """The normalization of `dataset`, from its training rows.

    Byte images: 0..1, by one scale. Everything else: mean 0, deviation 1, per feature of flat samples, over all
    elements of others; a constant feature gets scale 0, so that it has no influence. Readings saturate at the
    smallest and largest value of the training rows, bytes do not. Targets: mean 0, deviation 1.
    """
    targets = _targets(dataset)
    images, bytes_ = len(dataset.schema.shape) > 1, dataset.schema.dtype == "uint8"
    low, high = _range(dataset)
    if images and bytes_:
        scale = np.asarray(1.0 / _full_scale(int(high.max())))
        return Normalization(np.zeros(()), scale, np.zeros((), np.int64), np.full((), 255, np.int64), *targets)
    axes = tuple(range(len(dataset.schema.shape) + 1)) if images else (0,)
    if images:
        low, high = low.min(), high.max()
    mean, deviation = _moments(dataset, axes)
    if bytes_:
        deviation = np.maximum(deviation, (high - low) / BYTE_SPREAD)
    constant = low == high
    scale = np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation))
    offset = np.where(constant, low, mean)
    if bytes_:
        low, high = np.zeros_like(low), np.full_like(high, 255)
    return Normalization(np.asarray(offset), np.asarray(scale), np.asarray(low), np.asarray(high), *targets)


def normalize(normalization: Normalization, x: np.ndarray, dtype: DTypeLike = np.float64) -> np.ndarray:
    """real = (raw - offset) * scale for raw integers x (N, *shape), saturated to low..high; computed in float64."""
    raw = np.clip(x.astype(np.int64), normalization.low, normalization.high)
    return np.asarray(((raw - normalization.offset) * normalization.scale).astype(dtype))


def normalize_into(normalization: Normalization, x: np.ndarray, out: np.ndarray) -> None:
    """As `normalize`, into the float32 array `out` of x's shape; fast for bytes that only need a scale."""
    if x.dtype == np.uint8 and normalization.offset.ndim == 0 and normalization.offset == 0:
        np.copyto(out, x)
        np.multiply(out, np.float32(normalization.scale), out=out)
    else:
        np.copyto(out, normalize(normalization, x, np.float32))


def normalize_targets(normalization: Normalization, y: np.ndarray) -> np.ndarray:
    """Targets (N, T) in their own unit as the network's float32 outputs."""
    return np.asarray(((y - normalization.target_offset) / normalization.target_scale).astype(np.float32))


def target_values(normalization: Normalization, outputs: np.ndarray) -> np.ndarray:
    """The network's outputs (N, T) as float64 targets in their own unit."""
    return np.asarray(outputs * normalization.target_scale + normalization.target_offset)


def _full_scale(largest: int) -> int:
    """The value that becomes 1.0: 255 for ordinary images, the next power of two for darker ones (16 of 0..16)."""
    return 255 if largest > 128 else 1 << max(largest - 1, 0).bit_length()


def _chunks(dataset: Dataset) -> Iterator[np.ndarray]:
    for start in range(0, len(dataset.train), CHUNK):
        yield dataset.x[dataset.train[start : start + CHUNK]]


def _range(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """int64 (*shape) each: the smallest and largest raw values of the training rows."""
    lows, highs = zip(*((chunk.min(axis=0), chunk.max(axis=0)) for chunk in _chunks(dataset)), strict=True)
    return np.min(lows, axis=0).astype(np.int64), np.max(highs, axis=0).astype(np.int64)


def _moments(dataset: Dataset, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """float64 mean and standard deviation of the training rows over `axes`, in two passes."""
    size = len(dataset.train) * int(np.prod([dataset.x.shape[axis] for axis in axes[1:]], dtype=np.int64))
    mean = sum(chunk.sum(axis=axes, dtype=np.float64) for chunk in _chunks(dataset)) / size
    variance = sum(np.square(chunk - mean).sum(axis=axes) for chunk in _chunks(dataset)) / size
    return np.asarray(mean), np.asarray(np.sqrt(variance))


def _targets(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """float64 (T,) each: offset and scale of the targets; empty for classes."""
    if dataset.schema.task != "regression" or dataset.y is None:
        return np.zeros(0), np.zeros(0)
    y = dataset.y[dataset.train]
    deviation = y.std(axis=0)
    return y.mean(axis=0), np.where(deviation > 0, deviation, 1.0)
