# SPDX-License-Identifier: MIT
"""Float ONNX nodes as float layers."""

from __future__ import annotations

import math

import numpy as np

from qnn.importing.layout import Stored, flat_order
from qnn.importing.onnxconversion import OnnxConversion, OnnxPlace
from qnn.layers.average_pool import AveragePool, GlobalAveragePool
from qnn.layers.conv2d import Conv2d
from qnn.layers.dense import Dense
from qnn.layers.depthwise_conv2d import DepthwiseConv2d
from qnn.layers.layer import Layer
from qnn.layers.max_pool import MaxPool
from qnn.ops.op import MAX_ELEMENTS


def conv(at: OnnxConversion) -> Stored:
    """Conv with one group, or one group a channel."""
    source, weights = at.map(), at.constant(1)
    spatial = len(source.stored) - 1
    if weights.ndim != spatial + 2:
        raise at.refused(f"has weights of shape {weights.shape}", "use maps of one or two dimensions")
    weights = dilated(at, weights, at.numbers("dilations", spatial, 1))
    bias = at.constant(2).reshape(-1) if at.has(2) else np.zeros(len(weights))
    kernel, strides = weights.shape[2:], at.numbers("strides", spatial, 1)
    pads = at.padding(source, kernel, strides)
    taps = weights.reshape(*weights.shape[:2], 1, *kernel) if spatial == 1 else weights
    rows, columns = (1, *strides) if spatial == 1 else strides
    sides = (int(taps.shape[2]), int(taps.shape[3]), rows, columns)
    inside = pads[0] < sides[0] and pads[1] < sides[0] and pads[2] < sides[1] and pads[3] < sides[1]
    source = source if inside else at.padded(source, pads)
    padding = " ".join(map(str, pads if inside else (0, 0, 0, 0)))
    group, channels = int(at.node.attribute("group", 1)), source.shape[-1]
    if group == 1 and taps.shape[1] == channels:
        layer: Layer = Conv2d(len(taps), *sides, padding)
        ordered = taps.transpose(0, 2, 3, 1)
    elif group == channels and taps.shape[1] == 1 and len(taps) % channels == 0:
        layer = DepthwiseConv2d(sides[0], sides[1], len(taps) // channels, sides[2], sides[3], padding)
        ordered = taps[:, 0]
    else:
        raise at.refused(f"has {group} groups on {channels} channels", "use one group, or one a channel")
    return at.slid(source, at.added(layer, (source.node,), (ordered, bias)))


def dilated(at: OnnxPlace, weights: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Weights (O, I, ...) with zeros between their taps, of the same type."""
    shape = [*weights.shape[:2], *((size - 1) * by + 1 for size, by in zip(weights.shape[2:], factors, strict=True))]
    if min(factors) < 1 or max(shape[2:]) > 64 or math.prod(shape) > MAX_ELEMENTS:
        raise at.refused(f"has a kernel of {shape[2:]}", "use at most 64 rows and columns")
    spread = np.zeros(shape, weights.dtype)
    places = (slice(None), slice(None), *(slice(None, None, by) for by in factors))
    spread[places] = weights
    return spread


def gemm(at: OnnxConversion) -> Stored:
    """Gemm with constant weights."""
    if at.node.attribute("transA", 0):
        raise at.refused("transposes its input", "export the model again")
    weights = at.constant(1) * float(at.node.attribute("alpha", 1.0))
    bias = at.constant(2) * float(at.node.attribute("beta", 1.0)) if at.has(2) else np.zeros(1)
    return _dense(at, weights if at.node.attribute("transB", 0) else weights.T, bias)


def matmul(at: OnnxConversion) -> Stored:
    """MatMul with a constant on the right."""
    weights = at.constant(1)
    return _dense(at, weights.T, np.zeros(1))


def _dense(at: OnnxConversion, weights: np.ndarray, bias: np.ndarray) -> Stored:
    """weights (O, I) in the file's order."""
    source = at.tensor()
    if len(source.stored) != 1 or weights.ndim != 2 or weights.shape[1] != source.stored[0]:
        raise at.refused(f"multiplies {source.stored} by {weights.T.shape}", "flatten maps before it")
    order = flat_order(source)
    if order is not None:
        here = np.empty_like(weights)
        here[:, order] = weights
        weights = here
    if bias.size not in (1, len(weights)):
        raise at.refused(f"has a bias of shape {bias.shape}", "export the model again")
    node = at.added(Dense(len(weights)), (source.node,), (weights, np.broadcast_to(bias.reshape(-1), (len(weights),))))
    return Stored(node, (len(weights),), (len(weights),))


def max_pool(at: OnnxConversion) -> Stored:
    """MaxPool; padding does not count."""
    source, sides, pads = _pool(at)
    return at.slid(source, at.added(MaxPool(*sides, " ".join(map(str, pads))), (source.node,)))


def average_pool(at: OnnxConversion) -> Stored:
    """AveragePool; padding counts as zeros where count_include_pad says so."""
    source, sides, pads = _pool(at)
    if at.node.attribute("count_include_pad", 0):
        source, pads = at.padded(source, pads), (0, 0, 0, 0)
    return at.slid(source, at.added(AveragePool(*sides, " ".join(map(str, pads))), (source.node,)))


def _pool(at: OnnxConversion) -> tuple[Stored, tuple[int, int, int, int], tuple[int, int, int, int]]:
    """The map, kernel and strides, padding."""
    source, kernel, strides = pooling(at)
    pads = at.padding(source, kernel, strides)
    (height, width), (rows, columns) = ((1, *pair) if len(kernel) == 1 else pair for pair in (kernel, strides))
    return source, (height, width, rows, columns), pads


def pooling(at: OnnxPlace) -> tuple[Stored, tuple[int, ...], tuple[int, ...]]:
    """The map, the kernel and the strides of a pool."""
    source = at.map()
    spatial = len(source.stored) - 1
    kernel, strides = at.numbers("kernel_shape", spatial, 0), at.numbers("strides", spatial, 1)
    if at.node.attribute("ceil_mode", 0) or any(by != 1 for by in at.numbers("dilations", spatial, 1)):
        raise at.refused("rounds its output's size up, or is dilated", "pad the maps instead")
    if len([name for name in at.node.outputs if name]) != 1:
        raise at.refused("gives indices as well", "leave them out")
    return source, kernel, strides


def global_average_pool(at: OnnxConversion) -> Stored:
    """GlobalAveragePool, and ReduceMean over the pixels."""
    source = at.map()
    keeps = pooled_axes(at, source)
    node = at.added(GlobalAveragePool(), (source.node,))
    channels = source.shape[-1]
    return Stored(node, (channels,), (channels, *(1,) * (len(source.stored) - 1)) if keeps else (channels,))


def pooled_axes(at: OnnxPlace, source: Stored) -> bool:
    """Does a GlobalAveragePool, or a ReduceMean over the pixels of `source`, keep their axes?"""
    if at.node.kind != "ReduceMean":
        return True
    given = at.constant(1).reshape(-1) if at.has(1) else np.asarray(at.node.attribute("axes", []))
    rank = 1 + len(source.stored)
    axes = sorted(int(axis) + (rank if axis < 0 else 0) for axis in given)
    if axes != list(range(2, rank)):
        raise at.refused(f"averages over the axes {axes}", "average over the pixels")
    return bool(at.node.attribute("keepdims", 1))
