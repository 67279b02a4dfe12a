# SPDX-License-Identifier: MIT
"""What is lost of a column of readings in 256 steps, and the segments that lose least."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qnn.evenly import evenly
from qnn.segments import MOST_EXPONENT, position, segment_bits

MOST_POINTS = 2048
STEPS = 256
ROUNDS = 12
ENOUGH = 0.999  # a round that leaves more than this of the error is the last


Error = Callable[[np.ndarray], float]
Limits = tuple[int, int]  # of exponents


@dataclass(frozen=True, eq=False)
class Sample:
    """A column's values, each once and in order: int64 (V,), how often each occurs and its rank 0..1, float64 (V,)."""

    values: np.ndarray
    counts: np.ndarray
    ranks: np.ndarray

    @property
    def low(self) -> int:
        """The smallest value."""
        return int(self.values[0])


def sample_of(column: np.ndarray) -> Sample:
    """The Sample of integers (N,), at most about MOST_POINTS of them evenly spaced by rank, both ends included."""
    ordered = np.sort(column.astype(np.int64))
    places = evenly(len(ordered), MOST_POINTS)
    values, counts = np.unique(ordered[places], return_counts=True)
    below = np.cumsum(counts) - counts / 2
    return Sample(values, counts.astype(np.float64), below / counts.sum())


def lost(sample: Sample, steps: np.ndarray) -> float:
    """The part (0 to 1.4) of a column's variety that int64 `steps` (V,), 0..255, do not tell apart.

    Within a step, values and their ranks still differ; both deviations are put in relation to those of the whole
    column, and their root sum of squares is taken. Values alone would say that a column is well resolved if its few
    large ones are, though all others lie in one step; ranks alone, that it does not matter how large they are.
    """
    return float(np.hypot(_within(sample.values, sample.counts, steps), _within(sample.ranks, sample.counts, steps)))


def linear_steps(sample: Sample, low: int, high: int) -> np.ndarray:
    """The step of each value where low..high is divided evenly (SPEC 5.1)."""
    part = (np.clip(sample.values, low, high) - low) / max(high - low, 1)
    return np.floor(part * (STEPS - 1) + 0.5).astype(np.int64)


def segment_steps(sample: Sample, low: int, exponents: np.ndarray) -> np.ndarray:
    """The step of each value on a line of segments (SPEC 5.21)."""
    height = position(sample.values - low, exponents)
    return np.minimum(np.floor(height * (STEPS // len(exponents)) + 0.5), STEPS - 1).astype(np.int64)


def fit_segments(sample: Sample, count: int) -> np.ndarray:
    """int8 (count,): the exponents, from the smallest value on, that lose least; deterministic.

    Descent by single and neighbouring exponents from three starts: segments of equal counts, of equal widths, and what
    is best for small errors of values, a density of steps like the third root of the values' own (Panter, Dite 1951).
    """
    least = segment_bits(count)
    limits = least, min(MOST_EXPONENT, max(least, int(sample.values[-1] - sample.low).bit_length()))
    shares = (sample.counts, _gaps(sample), sample.counts ** (1 / 3) * _gaps(sample) ** (2 / 3))
    found = [_descend(sample, _start(sample, share, count, limits), limits) for share in shares]
    return min(found, key=lambda pair: pair[0])[1]


def _within(values: np.ndarray, counts: np.ndarray, steps: np.ndarray) -> float:
    """The deviation of values within steps by their whole deviation, both weighted by counts."""
    total = counts.sum()
    centred = values - (counts * values).sum() / total
    whole = (counts * centred**2).sum()
    if whole <= 0:
        return 0.0
    members = np.bincount(steps, counts)
    sums, squares = np.bincount(steps, counts * centred), np.bincount(steps, counts * centred**2)
    inside = squares.sum() - (sums[members > 0] ** 2 / members[members > 0]).sum()
    return float(np.sqrt(max(inside, 0.0) / whole))


def _gaps(sample: Sample) -> np.ndarray:
    """float64 (V,): how much of the range belongs to each value."""
    edges = np.diff(sample.values, prepend=sample.values[0], append=sample.values[-1])
    return np.asarray((edges[:-1] + edges[1:]) / 2.0)


def _start(sample: Sample, share: np.ndarray, count: int, limits: Limits) -> np.ndarray:
    """Exponents of `count` segments that hold about equal parts of `share`."""
    parts = np.cumsum(share) / share.sum()
    ends = np.interp(np.arange(count + 1) / count, parts, sample.values)
    widths = np.maximum(np.diff(ends), 1.0)
    return np.clip(np.rint(np.log2(widths)), *limits).astype(np.int8)


def _descend(sample: Sample, exponents: np.ndarray, limits: Limits) -> tuple[float, np.ndarray]:
    def error(candidate: np.ndarray) -> float:
        return lost(sample, segment_steps(sample, sample.low, candidate))

    best = error(exponents)
    for _ in range(ROUNDS):
        before = best
        for move in (_singles, _pairs):
            best, exponents = move(error, best, exponents, limits)
        if best > ENOUGH * before:
            break
    return best, exponents


def _singles(error: Error, best: float, exponents: np.ndarray, limits: Limits) -> tuple[float, np.ndarray]:
    """The best of each exponent in turn."""
    for place in range(len(exponents)):
        for exponent in range(limits[0], limits[1] + 1):
            best, exponents = _better(error, best, exponents, ((place, exponent),))
    return best, exponents


def _pairs(error: Error, best: float, exponents: np.ndarray, limits: Limits) -> tuple[float, np.ndarray]:
    """The best change of two neighbours by up to 2 each, pair by pair."""
    for place in range(len(exponents) - 1):
        for first in (-2, -1, 1, 2):
            for second in (-2, -1, 1, 2):
                changed = (int(exponents[place]) + first, int(exponents[place + 1]) + second)
                if limits[0] <= min(changed) and max(changed) <= limits[1]:
                    changes = ((place, changed[0]), (place + 1, changed[1]))
                    best, exponents = _better(error, best, exponents, changes)
    return best, exponents


def _better(
    error: Error, best: float, exponents: np.ndarray, changes: tuple[tuple[int, int], ...]
) -> tuple[float, np.ndarray]:
    """The exponents with the changes (place, exponent) if these lose less, else as they were."""
    candidate = exponents.copy()
    for place, exponent in changes:
        candidate[place] = exponent
    found = error(candidate)
    return (found, candidate) if found < best else (best, exponents)
