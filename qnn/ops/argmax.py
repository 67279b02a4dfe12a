# SPDX-License-Identifier: MIT
"""argmax: the class of the largest output (SPEC 5.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import Op, TensorType, expect


@dataclass(frozen=True, eq=False)
class Argmax(Op):
    """The lowest index among the largest values; of a single value, 1 if it is above zero_point, else 0."""

    kind: ClassVar[str] = "argmax"
    zero_point: int

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return (1,)

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        fits = inputs[0].dtype in ("int16", "int8") and output.dtype == "int32"
        expect(fits, subject, "argmax takes int16 or int8 and gives int32")
        expect(self.zero_point == inputs[0].zero_point, subject, "its zero point is not its input's")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        x = inputs[0].reshape(len(inputs[0]), -1)
        if x.shape[1] == 1:
            return (x > self.zero_point).astype(np.int64)
        return x.argmax(axis=1).astype(np.int64)[:, None]

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (CField("elements", inputs[0].elements), CField("zero_point", self.zero_point))
        suffix = "i8" if inputs[0].dtype == "int8" else "i16"
        return CKernel("qnn_argmax.h", f"qnn_argmax_{suffix}", "qnn_argmax_t", fields)
