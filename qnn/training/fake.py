# SPDX-License-Identifier: MIT
"""Layers that compute as the integer network will, and pass gradients on as if they did not round.

Weights have learned steps: LSQ, Esser et al. 2020, "Learned step size quantization" (arXiv 1902.08153). Rounding passes
gradients straight through (Bengio et al. 2013); what is clipped passes none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qnn.graph import Node
from qnn.layers.layer import Arrays, Layer, Shape, Traits
from qnn.lowering import Lowering
from qnn.precision import weight_limits

TIE = 2.0**-14  # steps: halves, as the mean of four bytes often is, are rounded up in spite of float32's own errors


def steps_of(logarithms: np.ndarray) -> np.ndarray:
    """float32 (O,): the steps whose logarithms are trained, so that they stay positive and change by parts of them."""
    return np.exp(logarithms.astype(np.float64)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class FakeWeights(Traits):
    """A layer with weights of `bits`. Parameters: the layer's weights (O, ...) and bias (O,), logarithms of steps (O,).

    scale: of its input's integers. columns, offsets: float64, () or one for each input feature, where the reals of the
    inputs are columns * q + offsets (a Grid); then its input is columns * q, and the bias takes the offsets.
    """

    kind: ClassVar[str] = "fake_weights"
    layer: Layer
    bits: int
    scale: float
    columns: np.ndarray
    offsets: np.ndarray

    def check(self) -> None:
        self.layer.check()

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        return self.layer.output_shape(shapes)

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        weights, bias = self.layer.parameter_shapes(shapes)
        return weights, bias, bias

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        raise TypeError("layers that learn their steps begin with trained weights")

    def macs(self, shapes: tuple[Shape, ...]) -> int:
        return self.layer.macs(shapes)

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        weights, bias, logarithms = parameters
        steps = steps_of(logarithms).astype(np.float64)
        column = steps.reshape(-1, *(1,) * (weights.ndim - 1))
        exact = weights * self.columns / column  # float64, as in qnn.weights
        rounded = np.clip(np.floor(exact + 0.5), *weight_limits(self.bits))
        real = (rounded * column * self._shares()).astype(inputs[0].dtype)
        unit = self.scale * steps
        whole = bias.astype(np.float64)
        if self.offsets.ndim:
            whole += (weights * self.offsets).sum(axis=1)
        shift = (np.floor(whole / unit + 0.5) * unit).astype(inputs[0].dtype)
        output, saved = self.layer.forward(inputs, (real, shift), rng)
        return output, (saved, real, shift, exact, rounded, steps)

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        inner, real, shift, exact, rounded, steps = saved
        by_inputs, (by_real, by_bias) = self.layer.backward(gradient, inner, (real, shift), inputs_wanted)
        low, high = weight_limits(self.bits)
        inside = (exact >= low) & (exact <= high)
        slopes = by_real * self._shares() * (rounded - np.where(inside, exact, 0.0))
        by_steps = slopes.reshape(len(steps), -1).sum(axis=1)
        by_steps *= steps / np.sqrt(real[0].size * high)  # LSQ's scale, and the logarithm's slope
        by_weights = by_real * inside
        if self.offsets.ndim:
            by_weights += np.outer(by_bias, self.offsets).astype(by_weights.dtype)
        return by_inputs, (by_weights, by_bias, by_steps.astype(by_bias.dtype))

    def _shares(self) -> np.ndarray:
        """1 / columns, 0 for a column of 0."""
        return np.divide(1.0, self.columns, out=np.zeros_like(self.columns), where=self.columns != 0)

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        raise TypeError("layers that learn their steps are replaced before they are lowered")


@dataclass(frozen=True, eq=False)
class FakeRange(Traits):
    """y = scale * clip(round((x - offset) / scale), low, high) + shift.

    scale, offset, shift: float64, () or per feature. A feature whose scale is 0 becomes the shift.
    """

    kind: ClassVar[str] = "fake_range"
    scale: np.ndarray
    offset: np.ndarray
    shift: np.ndarray
    low: int
    high: int

    def check(self) -> None:
        """Nothing to check."""

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        return shapes[0]

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ()

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        return ()

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        share = np.divide(1.0, self.scale, out=np.zeros_like(self.scale), where=self.scale != 0)
        steps = x * share.astype(x.dtype)
        steps += (0.5 + TIE - self.offset * share).astype(x.dtype)
        np.floor(steps, out=steps)
        rounded = np.clip(steps, x.dtype.type(self.low), x.dtype.type(self.high))
        inside = rounded == steps
        rounded *= self.scale.astype(x.dtype)
        rounded += self.shift.astype(x.dtype)
        return rounded, inside

    def backward(
        self, gradient: np.ndarray, saved: np.ndarray, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (gradient * saved,), ()

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        raise TypeError("ranges that are only followed while training are replaced before they are lowered")
