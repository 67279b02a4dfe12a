# SPDX-License-Identifier: MIT
"""How raw integers enter the integer graph (SPEC 4.4, 5.1)."""

from __future__ import annotations

import numpy as np

from qnn.errors import QnnError
from qnn.fixedpoint import INT32_MAX, INT32_MIN, requantization
from qnn.graph import INPUT, Node
from qnn.lowering import Grid, float32
from qnn.model import Model
from qnn.ops.op import DTYPE_RANGES, TensorType
from qnn.ops.quantize import Quantize
from qnn.scales import Scales

STEPS = 255
QUANTIZED = "quantized"


def enter(model: Model, scales: Scales) -> tuple[TensorType, tuple[Node, ...], Grid | None]:
    """The raw input's type, the node that quantizes it (none for uint8), and its Grid.

    The grid is None where one scale and the zero point 0 serve all elements: then the tensor's type has them.
    Raises QnnError if the raw range in `scales` does not fit the model.
    """
    shape, normalization = model.schema.shape, model.normalization
    elements = int(np.prod(shape))
    if model.schema.dtype == "uint8":
        if normalization.offset.ndim == 0 and normalization.offset == 0 and normalization.scale > 0:
            return TensorType(shape, "uint8", 0, 255, float32(float(normalization.scale))), (), None
        scale = np.broadcast_to(normalization.scale, (elements,))
        offset = np.broadcast_to(-normalization.offset * normalization.scale, (elements,))
        return TensorType(shape, "uint8", 0, 255), (), Grid(scale, offset)
    low, high = _raw_range(scales, elements)
    op = quantize_op(low, high)
    step = (high - low) / STEPS * normalization.scale
    grid = Grid(np.broadcast_to(step, (elements,)), (low - normalization.offset) * normalization.scale)
    _, raw_low, raw_high = next(entry for entry in DTYPE_RANGES if entry[0] == "int32")
    raw = TensorType(shape, "int32", raw_low, raw_high)
    return raw, (Node(QUANTIZED, op, (INPUT,), TensorType(shape, "uint8", 0, STEPS)),), grid


def quantize_op(low: np.ndarray, high: np.ndarray) -> Quantize:
    """The operator that maps int64 low..high (F,) onto 0..STEPS; a feature with a single value becomes 0."""
    span = high - low
    halve = (span > INT32_MAX).astype(np.uint8)
    factors = STEPS / np.maximum(span >> halve, 1)
    return Quantize(low.astype(np.int32), high.astype(np.int32), halve, requantization(factors, 0, 0, STEPS))


def _raw_range(scales: Scales, elements: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.array(scales.input_low, dtype=np.int64), np.array(scales.input_high, dtype=np.int64)
    if low.shape != (elements,) or high.shape != (elements,):
        raise QnnError("scales", f"the raw range is not of {elements} inputs", "calibrate this model: qnn calibrate")
    if np.any(low > high) or low.min() < INT32_MIN or high.max() > INT32_MAX:
        raise QnnError("scales", "the raw range is not in order within int32", "keep input_low <= input_high")
    return low, high
