# SPDX-License-Identifier: MIT
"""Quantized convolutions, matrix products and pools of ONNX files as integer operators."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qnn.fixedpoint import QNN, Requantization
from qnn.importing.layout import Stored, flat_order
from qnn.importing.onnxinteger import IntegerConversion
from qnn.importing.onnxlayers import dilated, pooled_axes, pooling
from qnn.importing.onnxscales import QuantizedConstant
from qnn.ops.accumulate import channel_bounds
from qnn.ops.average_pool import AveragePool
from qnn.ops.conv2d import Conv2d
from qnn.ops.dense import Dense
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.max_pool import MaxPool
from qnn.ops.op import TensorType
from qnn.ops.window import Window, too_many_counts
from qnn.weights import rounding_shift

LARGEST = (1 << 15) - 1


@dataclass(frozen=True, eq=False)
class Filters:
    """What operators with weights share: int8 or int16 weights (O, ...), int64 bias (O,), the type of the result."""

    weights: np.ndarray
    bias: np.ndarray
    shift: int
    constants: Requantization
    kind: TensorType


def conv(at: IntegerConversion) -> Stored:
    """Conv with one group, or one group a channel."""
    source, constant = at.map(), at.weights(1)
    spatial = len(source.stored) - 1
    if constant.values.ndim != spatial + 2:
        raise at.refused(f"has weights of shape {constant.values.shape}", "use maps of one or two dimensions")
    centred = dilated(at, constant.centred, at.numbers("dilations", spatial, 1))
    kernel, strides = centred.shape[2:], at.numbers("strides", spatial, 1)
    taps = centred.reshape(*centred.shape[:2], 1, *kernel) if spatial == 1 else centred
    source, window = _window(at, source, kernel, strides)
    group, channels = int(at.node.attribute("group", 1)), source.shape[-1]
    if group == 1 and taps.shape[1] == channels:
        made = _filters(at, source, taps.transpose(0, 2, 3, 1), _scales(at, constant, 0, len(taps)))
        op: Conv2d | DepthwiseConv2d = Conv2d(
            window, made.weights, made.bias, at.kind(source).zero_point, made.constants, made.shift
        )
    elif group == channels and taps.shape[1] == 1 and len(taps) % channels == 0:
        made = _filters(at, source, taps[:, 0], _scales(at, constant, 0, len(taps)))
        each, zero = len(taps) // channels, at.kind(source).zero_point
        op = DepthwiseConv2d(window, each, made.weights, made.bias, zero, made.constants, made.shift)
    else:
        raise at.refused(f"has {group} groups on {channels} channels", "use one group, or one a channel")
    return _slid(at, source, op, made.kind)


def gemm(at: IntegerConversion) -> Stored:
    """Gemm with constant weights."""
    if at.node.attribute("transA", 0):
        raise at.refused("transposes its input", "export the model again")
    constant, turned = at.weights(1), bool(at.node.attribute("transB", 0))
    return _dense(at, constant, turned, float(at.node.attribute("alpha", 1.0)))


def matmul(at: IntegerConversion) -> Stored:
    """MatMul with a constant on the right."""
    return _dense(at, at.weights(1), False, 1.0)


def _dense(at: IntegerConversion, constant: QuantizedConstant, turned: bool, alpha: float) -> Stored:
    source, weights = at.tensor(), constant.centred if turned else constant.centred.T
    if len(source.stored) != 1 or weights.ndim != 2 or weights.shape[1] != source.stored[0] or not alpha > 0:
        raise at.refused(f"multiplies {source.stored} by {weights.T.shape}", "flatten maps before it")
    order = flat_order(source)
    if order is not None:
        here = np.empty_like(weights)
        here[:, order] = weights
        weights = here
    scales = _scales(at, constant, 0 if turned else 1, len(weights)) * np.float32(alpha)
    made = _filters(at, source, weights, scales)
    node = at.added(Dense(made.weights, made.bias, made.shift, made.constants), (source.node,), made.kind)
    return Stored(node, (len(weights),), (len(weights),))


def _scales(at: IntegerConversion, constant: QuantizedConstant, axis: int, filters: int) -> np.ndarray:
    """float32 (O,): the weights' scales times the input's."""
    scales = constant.scales.astype(np.float32)
    if len(scales) > 1 and (constant.axis != axis or len(scales) != filters):
        raise at.refused("has scales along another axis than its outputs", "quantize the model again")
    return np.float32(at.kind(at.tensor()).scale) * np.broadcast_to(scales, (filters,))


def _filters(at: IntegerConversion, source: Stored, centred: np.ndarray, units: np.ndarray) -> Filters:
    """Of weights (O, ...) without zero points and float32 units (O,) of their sums."""
    x = at.kind(source)
    if np.abs(centred).max(initial=0) > LARGEST:
        raise at.refused("has weights of more than 16 bits", "quantize weights to 8 bits")
    fits = centred.min(initial=0) >= -128 and centred.max(initial=0) <= 127
    weights = np.ascontiguousarray(centred.astype(np.int8 if fits else np.int16))
    bias = _bias(at, units) - x.zero_point * centred.reshape(len(centred), -1).sum(axis=1)
    low, high = channel_bounds(weights, bias, x)
    shift = rounding_shift(int(low.min()), int(high.max()))
    kind = _wide(units, low, high) if at.ends else at.result()
    factors = (units / np.float32(kind.scale)).astype(np.float64) * 2.0**shift
    constants = at.requantized(factors, kind)
    if shift:
        constants = replace(constants, rounding=QNN)
    return Filters(weights, bias, shift, constants, kind)


def _wide(units: np.ndarray, low: np.ndarray, high: np.ndarray) -> TensorType:
    """The type of an output that the file leaves in reals: int16, as wide as the sums can become."""
    most = float((np.maximum(np.abs(low), np.abs(high)) * units.astype(np.float64)).max())
    return TensorType((1,), "int16", -LARGEST - 1, LARGEST, float(np.float32(max(most, 1e-30) / LARGEST)), 0)


def _bias(at: IntegerConversion, units: np.ndarray) -> np.ndarray:
    """int64 (O,): the integers of the file where they have the sums' units, else the reals in them."""
    zeros = np.zeros(len(units), np.int64)
    if not at.has(2):
        return zeros
    name, beta = at.node.inputs[2], float(at.node.attribute("beta", 1.0))
    stored, raw = at.found.weights.get(name), at.model.constants.get(name)
    if raw is not None and raw.dtype.kind == "i" and beta == 1:
        steps = raw.astype(np.int64)
    elif stored is not None and beta == 1 and _in_units(stored, units):
        steps = stored.centred
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            steps = np.floor(at.reals(2) * beta / units.astype(np.float64) + 0.5)
        if not np.abs(steps).max(initial=0) < 1 << 52:  # nor is NaN
            raise at.refused("has a bias beyond what its sums hold", "quantize the model again")
    if steps.size not in (1, len(units)):
        raise at.refused(f"has a bias of shape {steps.shape}", "export the model again")
    return zeros + steps.reshape(-1).astype(np.int64)


def _in_units(stored: QuantizedConstant, units: np.ndarray) -> bool:
    return stored.scales.size in (1, len(units)) and bool(np.allclose(stored.scales, units, rtol=1e-3, atol=0))


def _window(
    at: IntegerConversion,
    source: Stored,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, int, int, int] | None = None,
) -> tuple[Stored, Window]:
    """The map and the window that slides over it; padding beyond the kernel becomes part of the map."""
    pads = at.padding(source, kernel, strides) if pads is None else pads
    (rows, columns), (down, along) = ((1, *pair) if len(kernel) == 1 else pair for pair in (kernel, strides))
    if max(pads[:2]) >= rows or max(pads[2:]) >= columns:
        source, pads = at.padded(source, pads), (0, 0, 0, 0)
    height, width, channels = source.shape
    if min(rows, columns, down, along) < 1 or height + sum(pads[:2]) < rows or width + sum(pads[2:]) < columns:
        raise at.refused("has an impossible kernel or stride", "export the model again")
    out = (height + sum(pads[:2]) - rows) // down + 1, (width + sum(pads[2:]) - columns) // along + 1
    return source, Window(height, width, channels, rows, columns, down, along, pads[0], pads[2], *out)


def _slid(
    at: IntegerConversion, source: Stored, op: Conv2d | DepthwiseConv2d | MaxPool | AveragePool, kind: TensorType
) -> Stored:
    shape = op.output_shape((at.kind(source),))
    node = at.added(op, (source.node,), kind)
    return Stored(node, shape, tuple(shape[axis] for axis in source.axes), source.axes)


def max_pool(at: IntegerConversion) -> Stored:
    """MaxPool; padding does not count."""
    source, kernel, strides = pooling(at)
    source, window = _window(at, source, kernel, strides)
    return _slid(at, source, MaxPool(window), at.kind(source))


def average_pool(at: IntegerConversion) -> Stored:
    """AveragePool; padding counts as zeros where count_include_pad says so."""
    source, kernel, strides = pooling(at)
    if at.node.attribute("count_include_pad", 0):
        source = at.padded(source, at.padding(source, kernel, strides))
        source, window = _window(at, source, kernel, strides, (0, 0, 0, 0))
    else:
        source, window = _window(at, source, kernel, strides)
    return _averaged(at, source, window)


def _averaged(at: IntegerConversion, source: Stored, window: Window) -> Stored:
    x, kind = at.kind(source), at.result()
    if too_many_counts(window):
        raise at.refused("has a window that is too large to pad", "use smaller windows")
    counts = np.arange(1, window.taps + 1) if window.pads else np.array([window.taps])
    factors = np.float32(x.scale) / (counts * np.float64(np.float32(kind.scale)))
    zero, rounded = x.zero_point, kind
    if at.node.kind == "AveragePool" and (x.scale, x.zero_point) == (kind.scale, kind.zero_point):
        zero, rounded = 0, replace(kind, zero_point=0)  # onnxruntime rounds the mean with its zero point to even
    return _slid(at, source, AveragePool(window, zero, at.requantized(factors, rounded)), kind)


def global_average_pool(at: IntegerConversion) -> Stored:
    """GlobalAveragePool, and ReduceMean over the pixels."""
    source = at.map()
    keeps = pooled_axes(at, source)
    height, width, channels = source.shape
    window = Window(height, width, channels, height, width, height, width, 0, 0, 1, 1)
    node = _averaged(at, source, window).node
    ones = (1,) * (len(source.stored) - 1) if keeps else ()
    return Stored(node, (channels,), (channels, *ones))
