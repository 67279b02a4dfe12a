# SPDX-License-Identifier: MIT
"""How raw integers become the network's floats and back: applying a model's Normalization."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from qnn.model import Normalization
from qnn.segments import has_segments, line_of, position


def normalize(normalization: Normalization, x: np.ndarray, dtype: DTypeLike = np.float64) -> np.ndarray:
    """real = (raw - offset) * scale for raw integers x (N, *shape), saturated to low..high; computed in float64.

    Where a feature has segments, its height on them takes the place of raw.
    """
    raw = np.clip(x.astype(np.int64), normalization.low, normalization.high)
    values = raw.astype(np.float64) if len(normalization.segments) else raw
    for feature in np.flatnonzero(has_segments(normalization.segments)).tolist():
        distance = raw[:, feature] - normalization.low[feature]
        values[:, feature] = position(distance, line_of(normalization.segments[feature]))
    return np.asarray(((values - normalization.offset) * normalization.scale).astype(dtype))


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
