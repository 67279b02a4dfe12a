# SPDX-License-Identifier: MIT
"""concat: the channels of several tensors of one quantization, side by side (SPEC 5.13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import Op, TensorType, expect


@dataclass(frozen=True, eq=False)
class Concat(Op):
    """y[pixel] = x1[pixel] followed by x2[pixel]; channels1, channels2: of one pixel.

    A map that was flattened counts as a single pixel.
    """

    kind: ClassVar[str] = "concat"
    arity: ClassVar[int] = 2
    channels1: int
    channels2: int

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        shape, channels = inputs[0].shape, self.channels1 + self.channels2
        if shape[-1] == self.channels1:
            return (*shape[:-1], channels)
        return (inputs[0].elements // self.channels1, channels)

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        one, other = inputs
        one_type = one.activation and one.dtype == other.dtype == output.dtype
        expect(one_type, subject, "concat takes and gives uint8 or int16")
        positive = self.channels1 >= 1 and self.channels2 >= 1
        expect(positive and one.elements % self.channels1 == 0, subject, "its channels do not fit its inputs")
        pixels = one.elements // self.channels1
        expect(other.elements == pixels * self.channels2, subject, "its inputs have different maps")
        low, high = min(one.low, other.low), max(one.high, other.high)
        expect(output.low <= low and high <= output.high, subject, "its output's range is too narrow")
        same = len({(kind.scale, kind.zero_point) for kind in (one, other, output)}) == 1
        expect(same, subject, "its inputs and output have different scales")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        one, other = inputs
        if one.shape[-1] != self.channels1:
            one = one.reshape(len(one), -1, self.channels1)
        return np.concatenate([one, other.reshape(*one.shape[:-1], self.channels2)], axis=-1)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (
            CField("pixels", inputs[0].elements // self.channels1),
            CField("channels1", self.channels1),
            CField("channels2", self.channels2),
        )
        if output.dtype == "int16":
            return CKernel("qnn_concat_wide.h", "qnn_concat_i16_i16", "qnn_concat_t", fields)
        return CKernel("qnn_concat.h", "qnn_concat_u8_u8", "qnn_concat_t", fields)
