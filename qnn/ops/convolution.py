# SPDX-License-Identifier: MIT
"""What conv2d and depthwise_conv2d share: filters that slide over padded maps (SPEC 5.7)."""

from __future__ import annotations

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.accumulate import channel_bounds, check_rounding, check_sums, finished
from qnn.ops.ckernel import CKernel
from qnn.ops.op import Op, TensorType, expect
from qnn.ops.requantize import Finish, finish
from qnn.ops.tight import tight
from qnn.ops.wide import Sums
from qnn.ops.window import Window


class Convolution(Op):
    """An operator with a window, weights (O, ...), a bias per filter, padding and one requantization a filter."""

    window: Window
    weights: np.ndarray
    bias: np.ndarray
    pad_value: int
    requantization: Requantization
    rounding_shift: int

    @property
    def sums(self) -> Sums:
        """What it shares with dense."""
        return Sums(self.weights, self.bias, self.rounding_shift, self.requantization)

    def finish(self, accumulator: np.ndarray) -> np.ndarray:
        """The results of int64 accumulators (..., O)."""
        return finished(accumulator, self.rounding_shift, self.requantization)

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return (self.window.out_height, self.window.out_width, len(self.weights))

    def check_filters(self, subject: str, x: TensorType, output: TensorType, shape: tuple[int, ...]) -> None:
        """Raises QnnError unless the weights have `shape` and every field, bound and type fits."""
        expect(x.activation and output.result, subject, f"{self.kind} takes and gives uint8 or int16")
        self.window.check(subject, x)
        expect(self.weights.shape == shape, subject, "its weights do not fit")
        expect(x.low <= self.pad_value <= x.high, subject, "its padding is not a value of its input")
        bound = check_sums(subject, self.weights, self.bias, self.rounding_shift, self.requantization, x)
        check_rounding(subject, self.requantization, self.rounding_shift)
        self.requantization.check(subject, len(self.weights), bound)
        expect((self.requantization.low, self.requantization.high) == (output.low, output.high), subject, "its clamp")

    def accumulator_bound(self, inputs: tuple[TensorType, ...]) -> tuple[int, int]:
        low, high = channel_bounds(self.weights, self.bias, inputs[0])
        return int(low.min()), int(high.max())

    def ending(self, x: TensorType) -> Finish:
        """How a kernel's 32-bit sums become results."""
        return finish(self.requantization, self.bias, *channel_bounds(self.weights, self.bias, x))

    def tight_kernel(self, inputs: tuple[TensorType, ...], output: TensorType, kernel: CKernel) -> CKernel | None:
        return tight(kernel)

    def macs(self, inputs: tuple[TensorType, ...], output: TensorType) -> int:
        return int(self.weights.size) * self.window.pixels
