# SPDX-License-Identifier: MIT
"""Sums, products, batch norms and activations of float ONNX nodes."""

from __future__ import annotations

import math

import numpy as np

from qnn.importing.layout import Stored, flat_order
from qnn.importing.onnxconversion import OnnxConversion, in_order, per_channel
from qnn.layers.add import Add
from qnn.layers.batch_norm import EPSILON, BatchNorm
from qnn.layers.clamp import Clamp, Relu6
from qnn.layers.leaky_relu import LeakyRelu
from qnn.layers.mul import Mul
from qnn.layers.relu import Relu
from qnn.layers.sigmoid import Sigmoid
from qnn.layers.tanh import Tanh


def add(at: OnnxConversion) -> Stored:
    """Add and Sub: of two tensors, or a constant per channel, which goes into the bias before it where it can."""
    sign = -1.0 if at.node.kind == "Sub" else 1.0
    if sign < 0 and at.is_constant(0):
        raise at.refused("subtracts from a constant", "multiply by -1 instead")
    position = 0 if at.is_constant(0) else 1
    if at.is_constant(position):
        source = at.tensor(1 - position)
        shift = sign * per_channel(at, at.constant(position), source)
        if at.read_once(1 - position) and at.builder.with_bias(source.node, shift):
            return source
        return _scaled(at, source, np.ones(1), shift)
    if sign < 0:
        raise at.refused("subtracts two tensors", "add the negative")
    one, other = _pair(at)
    return at.alike(one, Add(), (one.node, other.node))


def mul(at: OnnxConversion) -> Stored:
    """Mul and Div: of two tensors, or by a constant per channel."""
    divides = at.node.kind == "Div"
    if divides and not at.is_constant(1):
        raise at.refused("divides by a tensor", "multiply instead")
    position = 0 if at.is_constant(0) else 1
    if at.is_constant(position):
        source, factor = at.tensor(1 - position), at.constant(position)
        if divides and not np.all(factor):
            raise at.refused("divides by 0", "export the model again")
        return _scaled(at, source, per_channel(at, 1 / factor if divides else factor, source), np.zeros(1))
    one, other = at.tensor(0), at.tensor(1)
    if math.prod(other.shape) > math.prod(one.shape):
        one, other = other, one
    row = math.prod(other.shape) == other.shape[-1] and other.order is None
    if not row:
        one, other = _pair(at)
    return at.alike(one, Mul(), (one.node, other.node))


def _scaled(at: OnnxConversion, source: Stored, scale: np.ndarray, shift: np.ndarray) -> Stored:
    """x * scale + shift per channel, as a batch norm of mean 0 and variance 1."""
    channels = source.shape[-1]
    gain, offset = (np.broadcast_to(values, (channels,)) for values in (scale, shift))
    mean, variance = np.zeros(channels), np.full(channels, 1 - EPSILON)
    return at.alike(source, BatchNorm(), (), (gain, offset, mean, variance))


def _pair(at: OnnxConversion) -> tuple[Stored, Stored]:
    one, other = at.tensor(0), at.tensor(1)
    orders = [flat_order(tensor) for tensor in (one, other)]
    alike = one.shape == other.shape and one.axes == other.axes
    if not alike or not (orders[0] is orders[1] or np.array_equal(orders[0], orders[1])):  # type: ignore[arg-type]
        raise at.refused(f"joins tensors of shapes {one.stored} and {other.stored}", "give it two alike")
    return one, other


def batch_normalization(at: OnnxConversion) -> Stored:
    """BatchNormalization with constant statistics; it folds into the layer before it."""
    source = at.tensor()
    gain, offset, mean, variance = (_per_channel_of(at, position, source) for position in (1, 2, 3, 4))
    epsilon = float(at.node.attribute("epsilon", 1e-5))
    if not (variance + epsilon > 0).all():
        raise at.refused("has a variance that is not positive", "train the model again")
    return at.alike(source, BatchNorm(), (), (gain, offset, mean, variance + (epsilon - EPSILON)))


def _per_channel_of(at: OnnxConversion, position: int, source: Stored) -> np.ndarray:
    value = at.constant(position)
    if value.shape != (source.shape[-1],) or (source.axes and source.axes[0] != len(source.shape) - 1):
        raise at.refused(f"has statistics of shape {value.shape}", "normalize the channels, stored first")
    return in_order(value, source)


def relu(at: OnnxConversion) -> Stored:
    """Relu."""
    return at.alike(at.tensor(), Relu())


def clip(at: OnnxConversion) -> Stored:
    """Clip with constant bounds around 0."""
    low = float(at.constant(1).reshape(-1)[0]) if at.has(1) else -math.inf
    high = float(at.constant(2).reshape(-1)[0]) if at.has(2) else math.inf
    if (low, high) == (0.0, 6.0):
        return at.alike(at.tensor(), Relu6())
    if low == 0 and high > 1e30:
        return at.alike(at.tensor(), Relu())
    return at.alike(at.tensor(), Clamp(max(low, -1e30), min(high, 1e30)))


def leaky_relu(at: OnnxConversion) -> Stored:
    """LeakyRelu."""
    return at.alike(at.tensor(), LeakyRelu(float(at.node.attribute("alpha", 0.01))))


def sigmoid(at: OnnxConversion) -> Stored:
    """Sigmoid."""
    return at.alike(at.tensor(), Sigmoid())


def tanh(at: OnnxConversion) -> Stored:
    """Tanh."""
    return at.alike(at.tensor(), Tanh())
