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
from qnn.ops.add import Add as AddOp
from qnn.ops.add import factor_limit


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
        """One integer add: each input times its scale, both as large as the accumulator lets them be."""
        y = lowering.output
        unit = max(x.scale / factor_limit(x, lowering.types) for x in lowering.types)  # the real value of a step of acc
        factor1, factor2 = (math.floor(x.scale / unit + 0.5) for x in lowering.types)
        offset = -(factor1 * lowering.types[0].zero_point + factor2 * lowering.types[1].zero_point)
        factor = np.array([unit / y.scale])
        constants = requantization(factor, y.zero_point, y.low, y.high)
        return lowered(lowering, AddOp(factor1, factor2, offset, constants))
