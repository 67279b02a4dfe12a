# SPDX-License-Identifier: MIT
"""The kernels of the least code for layers with weights of 8 bits: c_runtime/qnn_dense_least.h, qnn_filters_least.h."""

from __future__ import annotations

import numpy as np

from qnn.fixedpoint import INT32_MAX, QNN
from qnn.ops.accumulate import channel_bounds
from qnn.ops.ckernel import WEIGHTS, CArray, CField, CKernel
from qnn.ops.op import TensorType
from qnn.ops.requantize import Finish
from qnn.ops.wide import MAX_SHORT_PRESCALE, MAX_SHORT_SIDE, Sums
from qnn.ops.window import Window

INT8_FLIP = 0x80  # makes the byte of an int8 that of the uint8 of 128 more


def least_dense_kernel(sums: Sums, x: TensorType, output: TensorType) -> CKernel | None:
    """The kernel of a dense layer of int8 weights and uint8 inputs; None where its requantization is another one.

    It has one zero point, a prescale whose code fits a byte, and no limit: acc * 2**prescale fits int32.
    """
    r, (outputs, count) = sums.requantization, sums.weights.shape
    low, high = channel_bounds(sums.weights, sums.bias, x)
    prescale, largest = int(r.prescale.max()), max(int(-low.min()), int(high.max()))
    if x.dtype != "uint8" or r.rounding != QNN or max(outputs, count) > MAX_SHORT_SIDE:
        return None
    if prescale > MAX_SHORT_PRESCALE or largest << prescale > INT32_MAX or np.any(r.zero_point != r.zero_point[0]):
        return None
    multiplier, shift, prescales = (
        np.broadcast_to(array, (outputs,)).astype(np.int64) for array in (r.multiplier, r.shift, r.prescale)
    )
    rows = np.concatenate([sums.weights, (shift - 1 + 32 * prescales).astype(np.int8)[:, None]], axis=1)
    fields = (
        CField("inputs", count),
        CField("outputs", outputs),
        CField("low", r.low),
        CField("high", r.high),
        CField("rounding", 2 * int(r.zero_point[0]) + 1),
        CField("wide", int(output.dtype == "int16")),
        CField("weights", CArray("int8_t", rows, WEIGHTS)),
        CField("constants", CArray("int32_t", np.stack([sums.bias, multiplier], axis=1), WEIGHTS)),
    )
    return CKernel("qnn_dense_least.h", "qnn_dense_least", "qnn_dense_least_t", fields)


def filters_kernel(
    window: Window, weights: np.ndarray, depth: int, pad_value: int, done: Finish, output: TensorType, flip: int = 0
) -> CKernel:
    """The kernel of int8 weights (O, ...) on uint8 maps, whose filters read `depth` channels: one, or all.

    flip: INT8_FLIP where the maps are int8, else 0.
    """
    fields = (
        CField("window", window.struct()),
        CField("filters", len(weights)),
        CField("depth", depth),
        CField("repeat", len(weights) * depth // window.channels),
        CField("pad_value", pad_value),
        CField("flip", flip),
        CField("wide", int(output.dtype == "int16")),
        CField("weights", CArray("int8_t", weights, WEIGHTS)),
        CField("bias", CArray("int32_t", done.bias, WEIGHTS)),
        CField("requantize", done.struct),
    )
    return CKernel("qnn_filters_least.h", "qnn_filters_least", "qnn_filters_least_t", fields)
