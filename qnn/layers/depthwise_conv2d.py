# SPDX-License-Identifier: MIT
"""depthwise_conv2d: every channel has filters of its own, `multiplier` of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qnn.graph import Node
from qnn.layers.initial import initial_weights
from qnn.layers.layer import Arrays, Shape, only
from qnn.layers.maps import frame_gradient, framed, innermost, outermost, tap
from qnn.layers.maps import sums as channel_sums
from qnn.layers.sliding import SlidingLayer, check_filters, check_weights, convolution_weights
from qnn.layers.window import map_shape
from qnn.lowering import Lowering, lowered
from qnn.ops.depthwise_conv2d import DepthwiseConv2d as DepthwiseConv2dOp
from qnn.ops.window import Window


@dataclass(frozen=True)
class DepthwiseConv2d(SlidingLayer):
    """y[n, r, s, o] = bias[o] + sum of x[n, window of (r, s), o // multiplier] * weights[o, i, j]; o < C * multiplier.

    weights (C * multiplier, KH, KW). Padding counts as 0. Samples (H, W, C).
    """

    kind: ClassVar[str] = "depthwise_conv2d"
    has_weights: ClassVar[bool] = True
    requantizes: ClassVar[bool] = True
    kernel_height: int
    kernel_width: int
    multiplier: int = 1
    stride_height: int = 1
    stride_width: int = 1
    padding: str = "valid"

    @property
    def subject(self) -> str:
        """Words for errors."""
        return f"depthwise {self.kernel_height}x{self.kernel_width}"

    def check(self) -> None:
        super().check()
        check_filters(f"{self.subject} mult {self.multiplier}", self.multiplier)

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        window = self.window(only(shapes, self.kind))
        filters = window.channels * self.multiplier
        check_weights(self.subject, filters * window.taps, filters)
        return map_shape(window, filters, shapes[0])

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        filters = shapes[0][-1] * self.multiplier
        return (filters, self.kernel_height, self.kernel_width), (filters,)

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        weights, bias = self.parameter_shapes(shapes)
        taps = self.kernel_height * self.kernel_width
        return initial_weights(weights, taps, taps * self.multiplier, rng, init), np.zeros(bias, np.float32)

    def macs(self, shapes: tuple[Shape, ...]) -> int:
        window = self.window(shapes[0])
        return window.pixels * window.taps * window.channels * self.multiplier

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        (x,), (weights, bias) = inputs, parameters
        window = self.window(x.shape[1:])
        maps = framed(innermost(x), window, 0.0)
        channels, count = maps.shape[2:]
        kernels = weights.reshape(channels, self.multiplier, window.kernel_height, window.kernel_width)
        sums = np.empty((window.out_height, window.out_width, channels, self.multiplier, count), x.dtype)
        sums[...] = bias.reshape(channels, self.multiplier, 1)
        for row, column, index in _taps(window, self.multiplier):
            sums[:, :, :, index] += tap(maps, window, row, column) * kernels[:, index, row, column, None]
        return outermost(sums.reshape(*sums.shape[:2], -1, count), x.ndim), (maps, window, x.ndim)

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        maps, window, dimensions = saved
        channels, count = maps.shape[2:]
        kernels = parameters[0].reshape(channels, self.multiplier, window.kernel_height, window.kernel_width)
        by_sums = innermost(gradient).reshape(window.out_height, window.out_width, channels, self.multiplier, count)
        by_kernels = np.empty_like(kernels)
        whole, inside = frame_gradient(window, channels, count, gradient.dtype)
        for row, column, index in _taps(window, self.multiplier):
            by_filter = by_sums[:, :, :, index]
            by_kernels[:, index, row, column] = np.einsum("rscn,rscn->c", tap(maps, window, row, column), by_filter)
            if inputs_wanted:
                place = tap(whole, window, row, column)
                place += by_filter * kernels[:, index, row, column, None]
        by_parameters = (
            by_kernels.reshape(parameters[0].shape),
            channel_sums(innermost(gradient)).astype(gradient.dtype),
        )
        return ((outermost(inside, dimensions),) if inputs_wanted else ()), by_parameters

    def by_input(self, weights: np.ndarray) -> np.ndarray:
        """weights (C * multiplier, KH, KW) as (C, multiplier, KH, KW)."""
        return weights.reshape(-1, self.multiplier, *weights.shape[1:])

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer depthwise_conv2d; padding reads the input's zero point."""
        q = convolution_weights(lowering)
        window, (x,) = self.window(lowering.shapes[0]), lowering.types
        op = DepthwiseConv2dOp(window, self.multiplier, q.weights, q.bias, x.zero_point, *q.constants)
        return lowered(lowering, op)


def _taps(window: Window, multiplier: int) -> list[tuple[int, int, int]]:
    """Row, column and filter of every weight of a channel."""
    return [
        (row, column, index)
        for row in range(window.kernel_height)
        for column in range(window.kernel_width)
        for index in range(multiplier)
    ]
