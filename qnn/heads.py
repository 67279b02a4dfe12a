# SPDX-License-Identifier: MIT
"""The nodes behind the output: the class, probabilities, values in a decimal unit (SPEC 5.4 to 5.6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from qnn.fixedpoint import INT32_MAX, INT32_MIN, requantization
from qnn.graph import CLASS, PROBABILITIES, VALUE, Node
from qnn.model import Model
from qnn.ops.argmax import Argmax
from qnn.ops.op import TensorType
from qnn.ops.rescale import Rescale, encode_line
from qnn.ops.softmax import EXPONENT_BITS, MAX_CLASSES, MAX_EXPONENT, Softmax

Q15 = 1 << 15
MAX_FACTOR = 1 << 12  # a finer unit than this part of an output step says nothing
MAX_OFFSET = 1 << 28
LEAST_FACTOR = Fraction(1, 1 << 40)


def head_nodes(model: Model, output: str, kind: TensorType) -> tuple[Node, ...]:
    """The heads of a model whose output tensor `output` has the type `kind`."""
    if model.schema.task == "regression":
        return (_value(model, output, kind),)
    classes = len(model.schema.classes)
    argmax = Node(CLASS, Argmax(kind.zero_point), (output,), TensorType((1,), "int32", 0, classes - 1))
    if classes > MAX_CLASSES:
        return (argmax,)
    factor = np.array([kind.scale * math.log2(math.e) * (1 << EXPONENT_BITS)])
    softmax = Softmax(kind.zero_point, requantization(factor, 0, 0, MAX_EXPONENT))
    return argmax, Node(PROBABILITIES, softmax, (output,), TensorType((classes,), "uint16", 0, Q15, 1 / Q15))


def _value(model: Model, output: str, kind: TensorType) -> Node:
    normalization = model.normalization
    steps = [kind.scale * float(scale) for scale in normalization.target_scale]
    offsets = [float(offset) for offset in normalization.target_offset]
    decimals = [
        unit_decimals(step, offset, wanted)
        for step, offset, wanted in zip(steps, offsets, model.schema.target_decimals, strict=True)
    ]
    rescale = rescale_to(model, kind, decimals)
    return Node(VALUE, rescale, (output,), TensorType((len(steps),), "int32", INT32_MIN, INT32_MAX))


def rescale_to(model: Model, kind: TensorType, decimals: Sequence[int]) -> Rescale:
    """The operator that brings an output of type `kind` to the targets' values in units of 10**-decimals."""
    steps = [kind.scale * float(scale) for scale in model.normalization.target_scale]
    offsets = [float(offset) for offset in model.normalization.target_offset]
    lines = [
        encode_line(max(Fraction(step) * Fraction(10) ** d, LEAST_FACTOR), Fraction(offset) * Fraction(10) ** d)
        for step, offset, d in zip(steps, offsets, decimals, strict=True)
    ]
    multiplier, constant, shift, prescale = zip(*lines, strict=True)
    bytes_ = (np.array(values, np.uint8) for values in (shift, prescale))
    return Rescale(np.array(decimals, np.int16), np.array(multiplier, np.int32), np.array(constant, np.int64), *bytes_)


def unit_decimals(step: float, offset: float, wanted: int) -> int:
    """The decimals of a value's unit: at least `wanted` and enough to show an output step, if int32 has the room."""
    decimals = wanted
    while step * 10.0**decimals < 1 and decimals < wanted + 4:
        decimals += 1
    while not fits_int32(step, offset, decimals):
        decimals -= 1
    return decimals


def fits_int32(step: float, offset: float, decimals: int) -> bool:
    """Is there room for values in units of 10**-decimals, an output step of `step` from each other, around `offset`?"""
    return step * 10.0**decimals < MAX_FACTOR and abs(offset) * 10.0**decimals < MAX_OFFSET
