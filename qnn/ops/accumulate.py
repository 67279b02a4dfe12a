# SPDX-License-Identifier: MIT
"""Sums of products: the proof that they fit, and their exact computation by BLAS (SPEC 4.1)."""

from __future__ import annotations

import numpy as np

from qnn.fixedpoint import INT16X8, INT32_MAX, INT32_MIN, QNN, Requantization
from qnn.ops.op import TensorType, expect

FLOAT32_EXACT, FLOAT64_EXACT = 1 << 24, 1 << 53
MAX_ROUNDING_SHIFT = 31
WEIGHT_LIMITS = ((np.int8, 128), (np.int16, 32767))  # imported int8 weights use all of the type


def channel_bounds(weights: np.ndarray, bias: np.ndarray, x: TensorType) -> tuple[np.ndarray, np.ndarray]:
    """int64 (O,) each: bounds of every partial sum, in any order, of weights (O, ...) times values of type x."""
    rows = weights.astype(np.int64).reshape(len(weights), -1)
    ends = np.stack([rows * x.low, rows * x.high])
    low = bias + np.minimum(ends.min(axis=0), 0).sum(axis=1)
    high = bias + np.maximum(ends.max(axis=0), 0).sum(axis=1)
    return low, high


def check_sums(
    subject: str,
    weights: np.ndarray,
    bias: np.ndarray,
    rounding_shift: int,
    requantization: Requantization,
    x: TensorType,
) -> tuple[int, int]:
    """What weights (O, ...) and bias (O,) can come to on inputs of type x, after the rounding shift (SPEC 4.2).

    Raises QnnError unless their types, the shift and the sums fit.
    """
    check_weights(subject, weights, bias)
    expect(0 <= rounding_shift <= MAX_ROUNDING_SHIFT, subject, "its rounding shift is out of range")
    lows, highs = channel_bounds(weights, bias, x)
    if whole_sums(requantization) and rounding_shift:
        return int(lows.min()), int(highs.max())
    low, high = (int(narrowed(ends, rounding_shift)) for ends in (lows.min(), highs.max()))
    expect(low >= INT32_MIN and high <= INT32_MAX, subject, f"its accumulator reaches {low}..{high}")
    return low, high


def whole_sums(requantization: Requantization) -> bool:
    """Does the rule take sums of 64 bits as they are? A rounding shift then says no more than that they have 64."""
    return requantization.rounding == INT16X8


def finished(accumulator: np.ndarray, rounding_shift: int, requantization: Requantization) -> np.ndarray:
    """int64: the results of accumulators (..., O)."""
    if whole_sums(requantization):
        return requantization.apply(accumulator)
    return requantization.apply(narrowed(accumulator, rounding_shift))


def check_weights(subject: str, weights: np.ndarray, bias: np.ndarray) -> None:
    """Raises QnnError unless weights (O, ...) are int8 or int16 (without -32768) and bias is int64 (O,) below 2**61.

    |bias| < 2**61 and |weights @ x| < 2**54 (at most 2**24 products of 2**30) keep the int64 bounds from wrapping, and
    the sum of a rounding shift's half as well.
    """
    limit = next((most for dtype, most in WEIGHT_LIMITS if weights.dtype == dtype), 0)
    inside = limit > 0 and int(weights.min()) >= -limit
    expect(inside, subject, "its weights are not int8, nor int16 within -32767..32767")
    fits = bias.dtype == np.int64 and bias.shape == (len(weights),) and bool(np.all(np.abs(bias) < 1 << 61))
    expect(fits, subject, "its bias does not fit")


def check_rounding(subject: str, requantization: Requantization, rounding_shift: int) -> None:
    """Raises QnnError where sums of 64 bits would be rounded by another rule than this tool's."""
    fits = rounding_shift == 0 or requantization.rounding in (QNN, INT16X8)
    expect(fits, subject, "its 64-bit sums round twice")


def narrowed(accumulator: np.ndarray, rounding_shift: int) -> np.ndarray:
    """int64: the accumulator as it enters the requantization (SPEC 4.2)."""
    if rounding_shift == 0:
        return accumulator
    return (accumulator + (np.int64(1) << (rounding_shift - 1))) >> rounding_shift


def exact_product(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """int64 x @ matrix of integers x (M, K) and int8 or int16 matrix (K, O).

    By BLAS in float32 or float64 where every partial sum is an integer that the type holds, else in int64.
    """
    sums = np.abs(matrix.astype(np.int64)).sum(axis=0)
    largest = int(sums.max()) * max(int(x.max(initial=0)), -int(x.min(initial=0)), 1)
    if largest >= FLOAT64_EXACT:
        return x.astype(np.int64) @ matrix.astype(np.int64)
    dtype = np.float32 if largest < FLOAT32_EXACT else np.float64
    return (x.astype(dtype) @ matrix.astype(dtype)).astype(np.int64)
