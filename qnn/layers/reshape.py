# SPDX-License-Identifier: MIT
"""reshape: the same values, row by row and channels last, in maps of another shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.layers.elementwise import Elementwise
from qnn.layers.layer import Arrays, Shape, only

MAX_SIDE = 1 << 16


@dataclass(frozen=True)
class Reshape(Elementwise):
    """Samples of any shape as maps (height, width, channels); height 0: as sequences (width, channels)."""

    kind: ClassVar[str] = "reshape"
    homogeneous: ClassVar[bool] = True
    vanishes: ClassVar[bool] = True
    height: int
    width: int
    channels: int

    @property
    def shape(self) -> Shape:
        """One sample's shape."""
        return (self.height, self.width, self.channels) if self.height else (self.width, self.channels)

    def check(self) -> None:
        if min(self.shape) < 1 or max(self.shape) > MAX_SIDE:
            raise QnnError("reshape", f"to {self.shape} is impossible", 'write "reshape 28x28x1"')

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        shape = only(shapes, self.kind)
        if math.prod(shape) != math.prod(self.shape):
            wanted = f"{math.prod(shape)} values, not {math.prod(self.shape)}"
            raise QnnError("reshape", f"cannot make {self.shape} of {shape}", f"name a shape of {wanted}")
        return self.shape

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Shape]:
        (x,) = inputs
        return x.reshape(len(x), *self.shape), x.shape

    def backward(
        self, gradient: np.ndarray, saved: Shape, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (gradient.reshape(saved),), ()
