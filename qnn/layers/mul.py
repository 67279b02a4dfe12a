# SPDX-License-Identifier: MIT
"""mul: the product of two tensors, of imported models; the second may be one row of channels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.fixedpoint import requantization
from qnn.graph import Node
from qnn.layers.layer import Arrays, Shape, Traits
from qnn.lowering import Lowering, lowered
from qnn.ops.mul import Mul as MulOp


@dataclass(frozen=True)
class Mul(Traits):
    """y = x1 * x2; x2 has the shape of x1, or (C,) or (1, 1, C), which serves every pixel of x1."""

    kind: ClassVar[str] = "mul"
    requantizes: ClassVar[bool] = True

    def check(self) -> None:
        """Nothing to check."""

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        fits = len(shapes) == 2 and (shapes[0] == shapes[1] or math.prod(shapes[1]) == shapes[1][-1] == shapes[0][-1])
        if not fits:
            raise QnnError("mul", f"cannot multiply shapes {', '.join(map(str, shapes))}", "give it two alike")
        return shapes[0]

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ()

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        return ()

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        one, other = inputs
        whole = one.shape == other.shape
        spread = other if whole else other.reshape(len(other), *(1,) * (one.ndim - 2), other.shape[-1])
        return one * spread, (one, spread, other.shape)

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        one, spread, shape = saved
        by_other = gradient * one
        if one.shape != shape:
            by_other = by_other.sum(axis=tuple(range(1, one.ndim - 1))).reshape(shape)
        return (gradient * spread, by_other), ()

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer mul."""
        (one, other), y = lowering.types, lowering.output
        constants = requantization(np.array([one.scale * other.scale / y.scale]), y.zero_point, y.low, y.high)
        return lowered(lowering, MulOp(one.zero_point, other.zero_point, constants))
