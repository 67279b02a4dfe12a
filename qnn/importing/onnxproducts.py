# SPDX-License-Identifier: MIT
"""Quantized sums, products, batch norms and softmax of ONNX files as integer operators."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from qnn.importing.fits import in_ratio
from qnn.importing.layout import Stored, flat_order
from qnn.importing.onnxconversion import in_order, per_channel
from qnn.importing.onnxinteger import IntegerConversion, meant
from qnn.ops.add import Add
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.mul import Mul
from qnn.ops.op import TensorType
from qnn.ops.softmax8 import Softmax8
from qnn.ops.window import Window

FINEST = 1 << 20  # of the larger factor of an add
CENTRE = 127  # the weight that stands for a channel's gain: a shift is rounded to 1/127 of an input step
ONE = (1 << 31) - 1


def add(at: IntegerConversion) -> Stored:
    """Add and Sub: of two tensors, or of a tensor and a constant."""
    sign = -1.0 if at.node.kind == "Sub" else 1.0
    if sign < 0 and (at.is_weights(0) or not at.is_weights(1)):
        raise at.refused("subtracts two tensors, or from a constant", "add the negative")
    for position in (0, 1):
        if at.is_weights(position):
            source = at.tensor(1 - position)
            return _affine(at, source, np.ones(1), sign * per_channel(at, at.reals(position), source))
    one, other = _pair(at)
    kinds, kind = (at.kind(one), at.kind(other)), at.result()
    factors = in_ratio((kinds[0].scale, kinds[1].scale), FINEST)
    offset = -sum(factor * x.zero_point for factor, x in zip(factors, kinds, strict=True))
    scale = max((x.scale, factor) for x, factor in zip(kinds, factors, strict=True))
    requantized = at.requantized(np.array([scale[0] / scale[1] / kind.scale]), kind)
    return at.alike(one, Add(*factors, offset, requantized), kind, other)


def mul(at: IntegerConversion) -> Stored:
    """Mul and Div: of two tensors, one of which may be a row of channels, or by a constant."""
    divides = at.node.kind == "Div"
    if divides and (at.is_weights(0) or not at.is_weights(1)):
        raise at.refused("divides by a tensor", "multiply instead")
    for position in (0, 1):
        if at.is_weights(position):
            source, factor = at.tensor(1 - position), at.reals(position)
            if divides and not np.all(factor):
                raise at.refused("divides by 0", "export the model again")
            return _affine(at, source, per_channel(at, 1 / factor if divides else factor, source), np.zeros(1))
    one, other = at.tensor(0), at.tensor(1)
    if math.prod(other.shape) > math.prod(one.shape):
        one, other = other, one
    if math.prod(other.shape) != other.shape[-1] or other.order is not None or one.shape[-1] != other.shape[-1]:
        one, other = _pair(at)
    kinds, kind = (at.kind(one), at.kind(other)), at.result()
    factor = np.float32(kinds[0].scale) * np.float32(kinds[1].scale) / np.float32(kind.scale)
    op = Mul(kinds[0].zero_point, kinds[1].zero_point, at.requantized(np.array([factor]), kind))
    return at.alike(one, op, kind, other)


def _pair(at: IntegerConversion) -> tuple[Stored, Stored]:
    """Two tensors whose values lie in the same order."""
    one, other = at.tensor(0), at.tensor(1)
    orders = [flat_order(tensor) for tensor in (one, other)]
    same = orders[0] is orders[1] or (
        orders[0] is not None and orders[1] is not None and np.array_equal(orders[0], orders[1])
    )
    if one.stored != other.stored or not same:
        raise at.refused(f"joins tensors of shapes {one.stored} and {other.stored}", "give it two alike")
    return one, other


def batch_normalization(at: IntegerConversion) -> Stored:
    """BatchNormalization with constant statistics."""
    source = at.tensor()
    values = [at.reals(position).reshape(-1) for position in (1, 2, 3, 4)]
    first = not source.axes or source.axes[0] == len(source.shape) - 1
    if any(value.shape != (source.shape[-1],) for value in values) or not first:
        raise at.refused(f"has statistics of shape {values[0].shape}", "normalize the channels, stored first")
    gain, offset, mean, variance = (in_order(value, source) for value in values)
    spread = variance + float(at.node.attribute("epsilon", 1e-5))
    if not (spread > 0).all():
        raise at.refused("has a variance that is not positive", "train the model again")
    scale = gain / np.sqrt(spread)
    return _affine(at, source, scale, offset - mean * scale)


def _affine(at: IntegerConversion, source: Stored, gain: np.ndarray, shift: np.ndarray) -> Stored:
    """x * gain + shift, one of each or one for each channel: a table, or a filter of one tap for each channel."""
    if not (np.isfinite(gain).all() and np.isfinite(shift).all()):
        raise at.refused("has constants that are not finite", "train the model again")
    x, kind = at.kind(source), at.result()
    if gain.size == shift.size == 1:
        return at.table(source, meant(x).astype(np.float64) * gain[0] + shift[0], kind)
    channels = source.shape[-1]
    gain, shift = (np.broadcast_to(values, (channels,)) for values in (gain, shift))
    steps = np.abs(gain) * x.scale / kind.scale  # of the result, for one of the input
    flat = steps * 256 < 1 / 1024  # what such a gain adds is lost in the rounding
    factors = np.where(flat, 1 / 256, steps / CENTRE)
    weights = np.where(flat, 0, np.sign(gain) * CENTRE).astype(np.int8)
    bias = np.floor(np.clip(shift / kind.scale, -1024, 1024) / factors + 0.5).astype(np.int64)
    bias -= x.zero_point * weights.astype(np.int64)
    pixels = math.prod(source.shape) // channels
    window = Window(pixels, 1, channels, 1, 1, 1, 1, 0, 0, pixels, 1)
    requantized = at.requantized(factors, kind)
    op = DepthwiseConv2d(window, 1, weights[:, None, None], bias, x.zero_point, requantized)
    return at.alike(source, op, kind)


def softmax(at: IntegerConversion) -> Stored:
    """Softmax over the channels: steps of 1/256, which a table brings to the result's scale where it has another."""
    source, kind = at.tensor(), at.result()
    axis = int(at.node.attribute("axis", -1))
    axis += len(source.stored) + 1 if axis < 0 else 0
    channels = source.axes.index(len(source.shape) - 1) + 1 if source.axes else len(source.stored)
    if axis != channels or source.stored[axis - 1] != source.shape[-1]:
        raise at.refused(f"has the axis {axis}", "take the softmax of the channels")
    falling = np.floor(np.exp(-np.arange(256) * at.kind(source).scale) * ONE + 0.5)
    typed = TensorType((1,), "uint8", 0, 255, 1 / 256, 0)
    made = at.alike(source, Softmax8(source.shape[-1], falling.astype(np.int32), 0), typed)
    return at.rescaled(made, replace(kind, low=0, high=255))
