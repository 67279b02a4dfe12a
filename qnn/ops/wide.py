# SPDX-License-Identifier: MIT
"""The kernels of weights and inputs of 16 bits, and of sums of 64 (SPEC 6.6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.fixedpoint import INT32_MAX, QNN, Requantization
from qnn.ops.accumulate import channel_bounds, narrowed
from qnn.ops.blocks import interleave_rows
from qnn.ops.ckernel import WEIGHTS, CArray, CField, CKernel, CStruct
from qnn.ops.op import TensorType
from qnn.ops.requantize import requantize_struct
from qnn.ops.window import Window

MAX_SHORT_SIDE = 65535  # uint16
MAX_SHORT_PRESCALE = 3  # so that the code of shift and prescale fits int8
BLOCK_PIXELS = 2  # that share one pass over the weights in c_runtime/qnn_conv2d_wide.h


@dataclass(frozen=True, eq=False)
class Sums:
    """What the operators with weights share: weights (O, ...), bias (O,), rounding shift, constants per output."""

    weights: np.ndarray
    bias: np.ndarray
    rounding_shift: int
    requantization: Requantization

    def weights_array(self, layout: np.ndarray) -> CArray:
        """The weights in flash, as `layout` has them."""
        return CArray("int16_t" if self.weights.dtype == np.int16 else "int8_t", layout, WEIGHTS)

    def bias_array(self) -> CArray:
        """The biases in flash, as wide as the sums."""
        return CArray("int64_t" if self.rounding_shift else "int32_t", self.bias, WEIGHTS)

    def constants(self) -> CStruct:
        """The requantization of each output."""
        return requantize_struct(self.requantization, len(self.weights), self.rounding_shift > 0)

    def suffix(self, x: TensorType) -> str:
        """What of the kernels' names says which of them it is."""
        weights = "w16" if self.weights.dtype == np.int16 else "w8"
        return f"{x.suffix}_{weights}{'_sum64' if self.rounding_shift else ''}"

    def reason(self, x: TensorType) -> str:
        """Why it is this kernel."""
        if self.rounding_shift:
            return "64-bit sums: they may leave 32 bits"
        return "16-bit inputs" if x.dtype == "int16" else "16-bit weights"


def is_wide(weights: np.ndarray, rounding_shift: int, x: TensorType) -> bool:
    """Do weights or inputs have 16 bits, or the sums 64?"""
    return weights.dtype == np.int16 or x.dtype == "int16" or rounding_shift > 0


def dense_kernel(sums: Sums, x: TensorType, output: TensorType) -> CKernel:
    """The kernel of a dense layer."""
    fields = _dense_fields(sums, output)
    name = f"qnn_dense_{sums.suffix(x)}"
    return CKernel("qnn_dense_wide.h", name, "qnn_dense_wide_t", fields, 0, sums.reason(x))


def _dense_fields(sums: Sums, output: TensorType) -> tuple[CField, ...]:
    rows = sums.weights.reshape(len(sums.weights), -1)
    return (
        CField("inputs", rows.shape[1]),
        CField("outputs", len(rows)),
        CField("weights", sums.weights_array(interleave_rows(rows))),
        CField("bias", sums.bias_array()),
        CField("rounding_shift", sums.rounding_shift),
        CField("wide", int(output.dtype == "int16")),
        CField("requantize", sums.constants()),
    )


def short_dense_kernel(sums: Sums, x: TensorType, output: TensorType) -> CKernel | None:
    """The kernel of a dense layer in a small model; None where c_runtime/qnn_dense_short_wide.h cannot round so."""
    constants, (outputs, count) = sums.requantization, sums.weights.shape
    prescale = int(constants.prescale.max())
    ends = [int(narrowed(end, sums.rounding_shift)) for end in _ends(sums, x)]
    kind = sums.weights.dtype == np.int8 and x.dtype == "uint8"
    if kind or constants.rounding != QNN or not output.activation or max(outputs, count) > MAX_SHORT_SIDE:
        return None
    if prescale > MAX_SHORT_PRESCALE or max(-ends[0], ends[1]) << prescale > INT32_MAX:
        return None
    if np.any(constants.zero_point != output.zero_point) or not 0 <= output.zero_point <= 255:
        return None
    multiplier, shift, prescales = (
        np.broadcast_to(array, (outputs,)).astype(np.int64)
        for array in (constants.multiplier, constants.shift, constants.prescale)
    )
    codes = (shift - 1 + 32 * prescales).astype(sums.weights.dtype)
    words = sums.bias.astype("<i8").view("<i4").reshape(outputs, 2)
    bias = words if sums.rounding_shift else words[:, :1]
    fields = (
        CField("inputs", count),
        CField("outputs", outputs),
        CField("low", constants.low),
        CField("high", constants.high),
        CField("zero_point", output.zero_point),
        CField("wide", int(output.dtype == "int16")),
        CField("rounding_shift", sums.rounding_shift),
        CField("weights", sums.weights_array(np.concatenate([sums.weights, codes[:, None]], axis=1))),
        CField("constants", CArray("int32_t", np.concatenate([bias, multiplier[:, None]], axis=1), WEIGHTS)),
    )
    name, struct = f"qnn_dense_short_{sums.suffix(x)}", "qnn_dense_short_wide_t"
    return CKernel("qnn_dense_short_wide.h", name, struct, fields, 0, sums.reason(x))


def _ends(sums: Sums, x: TensorType) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest accumulator."""
    lows, highs = channel_bounds(sums.weights, sums.bias, x)
    return lows.min(), highs.max()


def conv2d_kernel(sums: Sums, window: Window, pad_value: int, x: TensorType, output: TensorType) -> CKernel:
    """The kernel of a convolution: two windows at a time, or with 64-bit sums a dense layer for each."""
    name, column = f"qnn_conv2d_{sums.suffix(x)}", _column_bytes(window, x)
    if sums.rounding_shift:
        matrix = CField("filters", CStruct(_dense_fields(sums, output)))
        whole = (CField("window", window.struct()), CField("pad_value", pad_value), matrix)
        return CKernel("qnn_conv2d_sum64.h", name, "qnn_conv2d_sum64_t", whole, column, sums.reason(x))
    filters = len(sums.weights)
    fields = (
        CField("window", window.struct()),
        CField("filters", filters),
        CField("pad_value", pad_value),
        CField("wide", int(output.dtype == "int16")),
        CField("weights", sums.weights_array(interleave_rows(sums.weights.reshape(filters, -1)))),
        CField("bias", sums.bias_array()),
        CField("requantize", sums.constants()),
    )
    work = BLOCK_PIXELS * column
    return CKernel("qnn_conv2d_wide.h", name, "qnn_conv2d_wide_t", fields, work, sums.reason(x))


def depthwise_conv2d_kernel(
    sums: Sums, window: Window, multiplier: int, pad_value: int, x: TensorType, output: TensorType
) -> CKernel:
    """The kernel of a depthwise convolution."""
    fields = (
        CField("window", window.struct()),
        CField("multiplier", multiplier),
        CField("pad_value", pad_value),
        CField("rounding_shift", sums.rounding_shift),
        CField("wide", int(output.dtype == "int16")),
        CField("weights", sums.weights_array(sums.weights)),
        CField("bias", sums.bias_array()),
        CField("requantize", sums.constants()),
    )
    name, work = f"qnn_depthwise_conv2d_{sums.suffix(x)}", _column_bytes(window, x)
    struct = "qnn_depthwise_conv2d_wide_t"
    return CKernel("qnn_depthwise_conv2d_wide.h", name, struct, fields, work, sums.reason(x))


def _column_bytes(window: Window, x: TensorType) -> int:
    """Bytes of one packed window; where windows are read as they lie in the map, one, so that there is a workspace."""
    size = np.dtype(x.dtype).itemsize
    return window.taps * window.channels * size if window.taps > 1 else 1
