# SPDX-License-Identifier: MIT
"""Layers with weights that compute as the integer network will, and pass gradients on as if they did not round.

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
from qnn.training.fakerange import steps_of


@dataclass(frozen=True, eq=False)
class FakeWeights(Traits):
    """A layer with weights of `bits`. Parameters: the layer's weights (O, ...) and bias (O,), logarithms of steps (O,).

    Inputs: the layer's, and the step of its integers where that is learned; `scale` is it where it is not.
    columns, offsets: float64, () or one for each input feature, where the reals of the inputs are columns * q + offsets
    (a Grid); then its input is columns * q, and the bias takes the offsets.
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
        return self.layer.output_shape(shapes[:1])

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        weights, bias = self.layer.parameter_shapes(shapes[:1])
        return weights, bias, bias

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        raise TypeError("layers that learn their steps begin with trained weights")

    def macs(self, shapes: tuple[Shape, ...]) -> int:
        return self.layer.macs(shapes[:1])

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        weights, bias, logarithms = parameters
        steps = steps_of(logarithms).astype(np.float64)
        column = steps.reshape(-1, *(1,) * (weights.ndim - 1))
        exact = weights * self.columns / column  # float64, as in qnn.weights
        rounded = np.clip(np.floor(exact + 0.5), *weight_limits(self.bits))
        real = (rounded * column * self._shares()).astype(inputs[0].dtype)
        unit = (self.scale if len(inputs) == 1 else float(inputs[1])) * steps
        whole = bias.astype(np.float64)
        if self.offsets.ndim:
            whole += (weights * self.offsets).sum(axis=1)
        shift = (np.floor(whole / unit + 0.5) * unit).astype(inputs[0].dtype)
        output, saved = self.layer.forward(inputs[:1], (real, shift), rng)
        return output, (saved, real, shift, exact, rounded, steps, inputs[1:])

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        inner, real, shift, exact, rounded, steps, unit = saved
        by_inputs, (by_real, by_bias) = self.layer.backward(gradient, inner, (real, shift), inputs_wanted)
        by_inputs += tuple(np.zeros_like(step) for step in unit if inputs_wanted)  # rounding the bias passes none on
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
