# SPDX-License-Identifier: MIT
"""concat: the channels of two tensors side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.graph import Node
from qnn.layers.layer import Arrays, Shape, Traits
from qnn.layers.maps import innermost, outermost
from qnn.lowering import Lowering, lowered
from qnn.ops.concat import Concat as ConcatOp


@dataclass(frozen=True)
class Concat(Traits):
    """y[n, ..., :] = x1[n, ..., :] followed by x2[n, ..., :]; two inputs whose shapes differ in channels only."""

    kind: ClassVar[str] = "concat"
    keeps_type: ClassVar[bool] = True

    def check(self) -> None:
        """Nothing to check."""

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        if len(shapes) != 2 or shapes[0][:-1] != shapes[1][:-1]:
            raise QnnError("concat", f"cannot join shapes {', '.join(map(str, shapes))}", "give it two of one map size")
        return (*shapes[0][:-1], shapes[0][-1] + shapes[1][-1])

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ()

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        return ()

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, int]:
        one, other = inputs
        if one.ndim == 2:
            return np.concatenate(inputs, axis=1), one.shape[-1]
        maps = np.concatenate([innermost(one), innermost(other)], axis=2)
        return outermost(maps, one.ndim), one.shape[-1]

    def backward(
        self, gradient: np.ndarray, saved: int, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (gradient[..., :saved], gradient[..., saved:]), ()

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer concat of tensors that share scale and zero point."""
        one, other = lowering.shapes
        return lowered(lowering, ConcatOp(one[-1], other[-1]))
