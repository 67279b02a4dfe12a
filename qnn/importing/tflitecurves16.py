# SPDX-License-Identifier: MIT
"""Functions of one int16 value in TensorFlow Lite files, as TensorFlow Lite Micro computes them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from qnn.importing.conversion import Conversion, Converted, activation_type, clamped
from qnn.importing.tflm import gemmlowp
from qnn.ops.retype import Retype
from qnn.ops.sigmoid16 import Sigmoid16

STEP = 0.041668321  # between the arguments of the framework's table, as its entries tell
AWAY = ((4, 1), (35, 1), (69, -1), (71, -1), (117, -1), (174, -1), (255, 1))  # entries that are no nearest values of it
TABLE_SCALE = 4096 * 3.0  # table steps of a power of two, and a third more, so that 256 entries reach 10.7
LARGEST_MULTIPLIER = ((1 << 15) - 1) / 2


def logistic_table() -> np.ndarray:
    """uint16 (256,): the framework's table of 65536 / (1 + exp(-x)), which the tests compare on every input."""
    entries = np.floor(65536 / (1 + np.exp(-np.arange(256) * STEP)) + 0.5).astype(np.int64)
    for index, away in AWAY:
        entries[index] += away
    return entries.astype(np.uint16)


def sigmoid(at: Conversion) -> Converted:
    """LOGISTIC and TANH: the output's scale is 1/32768."""
    kind, scale = activation_type(at.output, at), float(at.tensor(0).scales[0])
    if kind.scale != 1 / 32768:
        raise at.refused(f"has an output of scale {kind.scale}", "its scale is 1/32768 by definition")
    if scale == 1 / 4096:
        multiplier, shift = 3, 0
    else:
        factor, shift = scale * TABLE_SCALE, 0
        while factor <= LARGEST_MULTIPLIER and shift <= 30:
            factor, shift = factor * 2, shift + 1
        multiplier = int(factor)
    op = Sigmoid16(multiplier, shift, int(at.op.kind == "TANH"), logistic_table())
    return Converted((at.made(op, (at.source(0),), kind),))


def clamp(at: Conversion) -> Converted:
    """RELU and RELU6: a change of scale that clamps."""
    lowest, highest = {"RELU": (0.0, math.inf), "RELU6": (0.0, 6.0)}[at.op.kind]
    x, y = at.tensor(0), at.output
    kind = activation_type(y, at)
    if at.op.kind == "RELU6" and x.scales[0] != y.scales[0]:
        raise at.refused("has another scale behind it than before it", "quantize the model again")
    low, high = clamped(y, lowest, highest)
    factor = np.array([float(x.scales[0]) / float(y.scales[0])])
    constants = gemmlowp(factor, 0, low, high)
    typed = replace(kind, low=low, high=high)
    return Converted((at.made(Retype(0, constants), (at.source(0),), typed),))
