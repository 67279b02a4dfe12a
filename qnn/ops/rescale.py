# SPDX-License-Identifier: MIT
"""rescale: quantized outputs become integers in a decimal unit (SPEC 5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import Op, TensorType, expect
from qnn.ops.requantize import requantize_struct

MAX_DECIMALS = 22  # float64 holds powers of ten exactly up to this one


@dataclass(frozen=True, eq=False)
class Rescale(Op):
    """value[o] = requantize[o](x[o] - zero_point), int32, in units of 10**-decimals[o] of the target.

    decimals: int16 (O,), from -22 to 22; it says what the values mean and does not enter the arithmetic.
    """

    kind: ClassVar[str] = "rescale"
    zero_point: int
    decimals: np.ndarray
    requantization: Requantization

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return (inputs[0].elements,)

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.dtype == "int16" and output.dtype == "int32", subject, "rescale takes int16 and gives int32")
        expect(self.zero_point == x.zero_point, subject, "its zero point is not its input's")
        decimals_fit = self.decimals.dtype == np.int16 and self.decimals.shape == (x.elements,)
        expect(decimals_fit, subject, "its decimals do not fit its outputs")
        expect(bool(np.all(np.abs(self.decimals.astype(np.int64)) <= MAX_DECIMALS)), subject, "its decimals are absurd")
        self.requantization.check(subject, x.elements, (x.low - self.zero_point, x.high - self.zero_point))
        expect((self.requantization.low, self.requantization.high) == (output.low, output.high), subject, "its clamp")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return self.requantization.apply(inputs[0].reshape(len(inputs[0]), -1) - self.zero_point)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        elements = output.elements
        fields = (
            CField("elements", elements),
            CField("zero_point", self.zero_point),
            CField("requantize", requantize_struct(self.requantization, elements)),
        )
        return CKernel("qnn_rescale.h", "qnn_rescale_i16_i32", "qnn_rescale_t", fields)
