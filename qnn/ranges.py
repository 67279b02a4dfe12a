# SPDX-License-Identifier: MIT
"""From the values of a tensor to the range that is quantized: minmax, percentile, mse and entropy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

METHODS = ("minmax", "percentile", "mse", "entropy")
BINS = 2048
LEVELS = 256  # the steps whose error mse and entropy weigh
PERCENTILE = 99.99
CANDIDATES = np.linspace(0.2, 1.0, 81)  # fractions of the observed range that mse and entropy try
CLIPPED_BITS = (4, 5, 6, 7)  # widths for which mse clips anew, by the steps that they have
CLIPPED_CANDIDATES = np.linspace(0.05, 1.0, 96)  # few steps may want to serve a small part of a long tail


# The loss of a histogram (counts at centres) that is quantized in low..high.
Loss = Callable[[np.ndarray, np.ndarray, float, float], float]
Histogram = tuple[np.ndarray, np.ndarray]  # counts and centres of bins


@dataclass(frozen=True)
class Clip:
    """The range low..high, which contains 0, for activations of so many bits."""

    bits: int
    low: float
    high: float


@dataclass(frozen=True)
class Range:
    """A tensor's observed minimum and maximum, and the calibrated range low..high, which contains 0.

    clips: ranges for widths of fewer than 8 bits; low..high serves those that are not there.
    """

    minimum: float
    maximum: float
    low: float
    high: float
    clips: tuple[Clip, ...] = ()

    def of(self, bits: int) -> tuple[float, float]:
        """The range for activations of so many bits."""
        return next(((clip.low, clip.high) for clip in self.clips if clip.bits == bits), (self.low, self.high))

    def bounded(self, least: float) -> Range:
        """The same with bounds below `least`, which a file may not hold, as 0."""
        minimum, maximum, low, high = (
            bound if abs(bound) >= least else 0.0 for bound in (self.minimum, self.maximum, self.low, self.high)
        )
        clips = tuple(
            Clip(clip.bits, *(bound if abs(bound) >= least else 0.0 for bound in (clip.low, clip.high)))
            for clip in self.clips
        )
        return Range(minimum, maximum, low, high, clips)


def find_range(values: np.ndarray, method: str) -> Range:
    """The Range of float64 `values` (any shape, at least one), every bound rounded to float32.

    Rounding makes differences of summation order between BLAS libraries vanish. method: one of METHODS.
    """
    flat = values.reshape(-1)
    minimum, maximum = float(flat.min()), float(flat.max())
    clips: tuple[Clip, ...] = ()
    low, high = min(minimum, 0.0), max(maximum, 0.0)
    if method == "percentile":
        tail = 100 - PERCENTILE
        low = min(float(np.percentile(flat, tail)), 0.0) if low < 0 else 0.0
        high = max(float(np.percentile(flat, PERCENTILE)), 0.0) if high > 0 else 0.0
    elif method in ("mse", "entropy") and low < high:
        histogram = _histogram(flat, low, high)
        clips = _clips(histogram, low, high) if method == "mse" else ()
        low, high = _search(histogram, low, high, squares(LEVELS) if method == "mse" else _divergence, CANDIDATES)
    minimum, maximum, low, high = (float(np.float32(value)) for value in (minimum, maximum, low, high))
    return Range(minimum, maximum, low, high, clips)


def _clips(histogram: Histogram, low: float, high: float) -> tuple[Clip, ...]:
    """The Clip of each of CLIPPED_BITS, its bounds rounded to float32."""
    found = []
    for bits in CLIPPED_BITS:
        bounds = _search(histogram, low, high, squares(1 << bits), CLIPPED_CANDIDATES)
        found.append(Clip(bits, *(float(np.float32(bound)) for bound in bounds)))
    return tuple(found)


def _histogram(flat: np.ndarray, low: float, high: float) -> Histogram:
    """Counts and centres of BINS bins of the values, without exact zeros."""
    counts, edges = np.histogram(flat, bins=BINS, range=(low, high))
    # Exact zeros are common after a ReLU and cost nothing: every range represents 0.
    counts[np.searchsorted(edges, 0.0, side="right").clip(1, BINS) - 1] -= int(np.count_nonzero(flat == 0.0))
    return np.maximum(counts, 0), (edges[:-1] + edges[1:]) / 2


def _search(histogram: Histogram, low: float, high: float, loss: Loss, candidates: np.ndarray) -> tuple[float, float]:
    """The bounds with the least loss: first the upper one, then the lower one (each only where it is not 0)."""
    counts, centres = histogram
    if high > 0:
        high = min(candidates, key=lambda f: (loss(counts, centres, low, high * f), -f)) * high
    if low < 0:
        low = min(candidates, key=lambda f: (loss(counts, centres, low * f, high), -f)) * low
    return low, high


def squares(levels: int) -> Loss:
    """The sum of squared errors of rounding and clipping to so many steps."""

    def loss(counts: np.ndarray, centres: np.ndarray, low: float, high: float) -> float:
        step = (high - low) / (levels - 1)
        rounded = np.clip(np.round((centres - low) / step), 0, levels - 1) * step + low
        return float(counts @ (centres - rounded) ** 2)

    return loss


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
