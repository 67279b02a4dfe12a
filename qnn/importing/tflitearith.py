# SPDX-License-Identifier: MIT
"""Sums, products, means and softmax of TensorFlow Lite files as integer operators."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from qnn.fixedpoint import GEMMLOWP, INT32_MAX, INT32_MIN, Requantization
from qnn.importing.conversion import OFFSET, Conversion, Converted, Source, activation_type
from qnn.importing.fits import addition, staircases
from qnn.importing.tflitemoves import INDEX
from qnn.importing.tflitetables import INT8, scalar_table
from qnn.importing.tflm import exp_of_negative, gemmlowp_of, input_radius, multiplied, quantized_multiplier
from qnn.ops.add16 import Add16
from qnn.ops.average_pool import AveragePool
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.mul import Mul
from qnn.ops.op import TensorType
from qnn.ops.softmax8 import Softmax8
from qnn.ops.window import Window

ADD_SHIFT, WIDE_ADD_SHIFT = 20, 15  # bits that the framework shifts both summands left by
SOFTMAX_BITS = 5
LARGEST_WEIGHT = 32767


def add(at: Conversion) -> Converted:
    """ADD of two tensors of one shape, or of a tensor and a constant, one or one for each channel."""
    kind = at.result_type()
    if kind.dtype == "int16":
        return _wide_sum(at, kind)
    constant = _constant(at)
    tensors = at.tensor(0), at.tensor(1)
    scales = tuple(float(tensor.scales[0]) if len(tensor.scales) == 1 else 0.0 for tensor in tensors)
    zeros = tuple(int(tensor.zero_points[0]) if len(tensor.scales) == 1 else 0 for tensor in tensors)
    if min(scales) <= 0:
        raise at.refused("has an input without a scale", "quantize the whole model to int8")
    summed = _sums(scales, zeros, kind)
    if constant is not None:
        position, values = constant
        source, entries = at.source(1 - position), (summed if position == 0 else summed.T)[values + 128]
        if len(values) == 1:
            return scalar_table(at, source, entries[0] - OFFSET)
        stairs = staircases(entries, kind.zero_point, kind.low, kind.high)
        return _by_channel(at, source, stairs.weights, stairs.bias, stairs.requantization, kind)
    one, other = at.source(0), at.source(1)
    if one.type.elements != other.type.elements:
        raise at.refused("has inputs of different shapes", "repeat the smaller one before")
    steps = (scales[0] / kind.scale, scales[1] / kind.scale)
    unsigned = (zeros[0] + OFFSET, zeros[1] + OFFSET)
    op = addition(steps, unsigned, kind.zero_point, kind.low, kind.high, summed)
    return Converted((at.made(op, (one, other), kind),))


def _wide_sum(at: Conversion, kind: TensorType) -> Converted:
    """Of tensors of 16 bits: three roundings."""
    one, other = at.source(0), at.source(1)
    if one.type.elements != other.type.elements:
        raise at.refused("has inputs of different shapes", "repeat the smaller one before")
    twice = 2 * max(one.type.scale, other.type.scale)
    encoded = [quantized_multiplier(source.type.scale / twice) for source in (one, other)]
    scale = gemmlowp_of(encoded, 0, INT32_MIN, INT32_MAX)
    last = [quantized_multiplier(twice / ((1 << WIDE_ADD_SHIFT) * kind.scale))]
    op = Add16(scale, gemmlowp_of(last, 0, kind.low, kind.high))
    return Converted((at.made(op, (one, other), kind),))


def _sums(scales: tuple[float, ...], zeros: tuple[int, ...], kind: TensorType) -> np.ndarray:
    """int64 (256, 256): the uint8 result for each pair of int8 values, with the framework's three roundings."""
    twice = 2 * max(scales)
    scaled = [
        multiplied((INT8 - zero) << ADD_SHIFT, *quantized_multiplier(scale / twice))
        for scale, zero in zip(scales, zeros, strict=True)
    ]
    total = scaled[0][:, None] + scaled[1]
    result = multiplied(total, *quantized_multiplier(twice / ((1 << ADD_SHIFT) * kind.scale)))
    return np.clip(result + kind.zero_point, kind.low, kind.high)


def mul(at: Conversion) -> Converted:
    """MUL of two tensors, one of which may be a row of channels or one value, or of a tensor and such a constant."""
    kind, constant = at.result_type(), _constant(at)
    tensors = at.tensor(0), at.tensor(1)
    if any(len(tensor.scales) != 1 for tensor in tensors):
        raise at.refused("has an input without a scale", "quantize the whole model to int8")
    factor = float(tensors[0].scales[0]) * float(tensors[1].scales[0]) / kind.scale
    requantization = at.requantization(np.array([factor]), kind)
    if constant is not None:
        position, values = constant
        return _scaled(
            at, at.source(1 - position), values - int(tensors[position].zero_points[0]), requantization, kind
        )
    order = (0, 1) if tensors[0].elements >= tensors[1].elements else (1, 0)
    large, small = at.source(order[0]), at.source(order[1])
    if not _repeats(tensors[order[0]].shape, tensors[order[1]].shape):
        raise at.refused("has inputs of different shapes", "repeat the smaller one before")
    op = Mul(large.type.zero_point, small.type.zero_point, requantization)
    return Converted((at.made(op, (large, small), kind),))


def _scaled(
    at: Conversion, source: Source, factors: np.ndarray, requantization: Requantization, kind: TensorType
) -> Converted:
    """A tensor times constants without their zero point: one value makes a table, a row a filter for each."""
    if len(factors) == 1 and kind.dtype == "uint8":
        products = (INT8 + OFFSET - source.type.zero_point) * factors[0]
        return scalar_table(at, source, requantization.apply(products[:, None])[:, 0] - OFFSET)
    if factors.min() < -LARGEST_WEIGHT:
        raise at.refused(f"multiplies by {factors.min()}", "quantize the model again")
    weights = factors.astype(np.int8 if np.abs(2 * factors + 1).max() <= 255 else np.int16)
    return _by_channel(at, source, weights, -source.type.zero_point * factors, requantization, kind)


def _repeats(large: tuple[int, ...], small: tuple[int, ...]) -> bool:
    """Do the small tensor's values, over and over, lie beside the large one's?"""
    bare = small[next((i for i, size in enumerate(small) if size != 1), len(small)) :]
    return bare == large[len(large) - len(bare) :]


def _constant(at: Conversion) -> tuple[int, np.ndarray] | None:
    """(position, int64 values) of an operand that is a constant: one value, or a row that repeats; None without one."""
    for position in (0, 1):
        tensor, other = at.tensor(position), at.tensor(1 - position)
        if tensor.data is None:
            continue
        if len(tensor.scales) != 1 or tensor.dtype != other.dtype or not _repeats(other.shape, tensor.shape):
            raise at.refused(
                f"has the constant {tensor.name} of shape {tensor.shape}", "use one value, or one a channel"
            )
        return position, tensor.data.reshape(-1).astype(np.int64)
    return None


def _by_channel(
    at: Conversion, source: Source, weights: np.ndarray, bias: np.ndarray, constants: Requantization, kind: TensorType
) -> Converted:
    """A filter of one tap for each of the constants (C,), which repeat along the source."""
    count = len(weights)
    rows = source.type.elements // count
    window = Window(rows, 1, count, 1, 1, 1, 1, 0, 0, rows, 1)
    op = DepthwiseConv2d(window, 1, weights[:, None, None], bias, source.type.zero_point, constants)
    return Converted((at.made(op, (source,), kind),))


def mean(at: Conversion) -> Converted:
    """MEAN over neighbouring axes."""
    source, x = at.source(0), at.tensor(0)
    kind = activation_type(at.output, at)
    axes = sorted({int(axis) + (len(x.shape) if axis < 0 else 0) for axis in at.constant(1, INDEX).reshape(-1)})
    if not axes or axes != list(range(axes[0], axes[-1] + 1)) or axes[0] < 0 or axes[-1] >= len(x.shape):
        raise at.refused(f"averages over the axes {axes}", "average over neighbouring axes")
    rows, count = math.prod(x.shape[: axes[0]]), math.prod(x.shape[axes[0] : axes[-1] + 1])
    window = Window(rows, count, math.prod(x.shape[axes[-1] + 1 :]), 1, count, 1, count, 0, 0, rows, 1)
    multiplier, shift = quantized_multiplier(float(x.scales[0]) / kind.scale)
    more = min(count.bit_length() - 1, 32, 31 + shift)
    factor = ((multiplier << more) // count, shift - more)
    requantization = gemmlowp_of([factor], kind.zero_point, kind.low, kind.high)
    if at.rounding != GEMMLOWP:
        requantization = at.requantization(np.array([float(x.scales[0]) / kind.scale / count]), kind)
    op = AveragePool(window, source.type.zero_point, requantization)
    return Converted((at.made(op, (source,), kind),))


def softmax(at: Conversion) -> Converted:
    """SOFTMAX over the last axis: the output's scale is 1/256, its zero point -128."""
    source, x, kind = at.source(0), at.tensor(0), activation_type(at.output, at)
    if kind.scale != 1 / 256 or kind.zero_point != 0 or not x.shape:
        raise at.refused(f"has an output of scale {kind.scale}", "its scale is 1/256 by definition")
    beta = float(np.float32(at.option("Beta", 1.0)))
    factor = min(beta * float(x.scales[0]) * (1 << (31 - SOFTMAX_BITS)), float((1 << 31) - 1))
    if not factor > 1:
        raise at.refused(f"has an input of scale {x.scales[0]}", "quantize the model again")
    multiplier, shift = quantized_multiplier(factor)
    depth = min(input_radius(SOFTMAX_BITS, shift), 255)
    below = -np.arange(depth + 1, dtype=np.int64)
    exponentials = exp_of_negative(multiplied(below, multiplier, shift)).astype(np.int32)
    op = Softmax8(x.shape[-1], exponentials, 0)
    typed = replace(kind, low=0, high=255)
    return Converted((at.made(op, (source,), typed),))
