# SPDX-License-Identifier: MIT
"""argmax: the class of the largest output (SPEC 5.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import BYTES, Op, TensorType, expect

BYTES_PART = "QNN_ARGMAX_BYTES"  # the optional part of c_runtime/qnn_argmax.h, for imported models


@dataclass(frozen=True, eq=False)
class Argmax(Op):
    """The lowest index among the largest values; of a single value, 1 if it is above zero_point, else 0."""

    kind: ClassVar[str] = "argmax"
    zero_point: int

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return (1,)

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        fits = inputs[0].result and output.dtype == "int32"
        expect(fits, subject, "argmax takes int16, int8 or uint8 and gives int32")
        expect(self.zero_point == inputs[0].zero_point, subject, "its zero point is not its input's")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        x = inputs[0].reshape(len(inputs[0]), -1)
        if x.shape[1] == 1:
            return (x > self.zero_point).astype(np.int64)
        return x.argmax(axis=1).astype(np.int64)[:, None]

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = self._fields(inputs[0])
        suffix = {"int8": "i8", "uint8": "u8", "int16": "i16"}[inputs[0].dtype]
        features = (BYTES_PART,) if inputs[0].dtype in BYTES else ()
        return CKernel("qnn_argmax.h", f"qnn_argmax_{suffix}", "qnn_argmax_t", fields, features=features)

    def least_kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel | None:
        if inputs[0].elements == 1 or inputs[0].dtype != "int16":
            return None
        return CKernel("qnn_argmax_least.h", "qnn_argmax_least", "qnn_argmax_t", self._fields(inputs[0]))

    def _fields(self, x: TensorType) -> tuple[CField, ...]:
        return (CField("elements", x.elements), CField("zero_point", self.zero_point))
