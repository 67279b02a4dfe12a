# SPDX-License-Identifier: MIT
"""mul: the product of two tensors, element by element, one requantization (SPEC 5.19)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import Op, TensorType, expect
from qnn.ops.requantize import requantize_struct

WIDE_PART = "QNN_MUL_WIDE"  # the optional part of c_runtime/qnn_mul.h for tensors of 16 bits


@dataclass(frozen=True, eq=False)
class Mul(Op):
    """y[i] = requantize((x1[i] - zero1) * (x2[i mod n] - zero2)), n the elements of the second tensor."""

    kind: ClassVar[str] = "mul"
    arity: ClassVar[int] = 2
    zero1: int
    zero2: int
    requantization: Requantization

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return inputs[0].shape

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        one, other = inputs
        wide = one.dtype == other.dtype == output.dtype == "int16" and self.zero1 == self.zero2 == 0
        types_fit = wide or (one.dtype == other.dtype == "uint8" and output.result)
        repeats = types_fit and one.elements % other.elements == 0
        expect(repeats, subject, "mul takes two tensors of one type, the first a multiple of the second")
        expect(0 <= min(self.zero1, self.zero2) <= max(self.zero1, self.zero2) <= 255, subject, "its zero points")
        self.requantization.check(subject, 1, self.accumulator_bound(inputs))
        expect((self.requantization.low, self.requantization.high) == (output.low, output.high), subject, "its clamp")

    def accumulator_bound(self, inputs: tuple[TensorType, ...]) -> tuple[int, int]:
        one, other = inputs
        ends = [(a - self.zero1) * (b - self.zero2) for a in (one.low, one.high) for b in (other.low, other.high)]
        return min(*ends, 0), max(*ends, 0)

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        one, other = (values.reshape(len(values), -1) for values in inputs)
        repeated = np.tile(other, (1, one.shape[1] // other.shape[1]))
        products = (one - self.zero1) * (repeated - self.zero2)
        return self.requantization.apply(products[..., None])[..., 0].reshape(inputs[0].shape)

    def macs(self, inputs: tuple[TensorType, ...], output: TensorType) -> int:
        return output.elements

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (
            CField("elements", output.elements),
            CField("repeat", inputs[1].elements),
            CField("zero1", self.zero1),
            CField("zero2", self.zero2),
            CField("requantize", requantize_struct(self.requantization, 1)),
        )
        if inputs[0].dtype == "int16":
            return CKernel("qnn_mul.h", "qnn_mul_i16_i16", "qnn_mul_t", fields, features=(WIDE_PART,))
        name = f"qnn_mul_u8_{output.suffix}"
        return CKernel("qnn_mul.h", name, "qnn_mul_t", fields)
