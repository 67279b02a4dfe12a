# SPDX-License-Identifier: MIT
"""Functions of one int8 value as tables of 256 entries, made with the framework's own arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from qnn.importing.conversion import OFFSET, Conversion, Converted, Source, activation_type, clamped
from qnn.importing.tflm import input_radius, logistic, multiplied, quantized_multiplier, tanh
from qnn.ops.gemmlowp import halved
from qnn.ops.op import TensorType
from qnn.ops.retype import Retype
from qnn.ops.table import Table

Curve = Callable[[np.ndarray], np.ndarray]
INT8 = np.arange(-128, 128, dtype=np.int64)
CURVE_BITS = 4  # integer bits of what enters logistic and tanh


def logistic_table(at: Conversion) -> Converted:
    """LOGISTIC: the output's scale is 1/256, its zero point -128."""
    return _curve(at, lambda raw: halved(logistic(raw), 23) - 128, (1 / 256, -128))


def tanh_table(at: Conversion) -> Converted:
    """TANH: the output's scale is 1/128, its zero point 0."""
    return _curve(at, lambda raw: halved(tanh(raw), 24), (1 / 128, 0))


def relu_table(at: Conversion) -> Converted:
    """RELU: to the output's scale, then clamped at its zero point."""
    return _rescaled(at, 0.0, math.inf)


def relu_n1_to_1_table(at: Conversion) -> Converted:
    """RELU_N1_TO_1, likewise."""
    return _rescaled(at, -1.0, 1.0)


def relu6_table(at: Conversion) -> Converted:
    """RELU6: a clamp alone, since input and output share a scale."""
    _shared_scale(at)
    low, high = clamped(at.tensor(0), 0.0, 6.0)
    return _table(at, np.clip(INT8, int(at.tensor(0).zero_points[0]), high if high > low else low))


def leaky_relu_table(at: Conversion) -> Converted:
    """LEAKY_RELU: one factor for what is above the zero point, another below it."""
    x, y = at.tensor(0), at.output
    activation_type(y, at)
    ratio = float(x.scales[0]) / float(y.scales[0])
    alpha = float(np.float32(at.option("Alpha", 0.0)))
    if not 0 <= alpha <= 1:
        raise at.refused(f"has a slope of {alpha}", "use one from 0 to 1")
    values = INT8 - int(x.zero_points[0])
    above = multiplied(values, *quantized_multiplier(ratio))
    below = multiplied(values, *quantized_multiplier(ratio * alpha))
    return _table(at, np.clip(np.where(values >= 0, above, below) + int(y.zero_points[0]), -128, 127))


def quantize_table(at: Conversion) -> Converted:
    """QUANTIZE between quantized tensors: a change of scale; nothing where they are alike."""
    x, y = at.tensor(0), at.output
    kind = activation_type(y, at)
    if x.dtype != y.dtype:
        raise at.refused(f"changes {x.dtype} into {y.dtype}", "quantize the model to one width")
    if x.scales[0] == y.scales[0] and x.zero_points[0] == y.zero_points[0]:
        return Converted((), at.source(0), "input and output are alike")
    if kind.dtype == "int16":
        factor = np.array([float(x.scales[0]) / float(y.scales[0])])
        return Converted((at.made(Retype(0, at.requantization(factor, kind)), (at.source(0),), kind),))
    return _rescaled(at, -math.inf, math.inf)


def _curve(at: Conversion, function: Curve, meaning: tuple[float, int]) -> Converted:
    x, y = at.tensor(0), at.output
    activation_type(y, at)
    if (float(y.scales[0]), int(y.zero_points[0])) != meaning:
        raise at.refused(f"has an output of scale {y.scales[0]}", f"its scale is {meaning[0]} by definition")
    multiplier, shift = quantized_multiplier(float(x.scales[0]) * (1 << (31 - CURVE_BITS)))
    radius = input_radius(CURVE_BITS, shift)
    values = INT8 - int(x.zero_points[0])
    inside = np.abs(values) < radius
    curve = function(multiplied(np.where(inside, values, 0), multiplier, shift))
    return _table(at, np.where(inside, np.clip(curve, -128, 127), np.where(values > 0, 127, -128)))


def _rescaled(at: Conversion, lowest: float, highest: float) -> Converted:
    x, y = at.tensor(0), at.output
    activation_type(y, at)
    multiplier, shift = quantized_multiplier(float(x.scales[0]) / float(y.scales[0]))
    values = multiplied(INT8 - int(x.zero_points[0]), multiplier, shift) + int(y.zero_points[0])
    return _table(at, np.clip(values, *clamped(y, lowest, highest)))


def _shared_scale(at: Conversion) -> None:
    x, y = at.tensor(0), at.output
    activation_type(y, at)
    if x.scales[0] != y.scales[0] or x.zero_points[0] != y.zero_points[0]:
        raise at.refused("has another scale behind it than before it", "quantize the model again")


def _table(at: Conversion, entries: np.ndarray) -> Converted:
    """The table whose entry for the int8 value v is entries[v + 128], an int8 value."""
    return Converted((at.made(Table((entries + OFFSET).astype(np.int16)), (at.source(0),), _kind(at, entries)),))


def scalar_table(at: Conversion, source: Source, entries: np.ndarray) -> Converted:
    """As the functions above, of an operator whose other operand is a constant."""
    return Converted((at.made(Table((entries + OFFSET).astype(np.int16)), (source,), _kind(at, entries)),))


def _kind(at: Conversion, entries: np.ndarray) -> TensorType:
    kind = activation_type(at.output, at)
    low, high = int(entries.min()) + OFFSET, int(entries.max()) + OFFSET
    return TensorType(kind.shape, kind.dtype, low, high, kind.scale, kind.zero_point)
