# SPDX-License-Identifier: MIT
"""depthwise_conv2d: every channel has filters of its own (SPEC 5.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.ckernel import WEIGHTS, CArray, CField, CKernel
from qnn.ops.convolution import Convolution
from qnn.ops.least import filters_kernel
from qnn.ops.op import TensorType, expect
from qnn.ops.sweep import sweep_kernel, sweeps
from qnn.ops.wide import depthwise_conv2d_kernel, is_wide
from qnn.ops.window import Window


@dataclass(frozen=True, eq=False)
class DepthwiseConv2d(Convolution):
    """acc[r, c, o] = bias[o] + sum over taps of x[window, o // multiplier] * weights[o, tap].

    weights: int8 or int16 (O, kernel_height, kernel_width), O = channels * multiplier, symmetric. bias: int64 (O,); the
    input's zero point is folded into it. pad_value: what a tap outside the map reads. rounding_shift: as of dense.
    """

    kind: ClassVar[str] = "depthwise_conv2d"
    window: Window
    multiplier: int
    weights: np.ndarray
    bias: np.ndarray
    pad_value: int
    requantization: Requantization
    rounding_shift: int = 0

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        expect(self.multiplier >= 1, subject, "its multiplier is not positive")
        shape = (self.window.channels * self.multiplier, self.window.kernel_height, self.window.kernel_width)
        self.check_filters(subject, inputs[0], output, shape)

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        columns = self.window.columns(inputs[0], self.pad_value)  # (N, R, C, channels, KH, KW)
        weights = self.weights.astype(np.int64)
        accumulator = np.zeros((*columns.shape[:3], len(weights)), np.int64) + self.bias
        for i in range(self.window.kernel_height):
            for j in range(self.window.kernel_width):
                spread = np.repeat(columns[..., i, j], self.multiplier, axis=-1)
                accumulator = accumulator + spread * weights[:, i, j]
        return self.finish(accumulator)

    def least_kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel | None:
        (x,) = inputs
        if is_wide(self.weights, self.rounding_shift, x):
            return None
        return filters_kernel(self.window, self.weights, 1, self.pad_value, self.ending(x), output)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        (x,) = inputs
        if is_wide(self.weights, self.rounding_shift, x):
            return depthwise_conv2d_kernel(self.sums, self.window, self.multiplier, self.pad_value, x, output)
        done = self.ending(x)
        if sweeps(self.window):
            return sweep_kernel(self.window, self.multiplier, self.weights, self.pad_value, done, output.suffix)
        fields = (
            CField("window", self.window.struct()),
            CField("multiplier", self.multiplier),
            CField("pad_value", self.pad_value),
            CField("weights", CArray("int8_t", self.weights, WEIGHTS)),
            CField("bias", CArray("int32_t", done.bias, WEIGHTS)),
            CField("requantize", done.struct),
        )
        name = f"qnn_depthwise_conv2d_u8_{output.suffix}"
        column = self.window.taps * self.window.channels
        return CKernel("qnn_depthwise_conv2d.h", name, "qnn_depthwise_conv2d_t", fields, column)
