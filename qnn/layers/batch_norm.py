# SPDX-License-Identifier: MIT
"""batch_norm: every channel brought to mean 0 and variance 1 over the batch, then scaled and shifted.

Ioffe and Szegedy 2015. Outside training it is y = x * scale + shift with the statistics that training saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qnn.graph import Node
from qnn.layers.elementwise import Elementwise
from qnn.layers.layer import Arrays, Shape
from qnn.layers.maps import innermost, outermost, sums
from qnn.lowering import Lowering, lowered
from qnn.ops.depthwise_conv2d import DepthwiseConv2d as DepthwiseConv2dOp
from qnn.ops.window import Window
from qnn.weights import quantize_weights

EPSILON = 1e-5


@dataclass(frozen=True)
class BatchNorm(Elementwise):
    """y = (x - mean) / sqrt(variance + EPSILON) * gain + offset, per channel (the last axis).

    parameters: gain, offset, and the statistics mean and variance, (C,) each. In training mean and variance are those
    of the batch; the statistics follow them.
    """

    kind: ClassVar[str] = "batch_norm"
    scales_channels: ClassVar[bool] = True
    requantizes: ClassVar[bool] = True
    statistics: ClassVar[int] = 2

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ((shapes[0][-1],),) * 4

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        channels = shapes[0][-1]
        zeros, ones = np.zeros(channels, np.float32), np.ones(channels, np.float32)
        return ones, zeros, zeros.copy(), ones.copy()

    def macs(self, shapes: tuple[Shape, ...]) -> int:
        return 0  # it folds into the layer before it

    def measured(self, inputs: Arrays) -> Arrays:
        rows = _rows(inputs[0])
        mean, variance = _moments(rows)
        return mean, _unbiased(variance, rows)

    def scale_shift(self, parameters: Arrays) -> tuple[np.ndarray, np.ndarray]:
        gain, offset, mean, variance = (array.astype(np.float64) for array in parameters)
        scale = gain / np.sqrt(np.maximum(variance, 0.0) + EPSILON)
        return scale, offset - mean * scale

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        (x,), (gain, offset, mean, variance) = inputs, parameters
        rows = _rows(x)  # (P, C, N)
        if rng is not None:
            mean, variance = _moments(rows)
        inverse = 1.0 / np.sqrt(np.maximum(variance.astype(np.float64), 0.0) + EPSILON)
        scale = gain * inverse
        output = _scaled(rows, scale)
        _shift(output, offset - mean * scale)
        return _like(output, x), (rows, mean, variance, inverse, rng is not None)

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        rows, mean, variance, inverse, training = saved
        by_rows = _rows(gradient)  # (P, C, N)
        count = rows.shape[0] * rows.shape[2]
        total = sums(by_rows)
        product = np.einsum("pcn,pcn->pc", by_rows, rows).sum(axis=0, dtype=np.float64)
        by_gain = (product - mean * total) * inverse
        statistics = (mean, _unbiased(variance, rows)) if training else parameters[2:]
        by_parameters = tuple(array.astype(rows.dtype) for array in (by_gain, total, *statistics))
        if not inputs_wanted:
            return (), by_parameters
        scale = parameters[0] * inverse
        by_inputs = _scaled(by_rows, scale)
        if training:  # the batch's mean and variance move with the inputs
            slope = -scale * inverse * by_gain / count
            by_inputs += _scaled(rows, slope)
            _shift(by_inputs, -scale * total / count - slope * mean)
        return (_like(by_inputs, gradient),), by_parameters

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """A depthwise convolution 1x1, where no layer before it could take it in."""
        scale, shift = self.scale_shift(lowering.parameters)
        (x,), channels = lowering.types, len(scale)
        window = Window(x.elements // channels, 1, channels, 1, 1, 1, 1, 0, 0, x.elements // channels, 1)
        q = quantize_weights(scale.reshape(-1, 1, 1), shift, x, lowering.output, lowering.precision)
        return lowered(lowering, DepthwiseConv2dOp(window, 1, q.weights, q.bias, x.zero_point, *q.constants))


def _rows(x: np.ndarray) -> np.ndarray:
    """x (N, ..., C) as contiguous (P, C, N), P positions."""
    if x.ndim == 2:
        return np.ascontiguousarray(x.T)[None]
    maps = innermost(x)
    return maps.reshape(-1, *maps.shape[2:])


def _like(rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Rows (P, C, N) as (N, ..., C), shaped like x."""
    if x.ndim == 2:
        return rows[0].T
    return outermost(rows.reshape(-1, x.shape[-2], *rows.shape[1:]), x.ndim)


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float64 mean and variance (C,) of rows (P, C, N)."""
    count = rows.shape[0] * rows.shape[2]
    mean = sums(rows) / count
    squares = np.einsum("pcn,pcn->pc", rows, rows).sum(axis=0, dtype=np.float64) / count
    return mean, np.maximum(squares - mean * mean, 0.0)


def _unbiased(variance: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The variance of what `rows` are a sample of, from their own."""
    count = rows.shape[0] * rows.shape[2]
    return variance * (count / max(count - 1, 1))


def _scaled(rows: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """rows (P, C, N) times scale (C,), in one long inner loop."""
    flat = rows.reshape(len(rows), -1)
    return (flat * np.repeat(scale.astype(rows.dtype), rows.shape[2])).reshape(rows.shape)


def _shift(rows: np.ndarray, shift: np.ndarray) -> None:
    """Add shift (C,) to rows (P, C, N)."""
    flat = rows.reshape(len(rows), -1)
    flat += np.repeat(shift.astype(rows.dtype), rows.shape[2])
