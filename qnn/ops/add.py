# SPDX-License-Identifier: MIT
"""add: two tensors of different scales, one requantization (SPEC 5.12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import INT32_MAX, INT32_MIN, Requantization
from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import SameShape, TensorType, expect
from qnn.ops.requantize import requantize_struct

FACTOR_BITS = 15  # of two int16 inputs, and of models quantized here
FACTOR_BITS_BYTES = 21  # of two uint8 inputs of imported models
FACTOR_BITS_BESIDE = 22  # of a uint8 input beside an int16 one: its products stay as small as the other's


@dataclass(frozen=True, eq=False)
class Add(SameShape):
    """acc = factor1 * x1 + factor2 * x2 + offset; y = requantize(acc). Factors are within 0..factor_limit."""

    kind: ClassVar[str] = "add"
    arity: ClassVar[int] = 2
    factor1: int
    factor2: int
    offset: int
    requantization: Requantization

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        one, other = inputs
        types_fit = one.activation and other.activation and output.result
        expect(types_fit and one.elements == other.elements, subject, "add takes two tensors of one shape")
        factors_fit = all(
            0 <= factor <= factor_limit(x, inputs)
            for factor, x in zip((self.factor1, self.factor2), inputs, strict=True)
        )
        expect(factors_fit, subject, "its factors are out of range")
        low, high = self.accumulator_bound(inputs)
        expect(INT32_MIN <= low and high <= INT32_MAX, subject, f"its accumulator reaches {low}..{high}")
        self.requantization.check(subject, 1, (low, high))
        expect((self.requantization.low, self.requantization.high) == (output.low, output.high), subject, "its clamp")

    def accumulator_bound(self, inputs: tuple[TensorType, ...]) -> tuple[int, int]:
        one, other = inputs
        lows = (self.factor1 * one.low, self.factor2 * other.low, self.offset)
        highs = (self.factor1 * one.high, self.factor2 * other.high, self.offset)
        return sum(min(low, 0) for low in lows), sum(max(high, 0) for high in highs)

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        one, other = inputs[0], inputs[1].reshape(inputs[0].shape)
        return self.requantization.apply(self.factor1 * one + self.factor2 * other + self.offset)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (
            CField("elements", output.elements),
            CField("factor1", self.factor1),
            CField("factor2", self.factor2),
            CField("offset", self.offset),
            CField("requantize", requantize_struct(self.requantization, 1)),
        )
        one, other = inputs
        if one.dtype == other.dtype == "uint8":
            return CKernel("qnn_add.h", f"qnn_add_u8_{output.suffix}", "qnn_add_t", fields)
        name = f"qnn_add_{one.suffix}_{other.suffix}_{output.suffix}"
        return CKernel("qnn_add_wide.h", name, "qnn_add_t", fields)


def factor_limit(x: TensorType, inputs: tuple[TensorType, ...]) -> int:
    """The largest factor of the input x of an add of `inputs`."""
    if all(other.dtype == "uint8" for other in inputs):
        return 1 << FACTOR_BITS_BYTES
    beside = x.dtype == "uint8" and any(other.dtype == "int16" for other in inputs)
    return 1 << (FACTOR_BITS_BESIDE if beside else FACTOR_BITS)
