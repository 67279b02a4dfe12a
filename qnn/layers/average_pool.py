# SPDX-License-Identifier: MIT
"""average_pool: the mean of each window, channel by channel; global_average_pool: the mean of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.fixedpoint import requantization
from qnn.graph import Node
from qnn.layers.layer import Arrays, Shape, Traits, only
from qnn.layers.maps import frame_gradient, framed, innermost, outermost, tap
from qnn.layers.pool import Pool
from qnn.layers.window import map_size
from qnn.lowering import Lowering, lowered
from qnn.ops.average_pool import AveragePool as AveragePoolOp
from qnn.ops.window import Window


@dataclass(frozen=True)
class AveragePool(Pool):
    """y[n, r, s, c] = mean of x[n, window of (r, s), c]; padding does not count. Samples (H, W, C) or (L, C)."""

    kind: ClassVar[str] = "average_pool"
    homogeneous: ClassVar[bool] = True
    requantizes: ClassVar[bool] = True
    word: ClassVar[str] = "avgpool"

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        window = self.window(x.shape[1:])
        maps = framed(innermost(x), window, 0.0)
        sums = tap(maps, window, 0, 0).copy()  # (R, S, C, N)
        for row, column in np.ndindex(window.kernel_height, window.kernel_width):
            if row or column:
                sums += tap(maps, window, row, column)
        share = _shares(window, x.dtype)  # (R, S, 1, 1)
        sums *= share
        return outermost(sums, x.ndim), (window, share, x.shape)

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        window, share, shape = saved
        by_taps = innermost(gradient) * share
        whole, inside = frame_gradient(window, shape[-1], shape[0], gradient.dtype)
        for row, column in np.ndindex(window.kernel_height, window.kernel_width):
            place = tap(whole, window, row, column)
            place += by_taps
        return (outermost(inside, len(shape)),), ()

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer average_pool."""
        return lower_average(lowering, self.window(lowering.shapes[0]))


@dataclass(frozen=True)
class GlobalAveragePool(Traits):
    """y[n, c] = mean of x[n, ..., c]; samples (H, W, C) or (L, C) become (C,)."""

    kind: ClassVar[str] = "global_average_pool"
    requantizes: ClassVar[bool] = True

    def check(self) -> None:
        """Nothing to check."""

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        shape = only(shapes, self.kind)
        if len(shape) not in (2, 3):
            raise QnnError("gap", f"cannot take samples of shape {shape}", "it needs maps: height, width, channels")
        return (shape[-1],)

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ()

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        return ()

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Shape]:
        (x,) = inputs
        return innermost(x).mean(axis=(0, 1)).T, x.shape

    def backward(
        self, gradient: np.ndarray, saved: Shape, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        height, width, channels = map_size(saved[1:])
        share = gradient.T * gradient.dtype.type(1.0 / (height * width))  # (C, N)
        maps = np.empty((height, width, channels, saved[0]), gradient.dtype)
        maps[...] = share
        return (outermost(maps, len(saved)),), ()

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer average_pool whose window is the whole map."""
        height, width, channels = map_size(lowering.shapes[0])
        return lower_average(lowering, Window(height, width, channels, height, width, 1, 1, 0, 0, 1, 1))


def lower_average(lowering: Lowering, window: Window) -> tuple[Node, ...]:
    """The integer average_pool over `window`: one constant for each number of positions inside the map."""
    (x,), y = lowering.types, lowering.output
    counts = np.arange(1, window.taps + 1) if window.pads else np.array([window.taps])
    constants = requantization(x.scale / (counts * y.scale), y.zero_point, y.low, y.high)
    return lowered(lowering, AveragePoolOp(window, x.zero_point, constants))


def _shares(window: Window, dtype: np.dtype) -> np.ndarray:
    """1 / n (R, S, 1, 1) for the n positions of every window that lie inside the map."""
    axes = (
        (window.height, window.kernel_height, window.stride_height, window.pad_top, window.out_height),
        (window.width, window.kernel_width, window.stride_width, window.pad_left, window.out_width),
    )
    inside = []
    for size, kernel, stride, pad, out in axes:
        first = np.arange(out) * stride - pad
        inside.append(np.minimum(first + kernel, size) - np.maximum(first, 0))
    return np.asarray(1.0 / np.multiply.outer(*inside), dtype)[:, :, None, None]
