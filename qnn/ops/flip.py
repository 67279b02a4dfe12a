# SPDX-License-Identifier: MIT
"""flip: int8 becomes uint8 of 128 more, or the other way round: one bit of each byte (SPEC 5.17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import SameShape, TensorType, expect

OFFSET = 128


@dataclass(frozen=True, eq=False)
class Flip(SameShape):
    """y[i] = x[i] + 128 of int8 (offset 128), y[i] = x[i] - 128 of uint8 (offset -128)."""

    kind: ClassVar[str] = "flip"
    offset: int

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        fits = {("int8", "uint8"): OFFSET, ("uint8", "int8"): -OFFSET}.get((x.dtype, output.dtype)) == self.offset
        expect(fits, subject, "flip changes int8 into uint8 or uint8 into int8")
        inside = output.low <= x.low + self.offset and x.high + self.offset <= output.high
        expect(inside, subject, "its output's range is too narrow")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return inputs[0] + self.offset

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        return CKernel("qnn_flip.h", "qnn_flip_u8_u8", "qnn_flip_t", (CField("elements", output.elements),))
