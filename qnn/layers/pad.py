# SPDX-License-Identifier: MIT
"""pad: a frame of zeros around maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.graph import Node
from qnn.layers.elementwise import Elementwise
from qnn.layers.layer import Arrays, Shape, only
from qnn.layers.maps import innermost, outermost
from qnn.layers.window import map_size
from qnn.lowering import Lowering, lowered
from qnn.ops.pad import Pad as PadOp

MAX_PAD = 64


@dataclass(frozen=True)
class Pad(Elementwise):
    """Rows of zeros above and below and columns left and right of maps (H, W, C); of (L, C) left and right only."""

    kind: ClassVar[str] = "pad"
    homogeneous: ClassVar[bool] = True
    keeps_type: ClassVar[bool] = True
    top: int
    bottom: int
    left: int
    right: int

    def check(self) -> None:
        if not all(0 <= size <= MAX_PAD for size in (self.top, self.bottom, self.left, self.right)):
            raise QnnError("pad", f"has a side outside 0..{MAX_PAD}", 'write "pad 1" or "pad TOP BOTTOM LEFT RIGHT"')

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        shape = only(shapes, self.kind)
        if len(shape) not in (2, 3) or (len(shape) == 2 and (self.top or self.bottom)):
            remedy = "it needs maps: height, width, channels" if len(shape) != 2 else 'write "pad 0 0 LEFT RIGHT"'
            raise QnnError("pad", f"cannot frame samples of shape {shape}", remedy)
        rows = () if len(shape) == 2 else (shape[0] + self.top + self.bottom,)
        return (*rows, shape[-2] + self.left + self.right, shape[-1])

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        maps = innermost(inputs[0])
        frame = ((self.top, self.bottom), (self.left, self.right), (0, 0), (0, 0))
        return outermost(np.pad(maps, frame), inputs[0].ndim), maps.shape

    def backward(
        self, gradient: np.ndarray, saved: Shape, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        height, width = saved[:2]
        inside = innermost(gradient)[self.top : self.top + height, self.left : self.left + width]
        return (outermost(inside, gradient.ndim),), ()

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer pad with the input's zero point."""
        (x,) = lowering.types
        frame = (self.top, self.bottom, self.left, self.right)
        return lowered(lowering, PadOp(*map_size(lowering.shapes[0]), *frame, x.zero_point))
