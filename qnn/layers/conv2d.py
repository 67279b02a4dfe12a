# SPDX-License-Identifier: MIT
"""conv2d: filters slide over maps; every output pixel is a weighted sum of a window, plus a bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qnn.graph import Node
from qnn.layers.convolve import by_maps, by_weights, convolve
from qnn.layers.initial import initial_weights
from qnn.layers.layer import Arrays, Shape, only
from qnn.layers.maps import innermost, outermost
from qnn.layers.maps import sums as channel_sums
from qnn.layers.sliding import SlidingLayer, check_filters, check_weights, convolution_weights
from qnn.layers.window import map_shape
from qnn.lowering import Lowering, lowered
from qnn.ops.conv2d import Conv2d as Conv2dOp


@dataclass(frozen=True)
class Conv2d(SlidingLayer):
    """y[n, r, s, o] = bias[o] + sum of x[n, window of (r, s), c] * weights[o, i, j, c]; weights (O, KH, KW, C).

    Padding counts as 0. Samples (H, W, C).
    """

    kind: ClassVar[str] = "conv2d"
    has_weights: ClassVar[bool] = True
    requantizes: ClassVar[bool] = True
    pairs_weights: ClassVar[bool] = True
    filters: int
    kernel_height: int
    kernel_width: int
    stride_height: int = 1
    stride_width: int = 1
    padding: str = "valid"

    @property
    def subject(self) -> str:
        """Words for errors."""
        return f"conv {self.kernel_height}x{self.kernel_width} {self.filters}"

    def check(self) -> None:
        super().check()
        check_filters(self.subject, self.filters)

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        window = self.window(only(shapes, self.kind))
        check_weights(self.subject, self.filters * window.taps * window.channels)
        return map_shape(window, self.filters, shapes[0])

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (self.filters, self.kernel_height, self.kernel_width, shapes[0][-1]), (self.filters,)

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        weights, bias = self.parameter_shapes(shapes)
        taps = self.kernel_height * self.kernel_width
        inputs, outputs = taps * weights[3], taps * self.filters
        return initial_weights(weights, inputs, outputs, rng, init), np.zeros(bias, np.float32)

    def macs(self, shapes: tuple[Shape, ...]) -> int:
        window = self.window(shapes[0])
        return window.pixels * window.taps * window.channels * self.filters

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        (x,), (weights, bias) = inputs, parameters
        window = self.window(x.shape[1:])
        sums, windows = convolve(innermost(x), weights, window)  # (R, S, O, N), (R, S, K, N)
        sums += bias[:, None]
        return outermost(sums, x.ndim), (windows, window, x.ndim)

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        windows, window, dimensions = saved
        by_sums = innermost(gradient)  # (R, S, O, N)
        by_parameters = (by_weights(by_sums, windows, window), channel_sums(by_sums).astype(by_sums.dtype))
        if not inputs_wanted:
            return (), by_parameters
        return (outermost(by_maps(by_sums, parameters[0], window), dimensions),), by_parameters

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer conv2d; padding reads the input's zero point."""
        q = convolution_weights(lowering)
        window, (x,) = self.window(lowering.shapes[0]), lowering.types
        return lowered(lowering, Conv2dOp(window, q.weights, q.bias, x.zero_point, *q.constants))
