# SPDX-License-Identifier: MIT
"""flatten: (H, W, C) to (H * W * C,), row by row, channels last."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.layers.elementwise import Elementwise
from qnn.layers.layer import Arrays, Shape, only


@dataclass(frozen=True)
class Flatten(Elementwise):
    """The same values in one dimension."""

    kind: ClassVar[str] = "flatten"
    homogeneous: ClassVar[bool] = True
    vanishes: ClassVar[bool] = True

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        return (math.prod(only(shapes, self.kind)),)

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Shape]:
        (x,) = inputs
        return x.reshape(len(x), -1), x.shape

    def backward(
        self, gradient: np.ndarray, saved: Shape, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (gradient.reshape(saved),), ()
