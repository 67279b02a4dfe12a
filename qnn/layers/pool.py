# SPDX-License-Identifier: MIT
"""What max and average pools share: a window without parameters, the word that names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qnn.layers.layer import Shape, only
from qnn.layers.sliding import SlidingLayer
from qnn.layers.window import map_shape


@dataclass(frozen=True)
class Pool(SlidingLayer):
    """A window over samples (H, W, C) or (L, C) that looks at each channel by itself; padding does not count."""

    kind: ClassVar[str]
    word: ClassVar[str]  # what NET calls it
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    padding: str = "valid"

    @property
    def subject(self) -> str:
        """Words for errors."""
        return f"{self.word} {self.kernel_height}x{self.kernel_width}"

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        window = self.window(only(shapes, self.kind))
        return map_shape(window, window.channels, shapes[0])
