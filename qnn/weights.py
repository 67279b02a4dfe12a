# SPDX-License-Identifier: MIT
"""Weights and biases become integers: one symmetric scale per output channel, the accumulator proven (SPEC 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.fixedpoint import INT32_MAX, INT32_MIN, Requantization, requantization
from qnn.lowering import float32
from qnn.ops.accumulate import channel_bounds
from qnn.ops.op import TensorType

WEIGHT_MAX = ((8, 127), (16, 32767))  # by the weights' bits: symmetric
FULL_SPAN = 2 * 127
HEADROOM_SPAN = 127  # rounding both ends makes it 128 at most: two weights above the lowest stay within 257
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


def channel_scales(
    weights: np.ndarray, bias: np.ndarray, x: TensorType, y: TensorType, span: int, bits: int
) -> np.ndarray:
    """float64 (O,), each a float32 value: the weight step of every output channel of float64 weights (O, ...).

    The largest weight takes WEIGHT_MAX steps at most, and all weights of 8 bits, 0 included, lie within `span` steps;
    and a step is never so small that the bias would need more than BIAS_BITS bits. A channel without weights and bias
    takes the step that makes its factor 1/8.
    """
    rows = weights.reshape(len(weights), -1)
    spread = np.maximum(rows.max(axis=1), 0) - np.minimum(rows.min(axis=1), 0)
    scales = np.abs(rows).max(axis=1) / dict(WEIGHT_MAX)[bits]
    if bits == 8:
        scales = np.maximum(scales, spread / span)
    bias_bits = WIDE_BIAS_BITS if bits == 16 and x.dtype == "int16" else BIAS_BITS
    scales = np.maximum(scales, np.abs(bias) / (x.scale * 2.0**bias_bits))
    rounded = np.array([float32(scale) for scale in scales])
    return np.where(rounded > 0, rounded, float32(y.scale / (8 * x.scale)))


def quantize_weights(
    weights: np.ndarray, bias: np.ndarray, x: TensorType, y: TensorType, span: int = FULL_SPAN, bits: int = 8
) -> QuantizedWeights:
    """The integers of float64 weights (O, ...) and bias (O,), from a tensor of type x to one of type y.

    span: the steps between a channel's lowest and highest weight of 8 bits; HEADROOM_SPAN lets the fast kernels
    multiply two weights at once (SPEC 4.6). bits: of the weights, 8 or 16.

    Every sum is over all weights of an output channel, so padded taps must read the input's zero point.
    """
    scales, most = channel_scales(weights, bias, x, y, span, bits), dict(WEIGHT_MAX)[bits]
    column = scales.reshape(-1, *(1,) * (weights.ndim - 1))
    rounded = np.clip(np.floor(weights / column + 0.5), -most, most).astype(np.int8 if bits == 8 else np.int16)
    steps = np.floor(bias / (x.scale * scales) + 0.5).astype(np.int64)
    folded = steps - x.zero_point * rounded.astype(np.int64).reshape(len(rounded), -1).sum(axis=1)
    low, high = channel_bounds(rounded, folded, x)
    shift = rounding_shift(int(low.min()), int(high.max()))
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
