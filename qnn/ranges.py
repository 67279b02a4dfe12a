# SPDX-License-Identifier: MIT
"""From the values of a tensor to the range that is quantized: minmax, percentile, mse and entropy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

METHODS = ("minmax", "percentile", "mse", "entropy")
BINS = 2048
LEVELS = 256  # the steps whose error mse and entropy weigh; the range then serves every width
PERCENTILE = 99.99
CANDIDATES = np.linspace(0.2, 1.0, 81)  # fractions of the observed range that mse and entropy try


# The loss of a histogram (counts at centres) that is quantized in low..high.
Loss = Callable[[np.ndarray, np.ndarray, float, float], float]


@dataclass(frozen=True)
class Range:
    """A tensor's observed minimum and maximum, and the calibrated range low..high, which contains 0."""

    minimum: float
    maximum: float
    low: float
    high: float


def find_range(values: np.ndarray, method: str) -> Range:
    """The Range of float64 `values` (any shape, at least one), every bound rounded to float32.

    Rounding makes differences of summation order between BLAS libraries vanish. method: one of METHODS.
    """
    flat = values.reshape(-1)
    minimum, maximum = float(flat.min()), float(flat.max())
    low, high = min(minimum, 0.0), max(maximum, 0.0)
    if method == "percentile":
        tail = 100 - PERCENTILE
        low = min(float(np.percentile(flat, tail)), 0.0) if low < 0 else 0.0
        high = max(float(np.percentile(flat, PERCENTILE)), 0.0) if high > 0 else 0.0
    elif method in ("mse", "entropy") and low < high:
        low, high = _search(flat, low, high, _mse if method == "mse" else _divergence)
    return Range(*(float(np.float32(value)) for value in (minimum, maximum, low, high)))


def _search(flat: np.ndarray, low: float, high: float, loss: Loss) -> tuple[float, float]:
    """The bounds with the least loss: first the upper one, then the lower one (each only where it is not 0)."""
    counts, edges = np.histogram(flat, bins=BINS, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    # Exact zeros are common after a ReLU and cost nothing: every range represents 0.
    counts[np.searchsorted(edges, 0.0, side="right").clip(1, BINS) - 1] -= int(np.count_nonzero(flat == 0.0))
    counts = np.maximum(counts, 0)
    if high > 0:
        high = min(CANDIDATES, key=lambda f: (loss(counts, centres, low, high * f), -f)) * high
    if low < 0:
        low = min(CANDIDATES, key=lambda f: (loss(counts, centres, low * f, high), -f)) * low
    return low, high


def _mse(counts: np.ndarray, centres: np.ndarray, low: float, high: float) -> float:
    """The sum of squared errors of rounding and clipping to LEVELS steps."""
    step = (high - low) / (LEVELS - 1)
    rounded = np.clip(np.round((centres - low) / step), 0, LEVELS - 1) * step + low
    return float(counts @ (centres - rounded) ** 2)


def _divergence(counts: np.ndarray, centres: np.ndarray, low: float, high: float) -> float:
    """Kullback-Leibler divergence of the quantized from the clipped distribution.

    S. Migacz, 8-bit inference with TensorRT, 2017: what lies outside counts at the edge in the reference, but is
    missing in the quantized distribution, whose levels spread their mass evenly over their occupied bins.
    """
    inside = (centres >= low) & (centres <= high)
    level = np.clip((centres - low) / (high - low) * LEVELS, 0, LEVELS - 1).astype(np.int64)
    reference = np.bincount(level.clip(0, LEVELS - 1)[~inside], counts[~inside], LEVELS)
    fine = np.where(inside, counts, 0).astype(np.float64)
    occupied = np.bincount(level, fine > 0, LEVELS)
    spread = np.bincount(level, fine, LEVELS)[level] / np.maximum(occupied[level], 1)
    clipped = fine.copy()
    clipped[np.flatnonzero(inside)[0]] += reference[0]
    clipped[np.flatnonzero(inside)[-1]] += reference[LEVELS - 1]
    if fine.sum() == 0:
        return 0.0
    p = clipped / clipped.sum()
    q = np.where(fine > 0, spread, 0) / fine.sum()
    used = p > 0
    return float(np.sum(p[used] * np.log(p[used] / np.maximum(q[used], 1e-12))))
