# SPDX-License-Identifier: MIT
"""Convolutions, fully connected layers and pools of TensorFlow Lite files as integer operators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.fixedpoint import Requantization, requantization
from qnn.importing.conversion import Conversion, Converted, Source, offset_of
from qnn.importing.fits import averaging
from qnn.ops.accumulate import channel_bounds
from qnn.ops.average_pool import AveragePool
from qnn.ops.conv2d import Conv2d
from qnn.ops.dense import Dense
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.max_pool import MaxPool
from qnn.ops.op import MAX_ELEMENTS, Op, TensorType
from qnn.ops.retype import Retype
from qnn.ops.table import Table
from qnn.ops.window import Window, too_many_counts
from qnn.weights import rounding_shift

SAME, VALID = 0, 1


def conv_2d(at: Conversion) -> Converted:
    """CONV_2D: weights (O, KH, KW, C) of int8, a scale per filter."""
    source, kind = at.source(0), at.result_type()
    weights = _dilated(at, at.constant(1, ("int8",)), 1)
    if weights.ndim != 4 or weights.shape[3] != _map(at).shape[3]:
        raise at.refused(
            "has groups, or filters of another depth than its input", "use groups of 1, or as many as channels"
        )
    window = _window(at, weights.shape[1:3])
    sums = _sums(at, weights, source, kind, 0)
    op = Conv2d(window, weights, sums.bias, source.type.zero_point, sums.constants, sums.shift)
    return Converted((at.made(op, (source,), kind),))


def depthwise_conv_2d(at: Conversion) -> Converted:
    """DEPTHWISE_CONV_2D: weights (1, KH, KW, C * multiplier) of int8, a scale per filter."""
    source, kind = at.source(0), at.result_type()
    stored = at.constant(1, ("int8",))
    channels = _map(at).shape[3]
    if stored.ndim != 4 or stored.shape[0] != 1 or stored.shape[3] % channels:
        raise at.refused(f"has weights of shape {stored.shape}", "export the model again")
    weights = np.ascontiguousarray(_dilated(at, stored, 1)[0].transpose(2, 0, 1))
    window, zero = _window(at, weights.shape[1:]), source.type.zero_point
    sums = _sums(at, weights, source, kind, 3)
    op = DepthwiseConv2d(window, len(weights) // channels, weights, sums.bias, zero, sums.constants, sums.shift)
    return Converted((at.made(op, (source,), kind),))


def fully_connected(at: Conversion) -> Converted:
    """FULLY_CONNECTED: weights (O, I) of int8; an input of several rows becomes a 1x1 convolution over them."""
    source, kind = at.source(0), at.result_type()
    weights = at.constant(1, ("int8",))
    if weights.ndim != 2 or source.type.elements % max(weights.shape[1], 1):
        raise at.refused(f"has weights of shape {weights.shape}", "export the model again")
    if at.option("WeightsFormat", 0) != 0:
        raise at.refused("has shuffled weights", "export the model again")
    sums = _sums(at, weights, source, kind, 0)
    rows = source.type.elements // weights.shape[1]
    if rows == 1:
        return Converted((at.made(Dense(weights, sums.bias, sums.shift, sums.constants), (source,), kind),))
    window = Window(rows, 1, weights.shape[1], 1, 1, 1, 1, 0, 0, rows, 1)
    zero = source.type.zero_point
    op = Conv2d(window, weights[:, None, None], sums.bias, zero, sums.constants, sums.shift)
    return Converted((at.made(op, (source,), kind),))


def average_pool_2d(at: Conversion) -> Converted:
    """AVERAGE_POOL_2D: the mean of the int8 values, rounded half away from zero; input and output share a scale."""
    source, kind = at.source(0), at.result_type()
    window = _window(at, (at.option("FilterHeight", 1), at.option("FilterWidth", 1)))
    if too_many_counts(window):
        raise at.refused("has a window that is too large to pad", "use smaller windows")
    counts = range(1, window.taps + 1) if window.pads else (window.taps,)
    offset = offset_of(at.output)
    entries = [averaging(count, offset, kind) for count in counts]
    constants = Requantization(
        np.concatenate([entry.multiplier for entry in entries]),
        np.concatenate([entry.shift for entry in entries]),
        np.concatenate([entry.prescale for entry in entries]),
        np.array([offset], np.int32),
        kind.low,
        kind.high,
    )
    return Converted((at.made(AveragePool(window, offset, constants), (source,), kind),))


def max_pool_2d(at: Conversion) -> Converted:
    """MAX_POOL_2D, and a table for its clamp where it has one."""
    source, kind = at.source(0), at.result_type()
    window = _window(at, (at.option("FilterHeight", 1), at.option("FilterWidth", 1)))
    pool = at.made(MaxPool(window), (source,), source.type)
    if kind.low <= source.type.low and source.type.high <= kind.high:
        return Converted((pool,))
    clamp: Op = Table(np.clip(np.arange(256), kind.low, kind.high).astype(np.int16))
    if kind.dtype == "int16":
        clamp = Retype(0, requantization(np.array([1.0]), 0, kind.low, kind.high))
    return Converted((pool, at.made(clamp, (Source(pool.name, pool.type),), kind, "_clamp")))


def _map(at: Conversion) -> TensorType:
    """The stored shape of the first input, a map (1, H, W, C)."""
    tensor = at.tensor(0)
    if len(tensor.shape) != 4 or tensor.shape[0] != 1:
        raise at.refused(f"reads a tensor of shape {tensor.shape}", "export the model for a batch of 1")
    return TensorType(tensor.shape, "uint8", 0, 255)


def _window(at: Conversion, kernel: tuple[int, ...]) -> Window:
    """The geometry: padding as the framework distributes it, the output as large as the file says."""
    _, height, width, channels = _map(at).shape
    strides = (int(at.option("StrideH", 1)), int(at.option("StrideW", 1)))
    padding, axes = at.option("Padding", SAME), []
    for size, taps, stride in zip((height, width), kernel, strides, strict=True):
        if not (1 <= taps <= MAX_ELEMENTS and 1 <= stride <= MAX_ELEMENTS):
            raise at.refused("has an impossible kernel or stride", "export the model again")
        out = -(-size // stride) if padding == SAME else (size - taps) // stride + 1
        before = max((out - 1) * stride + taps - size, 0) // 2 if padding == SAME else 0
        axes.append((before, out))
    (top, out_height), (left, out_width) = axes
    if at.output.shape[:3] != (1, out_height, out_width):
        raise at.refused(f"has an output of shape {at.output.shape}", "export the model again")
    return Window(height, width, channels, int(kernel[0]), int(kernel[1]), *strides, top, left, out_height, out_width)


def _dilated(at: Conversion, weights: np.ndarray, axis: int) -> np.ndarray:
    """The weights with zeros between their taps where the kernel is dilated."""
    factors = int(at.option("DilationHFactor", 1)), int(at.option("DilationWFactor", 1))
    if weights.ndim != 4 or not all(1 <= factor <= 64 for factor in factors):
        raise at.refused("has an impossible kernel", "export the model again")
    shape = list(weights.shape)
    for i, factor in enumerate(factors):
        shape[axis + i] = (weights.shape[axis + i] - 1) * factor + 1
    if np.prod(shape) > MAX_ELEMENTS or max(shape[axis : axis + 2]) > 64:
        raise at.refused("has a kernel of more than 64 rows or columns", "dilate it less")
    spread = np.zeros(shape, np.int8)
    spread[:, :: factors[0], :: factors[1]] = weights
    return spread


def _factors(at: Conversion, filters: int, axis: int) -> np.ndarray:
    """float64 (O,): input scale * weight scale / output scale, in float64 of the float32 scales."""
    weights = at.tensor(1)
    if len(weights.scales) not in (1, filters) or np.any(weights.zero_points != 0):
        raise at.refused("has weights whose zero point is not 0, or too few scales", "quantize the model again")
    if len(weights.scales) > 1 and weights.axis != axis:
        raise at.refused("has scales along another axis than its filters", "quantize the model again")
    scales = np.broadcast_to(weights.scales.astype(np.float64), (filters,))
    return float(at.tensor(0).scales[0]) * scales / float(at.output.scales[0])


@dataclass(frozen=True, eq=False)
class Sums:
    """What follows the products: int64 bias (O,), the shift that says that sums have 64 bits, the requantization."""

    bias: np.ndarray
    shift: int
    constants: Requantization


def _sums(at: Conversion, weights: np.ndarray, source: Source, kind: TensorType, axis: int) -> Sums:
    """Of weights (O, ...) whose scales lie along `axis`: in 64 bits where the framework has them so."""
    long = source.type.dtype == "int16" and (not at.has(2) or at.tensor(2).dtype == "int64")
    bias = _bias(at, weights, source, "int64" if long else "int32")
    low, high = channel_bounds(weights, bias, source.type)
    shift = rounding_shift(int(low.min()), int(high.max()))
    if shift and not long:
        raise at.refused("has sums that leave 32 bits", "use smaller layers, or a bias of 64 bits")
    return Sums(bias, shift, at.requantization(_factors(at, len(weights), axis), kind, long))


def _bias(at: Conversion, weights: np.ndarray, source: Source, dtype: str) -> np.ndarray:
    """int64 (O,): the stored bias, less the input's zero point times the weights of each filter."""
    stored = at.constant(2, (dtype,)).astype(np.int64).reshape(-1) if at.has(2) else np.zeros(len(weights), np.int64)
    if stored.shape != (len(weights),):
        raise at.refused("has a bias of another size than its filters", "export the model again")
    return stored - source.type.zero_point * weights.astype(np.int64).reshape(len(weights), -1).sum(axis=1)
