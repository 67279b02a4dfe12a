# SPDX-License-Identifier: MIT
"""From a function to the straight lines of a curve: as few as keep every value within one step (SPEC 5.16)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qnn.ops.curve import MAX_SHIFT, Curve
from qnn.ops.op import TensorType

VALUES = 1 << 16  # of int16
LEAST_BITS = 6  # of a segment: shorter ones cost more than they save
MOST_STEPS = 1  # between a result and the correctly rounded one


def curve_of(x: TensorType, y: TensorType, function: Callable[[np.ndarray], np.ndarray]) -> Curve:
    """The smallest Curve of `function` from reals of the int16 type x to reals of type y.

    Every value of x gives a result within MOST_STEPS of the correctly rounded one; all of them are tried.
    """
    wanted = function(x.scale * (np.arange(VALUES + 1, dtype=np.float64) - VALUES // 2 - x.zero_point))
    rounded = np.clip(np.floor(wanted / y.scale + 0.5) + y.zero_point, y.low, y.high).astype(np.int64)
    first, last = x.low + VALUES // 2, x.high + VALUES // 2
    needed = slice(first, last + 1)
    errors = np.zeros(VALUES, np.int64)
    worst = []  # for each length of lines, the largest error on every line
    for shift in range(MAX_SHIFT + 1):
        errors[needed] = np.abs(_lines(rounded, shift) - rounded[:-1])[needed]
        worst.append(errors.reshape(-1, 1 << shift).max(axis=1))
    tried = [_segments(worst, bits, first >> bits, last >> bits) for bits in range(LEAST_BITS, VALUES.bit_length())]
    bits, shifts = min(tried, key=lambda found: _bytes(*found))
    start = first >> bits << bits
    return _curve(rounded, start, bits, shifts)


def _lines(entries: np.ndarray, shift: int) -> np.ndarray:
    """What lines of 2**shift values between the entries at their ends give, for all VALUES (SPEC 5.16)."""
    ends = entries[:: 1 << shift]
    rise, position = np.diff(ends)[:, None], np.arange(1 << shift)
    return (ends[:-1, None] + ((rise * position + ((1 << shift) >> 1)) >> shift)).reshape(-1)


def _segments(worst: list[np.ndarray], bits: int, first: int, last: int) -> tuple[int, np.ndarray]:
    """bits, and for each segment from `first` to `last` the longest lines whose errors are small enough."""
    shifts = np.zeros(last - first + 1, np.int64)
    for shift in range(1, min(bits, MAX_SHIFT) + 1):
        fits = worst[shift].reshape(-1, 1 << (bits - shift)).max(axis=1) <= MOST_STEPS
        shifts[fits[first : last + 1]] = shift
    return bits, shifts


def _bytes(bits: int, shifts: np.ndarray) -> int:
    """Bytes of flash."""
    return 3 * len(shifts) + 2 * (int((1 << (bits - shifts)).sum()) + 1)


def _curve(rounded: np.ndarray, start: int, bits: int, shifts: np.ndarray) -> Curve:
    """The Curve of segments from the value `start` above the lowest on."""
    lines = 1 << (bits - shifts)
    firsts = np.concatenate([[0], np.cumsum(lines)[:-1]])
    parts = [
        rounded[start + (segment << bits) : start + ((segment + 1) << bits) : 1 << shift]
        for segment, shift in enumerate(shifts.tolist())
    ]
    end = rounded[start + (len(shifts) << bits)]
    entries = np.append(np.concatenate(parts), end)
    low = start - VALUES // 2
    return Curve(low, bits, firsts.astype(np.uint16), shifts.astype(np.uint8), entries.astype(np.int16))
