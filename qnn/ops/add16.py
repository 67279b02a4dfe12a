# SPDX-License-Identifier: MIT
"""add16: the sum of two tensors of 16 bits with three roundings, as imported models have it (SPEC 5.23)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import INT32_MAX, INT32_MIN, Requantization
from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import SameShape, TensorType, expect
from qnn.ops.requantize import requantize_struct

UNITS = 1 << 15


@dataclass(frozen=True, eq=False)
class Add16(SameShape):
    """y = requantize(scale_1(x1 * 2**15) + scale_2(x2 * 2**15)); scale: two channels, one for each tensor."""

    kind: ClassVar[str] = "add16"
    arity: ClassVar[int] = 2
    scale: Requantization
    requantization: Requantization

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        one, other = inputs
        fits = one.dtype == other.dtype == output.dtype == "int16" and one.elements == other.elements
        expect(fits, subject, "add16 takes two int16 tensors of one shape")
        ends = [x.low * UNITS for x in inputs] + [x.high * UNITS for x in inputs]
        self.scale.check(subject, 2, (min(ends), max(ends)))
        expect((self.scale.low, self.scale.high) == (INT32_MIN, INT32_MAX), subject, "its scales clamp")
        low, high = self.accumulator_bound(inputs)
        expect(INT32_MIN <= low and high <= INT32_MAX, subject, f"its sum reaches {low}..{high}")
        self.requantization.check(subject, 1, (low, high))
        expect((self.requantization.low, self.requantization.high) == (output.low, output.high), subject, "its clamp")

    def accumulator_bound(self, inputs: tuple[TensorType, ...]) -> tuple[int, int]:
        ends = np.array([[x.low * UNITS for x in inputs], [x.high * UNITS for x in inputs]], np.int64)
        scaled = self.scale.apply(ends)
        return int(np.minimum(scaled[0], 0).sum()), int(np.maximum(scaled[1], 0).sum())

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        one, other = inputs[0], inputs[1].reshape(inputs[0].shape)
        scaled = self.scale.apply(np.stack([one, other], axis=-1) * UNITS)
        return self.requantization.apply(scaled.sum(axis=-1)[..., None])[..., 0]

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (
            CField("elements", output.elements),
            CField("scale", requantize_struct(self.scale, 2)),
            CField("requantize", requantize_struct(self.requantization, 1)),
        )
        return CKernel("qnn_add16.h", "qnn_add16_i16_i16", "qnn_add16_t", fields)
