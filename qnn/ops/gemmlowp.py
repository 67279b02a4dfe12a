# SPDX-License-Identifier: MIT
"""The fixed-point steps of gemmlowp that operators of imported models are defined by, on int64 arrays (SPEC 3.6, 5.18).

Source: gemmlowp, fixedpoint/fixedpoint.h. Numbers are raw Qm.n values within int32.
"""

from __future__ import annotations

import numpy as np

from qnn.fixedpoint import INT32_MAX, INT32_MIN

ONE = INT32_MAX  # 1 as Q0.31


def doubling_high(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """a * b / 2**31, rounded half up."""
    return (a * np.int64(b) + (1 << 30)) >> 31 if isinstance(b, int) else (a * b + (1 << 30)) >> 31


def halved(x: np.ndarray, bits: int | np.ndarray) -> np.ndarray:
    """x / 2**bits, bits >= 1, rounded half away from zero."""
    half = np.int64(1) << (np.asarray(bits, np.int64) - 1)
    return (x + half + (x >> 63)) >> bits


def saturated(x: np.ndarray) -> np.ndarray:
    """x within int32."""
    return np.clip(x, INT32_MIN, INT32_MAX)


def twice_over_one_plus(a: np.ndarray) -> np.ndarray:
    """2 / (1 + a) in Q2.29 of Q0.31 in 0..1: three Newton steps."""
    half = (a + ONE + 1) >> 1
    x = 1515870810 + doubling_high(half, -1010580540)
    for _ in range(3):
        rest = (1 << 29) - doubling_high(half, x)
        x = x + saturated(doubling_high(x, rest) << 2)
    return x


def one_over_one_plus(a: np.ndarray) -> np.ndarray:
    """1 / (1 + a) in Q0.31 of Q0.31 in 0..1."""
    return saturated(twice_over_one_plus(a) << 1)
