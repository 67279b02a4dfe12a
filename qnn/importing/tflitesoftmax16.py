# SPDX-License-Identifier: MIT
"""SOFTMAX of int16 tensors in TensorFlow Lite files, and its tables as TensorFlow Lite Micro makes them.

Source: that framework's lut.h and softmax_common.cc, whose tables are made in float32. Each entry is moved by half of
what a line between the entries would be off by in its middle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.importing.conversion import Conversion, Converted, activation_type
from qnn.importing.tflm import gemmlowp, quantized_multiplier
from qnn.ops.softmax16 import LARGEST, LAST, LINES, MAX_CLASSES, Softmax16

DEPTH = 10.0  # exp of less than -10 is 0
LEAST_SHIFT, MOST_SHIFT = -14, 14  # of the factor to places: it is below 2**14, and 2**-15 or more


def exponentials() -> np.ndarray:
    """int16 (513,): exp on -10..0."""
    return _lines(lambda v: np.exp(v.astype(np.float64)).astype(np.float32), -DEPTH, 0)


def reciprocals() -> np.ndarray:
    """int16 (513,): 1 / (1 + v) on 0..1."""
    return _lines(lambda v: np.float32(1) / (np.float32(1) + v), 0, 1)


def _lines(function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> np.ndarray:
    """int16 (513,): the function in steps of 1/32768, of float32 arrays, at the ends of 512 parts of low..high."""
    unit, index = np.float32(32768), np.arange(LINES + 1, dtype=np.float32)
    step = np.float32((np.float32(high) - np.float32(low)) / np.float32(LINES))
    ends = np.float32(low) + index * step
    values, middles = function(ends) * unit, _rounded(function(ends[:-1] + step / 2) * unit)
    entries = _rounded(values)
    between = _rounded((values[1:] + entries[:-1]) / 2)
    entries[:-1] -= _rounded((between - middles) / 2)
    return np.minimum(entries, LARGEST).astype(np.int16)


def _rounded(values: np.ndarray) -> np.ndarray:
    """float32 values rounded half away from zero."""
    return np.copysign(np.floor(np.abs(values) + np.float32(0.5)), values)


def place_scale(factor: float) -> Requantization:
    """From distances to the maximum, at most 0, to places in the table: 65535 is no distance."""
    return gemmlowp(np.array([factor]), LAST, 0, LAST)


def softmax16(at: Conversion) -> Converted:
    """SOFTMAX over the last axis: the output's scale is 1/32768."""
    source, x, kind = at.source(0), at.tensor(0), activation_type(at.output, at)
    if kind.dtype != "int16" or kind.scale != 1 / 32768 or not x.shape:
        raise at.refused(f"has an output of scale {kind.scale}", "its scale is 1/32768 by definition")
    if x.shape[-1] > MAX_CLASSES:
        raise at.refused(f"has {x.shape[-1]} classes", f"use at most {MAX_CLASSES}")
    beta = float(np.float32(at.option("Beta", 1.0)))
    factor = float(x.scales[0]) * beta / (DEPTH / LAST)
    usable = math.isfinite(factor) and factor > 0
    if not usable or not LEAST_SHIFT <= quantized_multiplier(factor)[1] <= MOST_SHIFT:
        raise at.refused(f"has an input of scale {x.scales[0]} and beta {beta}", "quantize the model again")
    op = Softmax16(x.shape[-1], place_scale(factor), exponentials(), reciprocals())
    typed = replace(kind, low=0, high=LARGEST)
    return Converted((at.made(op, (source,), typed),))
