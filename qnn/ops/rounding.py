# SPDX-License-Identifier: MIT
"""Two roundings as one: constants of the one requantization that give what GEMMLOWP gives, proven step by step.

Rounding twice is monotonic in the accumulator, so it is known by its thresholds: the smallest accumulator of each
result. After a ReLU these lie on a straight line, and one rounding with a small offset of the accumulator and of the
constant has the same ones. Whether it has is checked for every threshold (SPEC 3.7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.fixedpoint import GEMMLOWP, INT32_MAX, MAX_SHIFT, Requantization

NUDGES = 65536  # of the constant, either way, among which the one nearest to the thresholds is looked for
TRIES = 2048


@dataclass(frozen=True)
class OneRounding:
    """q = clamp(((((acc + offset) << prescale) * multiplier >> 32) + constant) >> shift), of one channel."""

    multiplier: int
    constant: int
    shift: int
    prescale: int
    offset: int


def one_rounding(requantization: Requantization, low: np.ndarray, high: np.ndarray) -> tuple[OneRounding, ...] | None:
    """For each channel of a GEMMLOWP requantization the constants that round once and give the same results.

    low, high: int64 (C,), each channel's smallest and largest accumulator. None where a channel has no such constants.
    """
    found: list[OneRounding] = []
    for index, (least, most) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        channel = requantization.channel(index if len(requantization.multiplier) > 1 else 0)
        one = _channel(channel, least, most)
        if one is None:
            return None
        found.append(one)
    return tuple(found)


def _channel(twice: Requantization, low: int, high: int) -> OneRounding | None:
    multiplier, shift, prescale = int(twice.multiplier[0]), int(twice.shift[0]), int(twice.prescale[0])
    zero = int(twice.zero_point[0])
    ends = twice.apply(np.array([[low], [high]], np.int64))[:, 0].tolist()
    if ends[0] == ends[1]:
        return OneRounding(0, 2 * ends[0], 1, 0, 0)
    if shift == 0:  # the second rounding does nothing
        return _proven(OneRounding(multiplier, 2 * zero + 1, 1, prescale + 2, 0), twice, low, high)
    once = max(shift - 1, 1)
    if once > MAX_SHIFT or multiplier < 1 << 30:
        return None
    left = 1 if shift == 1 else 0
    step = 2.0**32 / (multiplier << left)  # of the accumulator, for one of the constant
    part = 0.5 if left else 0.25  # of the constant: the first rounding's half
    nudges = np.arange(-NUDGES, NUDGES + 1)
    exact = (nudges - part) * step
    order = np.argsort(np.abs(exact - np.rint(exact)), kind="stable")[:TRIES]
    for nudge, offset in zip(nudges[order].tolist(), np.rint(exact[order]).astype(np.int64).tolist(), strict=True):
        constant = (zero << once) + (1 << (once - 1)) + nudge
        one = _proven(OneRounding(multiplier, constant, once, left, -offset), twice, low, high)
        if one is not None:
            return one
    return None


def _proven(one: OneRounding, twice: Requantization, low: int, high: int) -> OneRounding | None:
    """`one` if it leaves no int32 and gives what `twice` gives for every accumulator from low to high, else None."""
    largest = max(-low, high) + abs(one.offset)
    if largest << one.prescale > INT32_MAX or (largest << one.prescale >> 1) + 1 + abs(one.constant) > INT32_MAX:
        return None
    results = np.arange(twice.low + 1, twice.high + 1, dtype=np.int64)
    needed = (results << one.shift) - one.constant
    first = -((-needed << 32) // (one.multiplier << one.prescale)) - one.offset
    reached, missed = (first <= high), (first > low)
    at, before = np.clip(first, low, high), np.clip(first - 1, low, high)
    agrees = np.where(reached, twice.apply(at[:, None])[:, 0] >= results, True)
    agrees &= np.where(missed, twice.apply(before[:, None])[:, 0] < results, True)
    return one if bool(agrees.all()) else None


def rounds_twice(requantization: Requantization) -> bool:
    """Is its rule GEMMLOWP?"""
    return requantization.rounding == GEMMLOWP
