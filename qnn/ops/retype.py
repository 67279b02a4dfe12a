# SPDX-License-Identifier: MIT
"""retype: the same reals with another scale, zero point or width (SPEC 5.15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import SameShape, TensorType, expect
from qnn.ops.requantize import requantize_struct


@dataclass(frozen=True, eq=False)
class Retype(SameShape):
    """y[i] = requantize(x[i] - zero_point), one requantization for all elements."""

    kind: ClassVar[str] = "retype"
    zero_point: int
    requantization: Requantization

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.activation and output.activation, subject, "retype takes and gives uint8 or int16")
        expect(self.zero_point == x.zero_point, subject, "its zero point is not its input's")
        self.requantization.check(subject, 1, (x.low - self.zero_point, x.high - self.zero_point))
        expect((self.requantization.low, self.requantization.high) == (output.low, output.high), subject, "its clamp")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return self.requantization.apply(inputs[0] - self.zero_point)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (
            CField("elements", output.elements),
            CField("zero_point", self.zero_point),
            CField("requantize", requantize_struct(self.requantization, 1)),
        )
        return CKernel("qnn_retype.h", f"qnn_retype_{inputs[0].suffix}_{output.suffix}", "qnn_retype_t", fields)
