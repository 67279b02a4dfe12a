# SPDX-License-Identifier: MIT
"""The fixed-point arithmetic of TensorFlow Lite Micro, written from its definition: multipliers, exp, logistic, tanh.

Sources: gemmlowp, doc/quantization and fixedpoint/fixedpoint.h (the functions of a Qm.n number); TensorFlow Lite's
quantization_util (how a real factor becomes a multiplier). Everything is in integers (int64 arrays) or float64.
"""

from __future__ import annotations

import math

import numpy as np

from qnn.errors import QnnError
from qnn.fixedpoint import GEMMLOWP, INT16X8, Requantization
from qnn.ops.gemmlowp import ONE, doubling_high, halved, one_over_one_plus, saturated, twice_over_one_plus

EXP_INTEGER_BITS = 5  # softmax and, behind a doubling, tanh: Q5.26
LOGISTIC_INTEGER_BITS = 4
BARREL = ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535), (3, 720401), (4, 242))


def quantized_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift): real = multiplier / 2**31 * 2**shift with a multiplier of 31 bits; (0, 0) where tiny."""
    if real == 0:
        return 0, 0
    part, shift = math.frexp(real)
    multiplier = math.floor(part * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = 1 << 30, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def gemmlowp(reals: np.ndarray, zero_point: int, low: int, high: int) -> Requantization:
    """The Requantization that rounds twice, of real factors (C,) below 2**30."""
    return gemmlowp_of([quantized_multiplier(float(real)) for real in reals], zero_point, low, high)


def gemmlowp_of(encoded: list[tuple[int, int]], zero_point: int, low: int, high: int) -> Requantization:
    """The same of multipliers and shifts."""
    shifts = np.array([shift for _, shift in encoded], np.int64)
    return Requantization(
        np.array([multiplier for multiplier, _ in encoded], np.int32),
        np.maximum(-shifts, 0).astype(np.uint8),
        np.maximum(shifts, 0).astype(np.uint8),
        np.array([zero_point], np.int32),
        low,
        high,
        GEMMLOWP,
    )


def int16x8(reals: np.ndarray, low: int, high: int) -> Requantization:
    """The Requantization of sums of 64 bits, of real factors (C,): the upper 15 bits of each multiplier."""
    encoded = [quantized_multiplier(float(real)) for real in reals]
    if any(not -31 <= shift < 8 for _, shift in encoded):
        raise QnnError("scale", "the factors cannot be encoded", "quantize the model again")
    largest = (1 << 15) - 1
    reduced = [largest if m >= largest << 16 else (m + (1 << 15)) >> 16 for m, _ in encoded]
    return Requantization(
        np.array(reduced, np.int32),
        np.array([15 - shift for _, shift in encoded], np.uint8),
        np.zeros(len(encoded), np.uint8),
        np.zeros(1, np.int32),
        low,
        high,
        INT16X8,
    )


def multiplied(x: np.ndarray, multiplier: int, shift: int) -> np.ndarray:
    """x * multiplier / 2**31 * 2**shift as the framework computes it, with two roundings."""
    once = doubling_high(x << max(shift, 0), multiplier)
    return halved(once, -shift) if shift < 0 else once


def input_radius(integer_bits: int, left_shift: int) -> int:
    """The largest |input| whose product stays below 2**integer_bits."""
    return math.floor(((1 << integer_bits) - 1) * 2.0 ** (31 - integer_bits) / 2.0**left_shift)


def exp_of_negative(raw: np.ndarray, integer_bits: int = EXP_INTEGER_BITS) -> np.ndarray:
    """exp(raw) in Q0.31 of raw Q numbers with `integer_bits`, raw <= 0."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    part = (raw & (quarter - 1)) - quarter
    result = _exp_of_last_quarter(saturated(part << integer_bits))
    rest = part - raw
    for exponent, factor in BARREL:
        if integer_bits > exponent:
            chosen = (rest & (1 << (fraction_bits + exponent))) != 0
            result = np.where(chosen, doubling_high(result, factor), result)
    return np.where(raw == 0, ONE, result)


def _exp_of_last_quarter(a: np.ndarray) -> np.ndarray:
    """exp(a) of Q0.31 in -1/4..0: a Taylor polynomial around -1/8."""
    x = a + (1 << 28)
    x2 = doubling_high(x, x)
    x3, x4 = doubling_high(x2, x), doubling_high(x2, x2)
    third = doubling_high(halved(x4, 2) + x3, 715827883)
    return 1895147668 + doubling_high(x + halved(third + x2, 1), 1895147668)


def logistic(raw: np.ndarray) -> np.ndarray:
    """The logistic function in Q0.31 of Q4.27."""
    positive = one_over_one_plus(exp_of_negative(-np.abs(raw), LOGISTIC_INTEGER_BITS))
    return np.where(raw == 0, 1 << 30, np.where(raw > 0, positive, ONE - positive))


def tanh(raw: np.ndarray) -> np.ndarray:
    """tanh in Q0.31 of Q4.27."""
    x = twice_over_one_plus(exp_of_negative(-np.abs(raw)))
    value = saturated((x - (1 << 29)) << 2)
    return np.where(raw == 0, 0, np.where(raw > 0, value, -value))
