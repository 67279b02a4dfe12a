# SPDX-License-Identifier: MIT
"""What layers without parameters share: any shape in, the same shape out."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from qnn.graph import Node
from qnn.layers.layer import Arrays, Shape, Traits, only
from qnn.lowering import Lowering, table_node


class Elementwise(Traits):
    """One input, one output of its shape, no parameters; one table in the integer graph."""

    kind: ClassVar[str]

    def check(self) -> None:
        """Nothing to check."""

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        return only(shapes, self.kind)

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ()

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        return ()

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        """The output and what backward needs; each layer has its own."""
        raise TypeError("an elementwise layer lacks its forward function")

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        return table_node(lowering, lambda reals: self.forward((reals,), (), None)[0])
