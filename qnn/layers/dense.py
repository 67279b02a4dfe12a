# SPDX-License-Identifier: MIT
"""dense: every output is a weighted sum of all inputs, plus a bias."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.graph import Node
from qnn.layers.initial import initial_weights
from qnn.layers.layer import Arrays, Shape, Traits, only
from qnn.lowering import Lowering
from qnn.ops.dense import Dense as DenseOp
from qnn.weights import quantize_weights

MAX_UNITS = 1 << 16
MAX_WEIGHTS = 1 << 26


@dataclass(frozen=True)
class Dense(Traits):
    """y[n, o] = bias[o] + sum_i x[n, i] * weights[o, i]; weights (O, I), bias (O,)."""

    kind: ClassVar[str] = "dense"
    has_weights: ClassVar[bool] = True
    requantizes: ClassVar[bool] = True
    pairs_weights: ClassVar[bool] = True
    takes_grid: ClassVar[bool] = True
    units: int

    def check(self) -> None:
        if not 1 <= self.units <= MAX_UNITS:
            raise QnnError(f"dense {self.units}", f"has an impossible width (1 to {MAX_UNITS})", "choose another width")

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        shape = only(shapes, self.kind)
        if len(shape) != 1:
            raise QnnError(f"dense {self.units}", f"cannot take samples of shape {shape}", 'put "flatten" before it')
        if self.units * math.prod(shape) > MAX_WEIGHTS:
            raise QnnError(
                f"dense {self.units}", f"has more than {MAX_WEIGHTS} weights on {shape[0]} inputs", "make it narrower"
            )
        return (self.units,)

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        (inputs,) = shapes[0]
        return (self.units, inputs), (self.units,)

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        weights, bias = self.parameter_shapes(shapes)
        return initial_weights(weights, weights[1], weights[0], rng, init), np.zeros(bias, np.float32)

    def macs(self, shapes: tuple[Shape, ...]) -> int:
        return self.units * math.prod(shapes[0])

    def forward(
        self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        (x,) = inputs  # (N, I)
        weights, bias = parameters
        output = x @ weights.T  # (N, O)
        output += bias
        return output, x

    def backward(
        self, gradient: np.ndarray, saved: np.ndarray, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        # gradient (N, O), saved (N, I)
        by_parameters = (gradient.T @ saved, gradient.sum(axis=0))  # (O, I), (O,)
        return ((gradient @ parameters[0],) if inputs_wanted else ()), by_parameters

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer dense; an input's scales and offsets per feature go into weights and bias before rounding."""
        weights, bias = (parameter.astype(np.float64) for parameter in lowering.parameters)
        (x,), grid = lowering.types, lowering.grid
        if grid is not None:
            products = weights * grid.offset
            bias = np.array([math.fsum([b, *row]) for b, row in zip(bias.tolist(), products.tolist(), strict=True)])
            weights = weights * grid.scale
        q = quantize_weights(weights, bias, x, lowering.output, lowering.precision)
        op = DenseOp(q.weights, q.bias, q.rounding_shift, q.requantization)
        return (Node(lowering.name, op, lowering.inputs, lowering.output),)
