# SPDX-License-Identifier: MIT
"""How raw integers enter the integer graph (SPEC 4.4, 5.1)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.errors import QnnError
from qnn.fixedpoint import INT32_MAX, INT32_MIN, requantization
from qnn.graph import INPUT, Node
from qnn.lowering import Grid, activation_type, float32, table_of
from qnn.model import Model
from qnn.ops.compand import Compand
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.op import DTYPE_RANGES, TensorType
from qnn.ops.quantize import Quantize
from qnn.ops.window import Window
from qnn.precision import Precision
from qnn.scales import Scales
from qnn.segments import NONE, has_segments
from qnn.weights import quantize_weights

ENDS = {8: (0, 255), 16: (-32768, 32767)}  # by the bits of quantized readings
STORAGE = {8: "uint8", 16: "int16"}
QUANTIZED = "quantized"


def enter(
    model: Model, scales: Scales, takes_grid: bool, bits: int = 8
) -> tuple[TensorType, tuple[Node, ...], Grid | None]:
    """The raw input's type, the nodes that quantize it to `bits` (none where raw values serve), and its Grid.

    takes_grid: may every feature have a scale of its own? Then the grid says which, unless one scale and the zero
    point 0 serve all elements. Raises QnnError if the raw range in `scales` does not fit the model.
    """
    shape, normalization = model.schema.shape, model.normalization
    elements = int(np.prod(shape))
    scale = np.broadcast_to(normalization.scale, shape).reshape(-1)
    offset = np.broadcast_to(normalization.offset, shape).reshape(-1)
    if model.schema.dtype == "uint8":
        return _enter_bytes(shape, scale, offset, takes_grid, bits)
    _, raw_low, raw_high = next(entry for entry in DTYPE_RANGES if entry[0] == "int32")
    raw = TensorType(shape, "int32", raw_low, raw_high)
    low, high = _raw_range(scales, elements)
    if not takes_grid:
        if has_segments(normalization.segments).any():
            raise QnnError(INPUT, "inputs with segments need a dense layer first", "train with --normalize standard")
        return raw, (_shared(shape, low, high, scale, offset, bits),), None
    first, last = ENDS[bits]
    kind = TensorType(shape, STORAGE[bits], first, last)
    straight = quantize_op(low, high, (first, last))
    lined = has_segments(normalization.segments)
    if not lined.any():
        step = (high - low) / (last - first) * scale
        return raw, (Node(QUANTIZED, straight, (INPUT,), kind),), Grid(step, (low - offset) * scale - first * step)
    _check_segments(model, low, high)
    node = Node(QUANTIZED, Compand(straight, normalization.segments), (INPUT,), kind)
    counts = (normalization.segments != NONE).sum(axis=1)
    step = np.where(lined, counts / (last - first + 1), (high - low) / (last - first)) * scale
    return raw, (node,), Grid(step, (np.where(lined, 0, low) - offset) * scale - first * step)


def _check_segments(model: Model, low: np.ndarray, high: np.ndarray) -> None:
    """Raises QnnError unless the raw ranges of features with segments are those that the segments cover."""
    normalization = model.normalization
    moved = has_segments(normalization.segments) & ((low != normalization.low) | (high != normalization.high))
    for index in np.flatnonzero(moved).tolist():
        name = model.schema.features[index].name
        wanted = f"{normalization.low[index]}..{normalization.high[index]}"
        problem = f"the raw range of {name!r} is that of its segments, {wanted}, and cannot be another"
        raise QnnError("scales", problem, f"put it back, or train with --normalize {name}=standard")


def _enter_bytes(
    shape: tuple[int, ...], scale: np.ndarray, offset: np.ndarray, takes_grid: bool, bits: int
) -> tuple[TensorType, tuple[Node, ...], Grid | None]:
    one_scale = bool(np.all(scale == scale[0]) and np.all(offset == offset[0]) and scale[0] > 0)
    if one_scale and offset[0] == 0:
        return TensorType(shape, "uint8", 0, 255, float32(float(scale[0]))), (), None
    raw = TensorType(shape, "uint8", 0, 255)
    if takes_grid:
        return raw, (), Grid(scale, -offset * scale)
    if not one_scale:
        return raw, (_scaled(raw, scale, offset, bits),), None
    low, high = ((value - offset[0]) * scale[0] for value in (0, 255))
    wanted = activation_type(shape, min(low, 0.0), max(high, 0.0), bits)
    meaning = TensorType(shape, "uint8", 0, 255, float(scale[0]), 0)
    table = table_of(meaning, wanted, lambda reals: reals - offset[0] * scale[0])
    return raw, (Node(QUANTIZED, table, (INPUT,), wanted),), None


def _scaled(raw: TensorType, scale: np.ndarray, offset: np.ndarray, bits: int) -> Node:
    """The node that brings bytes with a scale and an offset per feature to one scale and zero point for all of them."""
    ends = np.stack([-offset * scale, (raw.high - offset) * scale])
    wanted = activation_type(raw.shape, min(float(ends.min()), 0.0), max(float(ends.max()), 0.0), bits)
    q = quantize_weights(scale.reshape(-1, 1, 1), -offset * scale, raw, wanted, Precision(bits))
    window = Window(1, 1, len(scale), 1, 1, 1, 1, 0, 0, 1, 1)
    op = DepthwiseConv2d(window, 1, q.weights, q.bias, 0, *q.constants)
    return Node(QUANTIZED, op, (INPUT,), replace(wanted, shape=op.output_shape((raw,))))


def _shared(
    shape: tuple[int, ...], low: np.ndarray, high: np.ndarray, scale: np.ndarray, offset: np.ndarray, bits: int
) -> Node:
    """The node that quantizes int32 readings to one scale and zero point for all of them."""
    ends = np.stack([(low - offset) * scale, (high - offset) * scale])
    wanted = activation_type(shape, min(float(ends.min()), 0.0), max(float(ends.max()), 0.0), bits)
    span = high - low
    halve = (span > INT32_MAX).astype(np.uint8)
    factors = np.where(scale > 0, scale, 1.0) * 2.0**halve / wanted.scale
    zeros = np.where(scale > 0, np.floor(ends[0] / wanted.scale + 0.5) + wanted.zero_point, wanted.zero_point)
    constants = requantization(factors, zeros.astype(np.int32), wanted.low, wanted.high)
    still = np.where(scale > 0, high, low)  # a feature without influence stays at its lower end
    op = Quantize(low.astype(np.int32), still.astype(np.int32), halve, constants)
    return Node(QUANTIZED, op, (INPUT,), wanted)


def quantize_op(low: np.ndarray, high: np.ndarray, ends: tuple[int, int] = ENDS[8]) -> Quantize:
    """The operator that maps int64 low..high (F,) onto `ends`; a feature with a single value becomes the lower one."""
    span = high - low
    halve = (span > INT32_MAX).astype(np.uint8)
    factors = (ends[1] - ends[0]) / np.maximum(span >> halve, 1)
    constants = requantization(factors, ends[0], *ends)
    return Quantize(low.astype(np.int32), high.astype(np.int32), halve, constants)


def _raw_range(scales: Scales, elements: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.array(scales.input_low, dtype=np.int64), np.array(scales.input_high, dtype=np.int64)
    if low.shape != (elements,) or high.shape != (elements,):
        raise QnnError("scales", f"the raw range is not of {elements} inputs", "calibrate this model: qnn calibrate")
    if np.any(low > high) or low.min() < INT32_MIN or high.max() > INT32_MAX:
        raise QnnError("scales", "the raw range is not in order within int32", "keep input_low <= input_high")
    return low, high
