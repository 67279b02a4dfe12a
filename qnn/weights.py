# SPDX-License-Identifier: MIT
"""Weights and biases become integers: one symmetric scale per output channel, the accumulator proven (SPEC 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.errors import QnnError
from qnn.fixedpoint import INT32_MAX, INT32_MIN, Requantization, requantization
from qnn.lowering import float32
from qnn.ops.accumulate import channel_bounds
from qnn.ops.op import TensorType
from qnn.precision import EIGHT_BITS, MSE, NARROW_BELOW, Precision, weight_limits

FRACTIONS = np.linspace(1.0, 0.2, 81)  # of the largest weight: what clipping tries
BIAS_BITS = 29  # a bias is kept below 2**29 steps, so that it leaves the accumulator room
WIDE_BIAS_BITS = 45  # the same where weights and inputs have 16 bits: their sums hardly ever fit int32


@dataclass(frozen=True, eq=False)
class QuantizedWeights:
    """int8 or int16 weights (O, ...), int64 bias (O,) with the input's zero point folded in, and what follows the sum.

    rounding_shift: 0 where the accumulator provably fits int32 (SPEC 4.2).
    """

    weights: np.ndarray
    bias: np.ndarray
    rounding_shift: int
    requantization: Requantization

    @property
    def constants(self) -> tuple[Requantization, int]:
        """What a convolution needs after its sums."""
        return self.requantization, self.rounding_shift


def clipped_scales(rows: np.ndarray, bits: int) -> np.ndarray:
    """float64 (O,): of the FRACTIONS of the step of the largest weight in float64 rows (O, K), the one with the least
    squared error after rounding and clipping to `bits`; the larger of equal ones."""
    low, high = weight_limits(bits)
    largest = np.abs(rows).max(axis=1) / high
    whole = np.where(largest > 0, largest, 1.0)
    best, least = largest, np.full(len(rows), np.inf)
    for fraction in FRACTIONS:
        column = (whole * fraction)[:, None]
        rounded = np.clip(np.floor(rows / column + 0.5), low, high) * column
        error = np.square(rows - rounded).sum(axis=1)
        best, least = np.where(error < least, largest * fraction, best), np.minimum(error, least)
    return best


def channel_scales(weights: np.ndarray, bias: np.ndarray, x: TensorType, y: TensorType, how: Precision) -> np.ndarray:
    """float64 (O,), each a float32 value: the weight step of every output channel of float64 weights (O, ...).

    Those that were learned, if there are any. Else from 8 bits on the largest weight takes the largest number of steps,
    and all weights of 8 bits, 0 included, lie within `span` steps; below, large weights are clipped
    (`clipped_scales`), unless `clipping` is UNCLIPPED: then the largest takes the largest number there too. A step is
    never so small that the bias would need more than BIAS_BITS bits. A channel without weights and bias takes the step
    that makes its factor 1/8. Raises QnnError for learned steps of another number.
    """
    if how.steps:
        if len(how.steps) != len(weights):
            raise QnnError("weights", f"have {len(how.steps)} learned steps for {len(weights)} outputs", "train again")
        return np.array(how.steps, np.float64)
    rows = weights.reshape(len(weights), -1)
    if how.bits < NARROW_BELOW and how.clipping == MSE:
        scales = clipped_scales(rows, how.bits)
    else:
        scales = np.abs(rows).max(axis=1) / weight_limits(how.bits)[1]
    if how.bits == NARROW_BELOW:
        spread = np.maximum(rows.max(axis=1), 0) - np.minimum(rows.min(axis=1), 0)
        scales = np.maximum(scales, spread / how.span)
    bias_bits = WIDE_BIAS_BITS if how.bits == 16 and x.dtype == "int16" else BIAS_BITS
    scales = np.maximum(scales, np.abs(bias) / (x.scale * 2.0**bias_bits))
    rounded = np.array([float32(scale) for scale in scales])
    return np.where(rounded > 0, rounded, float32(y.scale / (8 * x.scale)))


def quantize_weights(
    weights: np.ndarray, bias: np.ndarray, x: TensorType, y: TensorType, how: Precision = EIGHT_BITS
) -> QuantizedWeights:
    """The integers of float64 weights (O, ...) and bias (O,), from a tensor of type x to one of type y.

    Every sum is over all weights of an output channel, so padded taps must read the input's zero point.
    """
    scales, (low, high) = channel_scales(weights, bias, x, y, how), weight_limits(how.bits)
    column = scales.reshape(-1, *(1,) * (weights.ndim - 1))
    rounded = np.clip(np.floor(weights / column + 0.5), low, high).astype(np.int8 if how.bits <= 8 else np.int16)
    steps = np.floor(bias / (x.scale * scales) + 0.5).astype(np.int64)
    folded = steps - x.zero_point * rounded.astype(np.int64).reshape(len(rounded), -1).sum(axis=1)
    lows, highs = channel_bounds(rounded, folded, x)
    shift = rounding_shift(int(lows.min()), int(highs.max()))
    factors = x.scale * scales / y.scale * 2.0**shift
    return QuantizedWeights(rounded, folded, shift, requantization(factors, y.zero_point, y.low, y.high))


def rounding_shift(low: int, high: int) -> int:
    """The smallest right shift with rounding that brings low..high into int32; 0 where they fit (SPEC 4.2)."""
    shift = 0
    while not (INT32_MIN <= _rounded(low, shift) and _rounded(high, shift) <= INT32_MAX):
        shift += 1
    return shift


def _rounded(value: int, shift: int) -> int:
    return (value + (1 << (shift - 1))) >> shift if shift else value
