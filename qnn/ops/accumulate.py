# SPDX-License-Identifier: MIT
"""Sums of products: the proof that they fit, and their exact computation by BLAS (SPEC 4.1)."""

from __future__ import annotations

import numpy as np

from qnn.fixedpoint import INT32_MAX, INT32_MIN
from qnn.ops.op import TensorType, expect

FLOAT32_EXACT, FLOAT64_EXACT = 1 << 24, 1 << 53


def channel_bounds(weights: np.ndarray, bias: np.ndarray, x: TensorType) -> tuple[np.ndarray, np.ndarray]:
    """int64 (O,) each: bounds of every partial sum, in any order, of weights (O, ...) times values of type x."""
    rows = weights.astype(np.int64).reshape(len(weights), -1)
    ends = np.stack([rows * x.low, rows * x.high])
    low = bias + np.minimum(ends.min(axis=0), 0).sum(axis=1)
    high = bias + np.maximum(ends.max(axis=0), 0).sum(axis=1)
    return low, high


def check_accumulator(subject: str, weights: np.ndarray, bias: np.ndarray, x: TensorType) -> None:
    """Raises QnnError unless weights (O, ...) and bias (O,) are int8 and int64 and their sums fit int32."""
    check_weights(subject, weights, bias)
    lows, highs = channel_bounds(weights, bias, x)
    low, high = int(lows.min()), int(highs.max())
    expect(low >= INT32_MIN and high <= INT32_MAX, subject, f"its accumulator reaches {low}..{high}")


def check_weights(subject: str, weights: np.ndarray, bias: np.ndarray) -> None:
    """Raises QnnError unless weights (O, ...) are int8 within -127..127 and bias is int64 (O,) below 2**62.

    |bias| < 2**62 and |weights @ x| < 2**39 keep the int64 bounds themselves from wrapping.
    """
    expect(weights.dtype == np.int8 and int(weights.min()) >= -127, subject, "a weight is not within -127..127")
    fits = bias.dtype == np.int64 and bias.shape == (len(weights),) and bool(np.all(np.abs(bias) < 1 << 62))
    expect(fits, subject, "its bias does not fit")


def exact_product(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """int64 x @ matrix of integers x (M, K) and int8 matrix (K, O).

    By BLAS in float32 or float64 where every partial sum is an integer that the type holds, else in int64.
    """
    sums = np.abs(matrix.astype(np.int64)).sum(axis=0)
    largest = int(sums.max()) * max(int(x.max(initial=0)), -int(x.min(initial=0)), 1)
    if largest >= FLOAT64_EXACT:
        return x.astype(np.int64) @ matrix.astype(np.int64)
    dtype = np.float32 if largest < FLOAT32_EXACT else np.float64
    return (x.astype(dtype) @ matrix.astype(dtype)).astype(np.int64)
