# SPDX-License-Identifier: MIT
"""pad: a frame of the zero point around a map (SPEC 5.14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import MAX_ELEMENTS, Op, TensorType, expect


@dataclass(frozen=True, eq=False)
class Pad(Op):
    """The map of height x width x channels, with top, bottom rows and left, right columns of `value` around it."""

    kind: ClassVar[str] = "pad"
    height: int
    width: int
    channels: int
    top: int
    bottom: int
    left: int
    right: int
    value: int

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return (self.height + self.top + self.bottom, self.width + self.left + self.right, self.channels)

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.activation and x.dtype == output.dtype, subject, "pad takes and gives uint8 or int16")
        sizes, frame = (self.height, self.width, self.channels), (self.top, self.bottom, self.left, self.right)
        possible = min(sizes) >= 1 and min(frame) >= 0 and max(sizes + frame) <= MAX_ELEMENTS
        expect(
            possible and self.height * self.width * self.channels == x.elements, subject, "it does not fit its input"
        )
        expect(x.low <= self.value <= x.high, subject, "its padding is not a value of its input")
        expect(output.low <= x.low and x.high <= output.high, subject, "its output's range is too narrow")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        maps = inputs[0].reshape(-1, self.height, self.width, self.channels)
        around = ((0, 0), (self.top, self.bottom), (self.left, self.right), (0, 0))
        return np.pad(maps, around, constant_values=self.value)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        names = ("height", "width", "channels", "top", "bottom", "left", "right", "value")
        fields = tuple(CField(name, getattr(self, name)) for name in names)
        if output.dtype == "int16":
            return CKernel("qnn_pad_wide.h", "qnn_pad_i16_i16", "qnn_pad_t", fields)
        return CKernel("qnn_pad.h", "qnn_pad_u8_u8", "qnn_pad_t", fields)
