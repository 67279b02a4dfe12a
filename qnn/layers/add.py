# SPDX-License-Identifier: MIT
"""add: the sum of two tensors, the end of a residual block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.fixedpoint import requantization
from qnn.graph import Node
from qnn.layers.layer import Arrays, Shape, Traits
from qnn.lowering import Lowering, lowered
from qnn.ops.add import FACTOR_BITS
from qnn.ops.add import Add as AddOp


@dataclass(frozen=True)
class Add(Traits):
    """y = x1 + x2, two inputs of one shape."""

    kind: ClassVar[str] = "add"
    requantizes: ClassVar[bool] = True

    def check(self) -> None:
        """Nothing to check."""

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        if len(shapes) != 2 or shapes[0] != shapes[1]:
            raise QnnError("add", f"cannot sum inputs of shapes {', '.join(map(str, shapes))}", "give it two alike")
        return shapes[0]

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ()

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        return ()

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, None]:
        return inputs[0] + inputs[1], None

    def backward(
        self, gradient: np.ndarray, saved: None, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (gradient, gradient), ()

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer add: each input times its scale, relative to the larger one."""
        y = lowering.output
        largest = max(x.scale for x in lowering.types)
        factor1, factor2 = (math.floor(x.scale / largest * (1 << FACTOR_BITS) + 0.5) for x in lowering.types)
        offset = -(factor1 * lowering.types[0].zero_point + factor2 * lowering.types[1].zero_point)
        factor = np.array([largest / ((1 << FACTOR_BITS) * y.scale)])
        constants = requantization(factor, y.zero_point, y.low, y.high)
        return lowered(lowering, AddOp(factor1, factor2, offset, constants))
