# SPDX-License-Identifier: MIT
"""What conv2d and depthwise_conv2d share: filters that slide over padded maps (SPEC 5.7)."""

from __future__ import annotations

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.accumulate import channel_bounds, check_accumulator
from qnn.ops.op import Op, TensorType, expect
from qnn.ops.window import Window


class Convolution(Op):
    """An operator with a window, int8 weights (O, ...), a bias per filter, padding and one requantization a filter."""

    window: Window
    weights: np.ndarray
    bias: np.ndarray
    pad_value: int
    requantization: Requantization

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return (self.window.out_height, self.window.out_width, len(self.weights))

    def check_filters(self, subject: str, x: TensorType, output: TensorType, shape: tuple[int, ...]) -> None:
        """Raises QnnError unless the weights have `shape` and every field, bound and type fits."""
        expect(x.dtype == "uint8" and output.dtype in ("uint8", "int16"), subject, f"{self.kind} takes uint8")
        self.window.check(subject, x)
        expect(self.weights.dtype == np.int8 and self.weights.shape == shape, subject, "its weights do not fit")
        expect(x.low <= self.pad_value <= x.high, subject, "its padding is not a value of its input")
        check_accumulator(subject, self.weights, self.bias, x)
        self.requantization.check(subject, len(self.weights), self.accumulator_bound((x,)))
        expect((self.requantization.low, self.requantization.high) == (output.low, output.high), subject, "its clamp")

    def accumulator_bound(self, inputs: tuple[TensorType, ...]) -> tuple[int, int]:
        low, high = channel_bounds(self.weights, self.bias, inputs[0])
        return int(low.min()), int(high.max())

    def macs(self, inputs: tuple[TensorType, ...], output: TensorType) -> int:
        return int(self.weights.size) * self.window.pixels
