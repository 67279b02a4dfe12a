# SPDX-License-Identifier: MIT
"""The one requantization formula and the encoding of its scales (SPEC 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from qnn.errors import QnnError

MULTIPLIER_BITS = 31
MAX_SHIFT = 22
MAX_PRESCALE = 30
MAX_TWICE_SHIFT = 31
LONG_MULTIPLIER_BITS, LEAST_LONG_SHIFT, MOST_LONG_SHIFT, LONG_BITS = 15, 8, 46, 47  # of INT16X8
CONSTANT_BITS = 30  # of |zero_point| * 2**shift
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
QNN, GEMMLOWP, HALF_EVEN, INT16X8 = "qnn", "gemmlowp", "half_even", "int16x8"
ROUNDINGS = (QNN, GEMMLOWP, HALF_EVEN, INT16X8)


class ScaleError(QnnError):
    """A factor between two tensors is beyond what a requantization can express."""


@dataclass(frozen=True, eq=False)
class Requantization:
    """An accumulator becomes a result, per channel, by the rule called `rounding` (SPEC 3).

    QNN: q = clamp((floor(acc * 2**prescale * multiplier / 2**32) + constant) >> shift, low, high).
    multiplier: int32 (C,), below 2**31. shift: uint8 (C,), 1..22. prescale: uint8 (C,), 0 wherever the factor is
    below 1/4. zero_point: int32 (C,) or (1,), added to the result; low, high: the clamp's bounds.
    GEMMLOWP, of imported models, rounds twice: acc * 2**prescale * multiplier / 2**31 half up, then that / 2**shift
    half away from zero; shift 0..31. HALF_EVEN, of imported models too, is QNN but for halves, which become even.
    INT16X8, of imported models with 16-bit activations, takes sums below 2**47: (acc * multiplier + 2**(shift - 1)) >>
    shift, with multipliers of 15 bits, shifts 8..46, no prescale and no zero point.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    prescale: np.ndarray
    zero_point: np.ndarray
    low: int
    high: int
    rounding: str = QNN

    @property
    def constant(self) -> np.ndarray:
        """int64 (C,): zero_point * 2**shift + 2**(shift - 1), the one added constant; of a shift by 0, zero_point."""
        shift = self.shift.astype(np.int64)
        return (self.zero_point.astype(np.int64) << shift) + ((np.int64(1) << shift) >> 1)

    @property
    def prescale_limit(self) -> np.ndarray:
        """int64 (C,): the accumulator is clamped to +-limit before it is shifted left, so that it stays in int32."""
        return np.int64(INT32_MAX) >> self.prescale.astype(np.int64)

    def apply(self, accumulator: np.ndarray) -> np.ndarray:
        """q, int64, for int32-valued accumulators (..., C) held in int64."""
        if self.rounding == GEMMLOWP:
            return self._rounded_twice(accumulator)
        if self.rounding == INT16X8:
            half = np.int64(1) << (self.shift.astype(np.int64) - 1)
            rounded = (accumulator * self.multiplier.astype(np.int64) + half) >> self.shift.astype(np.int64)
            return np.clip(rounded, self.low, self.high)
        shifted = np.clip(accumulator, -self.prescale_limit - (self.prescale == 0), self.prescale_limit)
        shifted = shifted << self.prescale.astype(np.int64)
        high_word = (shifted * self.multiplier.astype(np.int64)) >> 32
        rounded = (high_word + self.constant) >> self.shift.astype(np.int64)
        if self.rounding == HALF_EVEN:
            rounded = rounded - self._odd_halves(shifted, rounded)
        return np.clip(rounded, self.low, self.high)

    def _odd_halves(self, shifted: np.ndarray, rounded: np.ndarray) -> np.ndarray:
        """int64: 1 where the exact value lay between two results and the upper one, without zero point, is odd."""
        product, shift = shifted * self.multiplier.astype(np.int64), self.shift.astype(np.int64)
        half = (product & ((np.int64(1) << (32 + shift)) - 1)) == np.int64(1) << (31 + shift)
        return (half & ((rounded - self.zero_point) & 1 == 1)).astype(np.int64)

    def _rounded_twice(self, accumulator: np.ndarray) -> np.ndarray:
        shift = self.shift.astype(np.int64)
        product = (accumulator << self.prescale.astype(np.int64)) * self.multiplier.astype(np.int64)
        once = (product + (1 << 30)) >> 31
        away = ((once < 0) & (shift > 0)).astype(np.int64)
        twice = (once + ((np.int64(1) << shift) >> 1) - away) >> shift
        return np.clip(twice + self.zero_point, self.low, self.high)

    def channel(self, index: int) -> Requantization:
        """The Requantization of one channel alone."""
        one = slice(index, index + 1)
        zero_point = self.zero_point if len(self.zero_point) == 1 else self.zero_point[one]
        return replace(
            self,
            multiplier=self.multiplier[one],
            shift=self.shift[one],
            prescale=self.prescale[one],
            zero_point=zero_point,
        )

    def check(self, subject: str, channels: int, bound: tuple[int, int]) -> None:
        """Raises QnnError unless every field is in range and no intermediate can leave int32 (SPEC 3.4).

        bound: the smallest and largest accumulator that can occur.
        """
        self._check_arrays(subject, channels)
        if not INT32_MIN <= self.low <= self.high <= INT32_MAX:
            raise QnnError(subject, "its clamp bounds are not in order", "compile the model again")
        if self.rounding == GEMMLOWP:
            self._check_twice(subject, bound)
            return
        if self.rounding == INT16X8:
            self._check_long(subject, bound)
            return
        largest = max(-bound[0], bound[1])
        shifted = np.minimum(largest, self.prescale_limit) << self.prescale.astype(np.int64)
        if int(((shifted >> 1) + 1 + np.abs(self.constant)).max()) > INT32_MAX:
            raise QnnError(subject, "its requantization leaves int32", "compile the model again")
        # Where the limit can act, the result at the limit must saturate, else the limit would change it:
        # factor >= 2**(prescale - 3), so |acc * factor| >= (limit * 2**prescale) / 8.
        at_limit = ((self.prescale_limit << self.prescale.astype(np.int64)) >> 3) - 1
        acts = (self.prescale > 0) & (self.prescale_limit < largest)
        if np.any(acts & (at_limit < np.abs(self.zero_point.astype(np.int64)) + max(-self.low, self.high))):
            raise QnnError(subject, "its prescale does not provably saturate", "compile the model again")

    def _check_twice(self, subject: str, bound: tuple[int, int]) -> None:
        """What `check` says of a requantization that rounds twice (SPEC 3.6)."""
        largest = max(-bound[0], bound[1], 1) << self.prescale.astype(np.int64)
        once = ((largest * self.multiplier.astype(np.int64)) >> 31) + 1
        ends = self.apply(np.array(bound, np.int64)[:, None])
        stays = (ends == np.clip(self.zero_point, self.low, self.high)).all(axis=0)
        fits = once + 1 + np.abs(self.constant) <= INT32_MAX
        if int(largest.max()) > INT32_MAX or not np.all(np.where(self.still, stays, fits)):
            raise QnnError(subject, "its requantization leaves int32", "compile the model again")

    def _check_long(self, subject: str, bound: tuple[int, int]) -> None:
        """What `check` says of INT16X8: the product fits int64, and the result int32 before it is clamped."""
        largest = max(-bound[0], bound[1])
        ends = replace(self, low=INT32_MIN - 1, high=INT32_MAX + 1).apply(np.array(bound, np.int64)[:, None])
        fits = largest < 1 << LONG_BITS and ends.min() >= INT32_MIN and ends.max() <= INT32_MAX
        if not fits or np.any(self.zero_point != 0):
            raise QnnError(subject, "its requantization leaves int32", "compile the model again")
        if largest <= INT32_MAX:
            self.once().check(subject, len(self.multiplier), bound)

    def once(self) -> Requantization:
        """INT16X8 as QNN, which gives the same for every accumulator of int32: the factors are the same (SPEC 3.9)."""
        shift, spare = self.shift.astype(np.int64), np.maximum(self.shift.astype(np.int64) - 16 - MAX_SHIFT, 0)
        return replace(
            self,
            multiplier=(self.multiplier.astype(np.int64) << (16 - spare)).astype(np.int32),
            shift=np.clip(shift - 16, 1, MAX_SHIFT).astype(np.uint8),
            prescale=np.maximum(17 - shift, 0).astype(np.uint8),
            rounding=QNN,
        )

    @property
    def still(self) -> np.ndarray:
        """bool (C,): GEMMLOWP's channels of a shift so large that the result must be the zero point (SPEC 3.6)."""
        return np.abs(self.constant) > np.int64(1) << CONSTANT_BITS

    def _check_arrays(self, subject: str, channels: int) -> None:
        fields = (("multiplier", np.int32), ("shift", np.uint8), ("prescale", np.uint8), ("zero_point", np.int32))
        for name, dtype in fields:
            array: np.ndarray = getattr(self, name)
            if array.dtype != dtype or array.shape not in ((channels,), (1,)):
                raise QnnError(subject, f"its {name} has type {array.dtype} {array.shape}", "compile the model again")
        least, most = (0, MAX_TWICE_SHIFT) if self.rounding == GEMMLOWP else (1, MAX_SHIFT)
        if self.rounding == INT16X8:
            least, most = LEAST_LONG_SHIFT, MOST_LONG_SHIFT
        short = self.rounding != INT16X8 or int(self.multiplier.max()) >> LONG_MULTIPLIER_BITS == 0
        inside = (
            self.rounding in ROUNDINGS
            and short
            and (self.multiplier.min() >= 0)
            and (self.shift.min() >= least)
            and (self.shift.max() <= most)
            and (self.prescale.max() <= MAX_PRESCALE)
            and not np.any((self.prescale > 0) & ((self.shift != least) | (self.multiplier < least << 30)))
        )
        if not inside:
            raise QnnError(subject, "its requantization is out of range", "compile the model again")


def has_halves(requantization: Requantization, low: np.ndarray, high: np.ndarray) -> bool:
    """Can an accumulator within low..high (int64 (C,)) lie just between two results, so that HALF_EVEN is not QNN?

    A product with the multiplier, a number odd * 2**n, is an odd multiple of 2**(31 + shift) only if the accumulator is
    a multiple of 2**(31 + shift - prescale - n).
    """
    multiplier = requantization.multiplier.astype(np.int64)
    n = np.log2(np.maximum(multiplier & -multiplier, 1)).astype(np.int64)  # exact: powers of two
    least = 31 + requantization.shift.astype(np.int64) - requantization.prescale.astype(np.int64) - n
    largest = np.maximum(np.maximum(-low, high), 0)
    return bool(np.any((multiplier > 0) & (largest >= np.int64(1) << np.clip(least, 0, 62))))


def encode_scale(factor: float, most_shift: int = MAX_SHIFT) -> tuple[int, int, int]:
    """(multiplier, shift, prescale) with factor = multiplier * 2**(prescale - shift - 32), rounded half up (SPEC 3.2).

    most_shift: where the shift stops and the multiplier has fewer bits instead.
    Raises QnnError if the factor is not a positive number below 2**27.
    """
    if not 0 < factor < 1 << 27:
        raise ScaleError("scale", f"the factor {factor!r} cannot be encoded", "check the ranges in the scales file")
    exact = Fraction(factor)
    exponent = 0  # of the left shift that brings the factor into [1/8, 1/4), so that the multiplier has 31 bits
    while exact >= Fraction(1, 4):
        exact, exponent = exact / 2, exponent - 1
    while exact < Fraction(1, 8) and exponent < most_shift - 1:
        exact, exponent = exact * 2, exponent + 1
    multiplier = _round_half_up(exact * (1 << 33))
    if multiplier == 1 << MULTIPLIER_BITS:
        multiplier, exponent = 1 << 30, exponent - 1
    return (multiplier, 1 + exponent, 0) if exponent >= 0 else (multiplier, 1, -exponent)


def requantization(factors: np.ndarray, zero_point: int | np.ndarray, low: int, high: int) -> Requantization:
    """The Requantization of float64 factors (C,): q = round_half_up(acc * factor) + zero_point, clamped.

    Where a zero point is so large that its constant would not fit int32, the shift is smaller (SPEC 3.2).
    """
    zeros = np.broadcast_to(np.abs(np.asarray(zero_point, np.int64)), (len(factors),))
    most = [max(1, min(MAX_SHIFT, CONSTANT_BITS - int(zero).bit_length())) for zero in zeros]
    encoded = [encode_scale(float(factor), shift) for factor, shift in zip(factors, most, strict=True)]
    return Requantization(
        multiplier=np.array([m for m, _, _ in encoded], dtype=np.int32),
        shift=np.array([k for _, k, _ in encoded], dtype=np.uint8),
        prescale=np.array([p for _, _, p in encoded], dtype=np.uint8),
        zero_point=np.atleast_1d(np.asarray(zero_point, dtype=np.int32)),
        low=low,
        high=high,
    )


def _round_half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)
