# SPDX-License-Identifier: MIT
"""Constants of this tool's operators that give another tool's results exactly, proven on every input."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from qnn.errors import QnnError
from qnn.fixedpoint import Requantization, requantization
from qnn.ops.add import Add
from qnn.ops.op import TensorType

LARGEST_FACTORS = tuple(range(1 << 20, 1 << 18, -(1 << 15)))  # of an add, tried in turn
STAIRS = tuple(range(1 << 14, 1 << 12, -(1 << 11)))  # weights of a staircase, tried in turn
STEEPEST = 2.0**-20  # part of the accumulator's span that a result takes at least
SEARCH = 200  # halvings and thirds of a slope's interval


def averaging(count: int, zero_point: int, kind: TensorType) -> Requantization:
    """One entry that gives the mean of `count` values, rounded half away from zero, plus `zero_point`, within `kind`.

    It takes the sum of int8 values, or of int16 ones where `kind` is int16. Both sides are monotonic, so that the sums
    around each half prove it for all. Raises QnnError where none is found: for more values than a map has.
    """
    ends = np.iinfo("int16" if kind.dtype == "int16" else "int8")
    halves = (2 * np.arange(ends.min - 1, ends.max + 2, dtype=np.int64) + 1) * count // 2
    around = np.concatenate([halves + step for step in (-1, 0, 1)])
    sums = np.clip(around, ends.min * count, ends.max * count)
    rounded = (np.abs(sums) + count // 2) // count
    wanted = np.clip(np.where(sums > 0, rounded, -rounded) + zero_point, kind.low, kind.high)
    for more in (0, 1, 0.5):  # so that halves of either sign leave zero, and nothing else does
        factor = 1 / (count - more / (ends.max + 3))
        found = requantization(np.array([factor]), zero_point, kind.low, kind.high)
        if np.array_equal(found.apply(sums[:, None])[:, 0], wanted):
            return found
    raise QnnError("average pool", f"windows of {count} positions have no exact constants", "use smaller windows")


def addition(
    scales: tuple[float, float], zeros: tuple[int, int], zero_point: int, low: int, high: int, wanted: np.ndarray
) -> Add:
    """The add of uint8 tensors (x1, x2) that gives wanted[x1, x2] (256, 256), within low..high, on every pair.

    scales: in output steps. zeros: of the inputs. Raises QnnError where no constants do.
    """
    if wanted.min() == wanted.max():
        still = requantization(np.array([0.25]), zero_point, low, high)
        return Add(0, 0, 4 * (int(wanted[0, 0]) - zero_point), still)
    steps = np.arange(256, dtype=np.int64)
    for largest in LARGEST_FACTORS:
        factors = in_ratio(scales, largest)
        acc = factors[0] * (steps[:, None] - zeros[0]) + factors[1] * (steps - zeros[1])
        line = _line(acc.reshape(-1), wanted.reshape(-1), low, high)
        if line is None:
            continue
        slope, start = line
        offset = math.floor(-start - (zero_point + 0.5) * slope + 0.5)
        offset += -factors[0] * zeros[0] - factors[1] * zeros[1]
        op = Add(factors[0], factors[1], offset, requantization(np.array([1 / slope]), zero_point, low, high))
        got = op.reference((np.repeat(steps, 256)[None], np.tile(steps, 256)[None]))
        if np.array_equal(got[0], wanted.reshape(-1)):
            return op
    raise QnnError("add", "its rounding has no exact constants", "import it with --rounding qnn")


@dataclass(frozen=True, eq=False)
class Staircases:
    """y = requantize(weights[c] * x + bias[c]): int16 (C,), int64 (C,)."""

    weights: np.ndarray
    bias: np.ndarray
    requantization: Requantization


def staircases(wanted: np.ndarray, zero_point: int, low: int, high: int) -> Staircases:
    """What gives wanted[c, x] (C, 256), rising in x and within low..high, for every channel c and uint8 x.

    Raises QnnError where no constants do.
    """
    known: dict[bytes, tuple[int, int, Requantization]] = {}
    for row in wanted:
        if row.tobytes() not in known:
            known[row.tobytes()] = _staircase(row, zero_point, low, high)
    found = [known[row.tobytes()] for row in wanted]
    constants = [constants for _, _, constants in found]
    return Staircases(
        np.array([weight for weight, _, _ in found], np.int16),
        np.array([bias for _, bias, _ in found], np.int64),
        Requantization(
            np.concatenate([one.multiplier for one in constants]),
            np.concatenate([one.shift for one in constants]),
            np.concatenate([one.prescale for one in constants]),
            np.array([zero_point], np.int32),
            low,
            high,
        ),
    )


def _staircase(wanted: np.ndarray, zero_point: int, low: int, high: int) -> tuple[int, int, Requantization]:
    """(weight, bias, one entry) of one channel."""
    if wanted[0] == wanted[-1]:
        return 0, 4 * (int(wanted[0]) - zero_point), requantization(np.array([0.25]), zero_point, low, high)
    steps = np.arange(256, dtype=np.int64)
    for weight in STAIRS:
        line = _line(weight * steps, wanted, low, high)
        if line is None:
            continue
        slope, start = line
        bias = math.floor(-start - (zero_point + 0.5) * slope + 0.5)
        found = requantization(np.array([1 / slope]), zero_point, low, high)
        if np.array_equal(found.apply((weight * steps + bias)[:, None])[:, 0], wanted):
            return weight, bias, found
    raise QnnError("add", "its rounding has no exact constants", "import it with --rounding qnn")


def in_ratio(scales: tuple[float, float], largest: int) -> tuple[int, int]:
    """Two integers up to `largest` whose ratio is that of the scales as nearly as such integers can be."""
    ratio = Fraction(min(scales)) / Fraction(max(scales))
    near = ratio.limit_denominator(largest)
    times = largest // near.denominator
    small, large = near.numerator * times, near.denominator * times
    return (small, large) if scales[0] <= scales[1] else (large, small)


def _line(acc: np.ndarray, results: np.ndarray, low: int, high: int) -> tuple[float, float] | None:
    """(slope, start): result j, low < j <= high, begins at slope * j + start of the accumulator; None if none fits."""
    order = np.argsort(acc, kind="stable")
    acc, results = acc[order], results[order]
    if np.any(np.diff(results) < 0):
        return None
    j = np.arange(results[0] + 1, results[-1] + 1)
    span = 2.0 * float(acc[-1] - acc[0] + 1)
    first = np.searchsorted(results, j)
    after, until = acc[first - 1].astype(np.float64), acc[first].astype(np.float64)
    if results[-1] < high:  # the next result must begin behind the last accumulator
        j, after, until = np.append(j, j[-1] + 1), np.append(after, float(acc[-1])), np.append(until, math.inf)
    if results[0] > low:
        j, after, until = np.append(j, j[0] - 1), np.append(after, -math.inf), np.append(until, float(acc[0]))
    if np.any(after >= until):
        return None

    def gap(slope: float) -> float:
        return float((after - slope * j).max() - (until - slope * j).min())

    slope = _lowest(gap, span * STEEPEST, span) if len(j) > 1 else span
    bounds = (after - slope * j).max(), (until - slope * j).min()
    return (slope, float(sum(bounds)) / 2) if bounds[0] < bounds[1] else None


def _lowest(function: Callable[[float], float], left: float, right: float) -> float:
    """Where a convex function is lowest between left and right."""
    for _ in range(SEARCH):
        a, b = left + (right - left) / 3, right - (right - left) / 3
        if function(a) <= function(b):
            right = b
        else:
            left = a
    return (left + right) / 2
