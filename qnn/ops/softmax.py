# SPDX-License-Identifier: MIT
"""softmax: class probabilities in Q15, in integers alone (SPEC 5.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import Op, TensorType, expect
from qnn.ops.requantize import requantize_struct

MAX_CLASSES = 255
EXPONENT_BITS = 16  # fraction bits of the exponent
MAX_EXPONENT = 23 << EXPONENT_BITS  # 2**-23 vanishes beside the largest term, which is 1 in Q22; shifts stay below 32
# 2**-f = 1 - f * (A1 - f * (A2 - f * (A3 - f * A4))) for 0 <= f < 1, Q30, error below 2.2e-6 (least maximum error).
A4, A3, A2, A1, ONE = 7419129, 57311498, 257211662, 744187941, 1 << 30


@dataclass(frozen=True, eq=False)
class Softmax(Op):
    """p[c] = round_half_up(2**15 * e[c] / sum(e)), e[c] = 2**-(scale * (max(x) - x[c]) * log2(exp(1))).

    exponent: the requantization (one channel) from max(x) - x[c] to the exponent with EXPONENT_BITS fraction bits.
    A single logit stands for the two classes (zero_point, x). The output is uint16, 0..32768.
    """

    kind: ClassVar[str] = "softmax"
    zero_point: int
    exponent: Requantization

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return (max(inputs[0].elements, 2),)

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.dtype == "int16" and output.dtype == "uint16", subject, "softmax takes int16 and gives uint16")
        # The sum of MAX_CLASSES terms in Q22 stays below 2**30, so the division's remainder fits uint32.
        expect(output.elements <= MAX_CLASSES, subject, f"softmax has more than {MAX_CLASSES} classes")
        expect(self.zero_point == x.zero_point, subject, "its zero point is not its input's")
        self.exponent.check(subject, 1, (0, 65535))
        no_offset = int(self.exponent.zero_point[0]) == 0
        expect(no_offset and (self.exponent.low, self.exponent.high) == (0, MAX_EXPONENT), subject, "its exponent")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        x = inputs[0].reshape(len(inputs[0]), -1)
        if x.shape[1] == 1:
            x = np.concatenate([np.full_like(x, self.zero_point), x], axis=1)
        terms = power_of_two(self.exponent.apply(x.max(axis=1, keepdims=True) - x))
        total = terms.sum(axis=1, keepdims=True)
        return ((terms << 16) + total) // (2 * total)

    def least_kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel | None:
        if inputs[0].elements == 1:
            return None
        return CKernel("qnn_softmax_least.h", "qnn_softmax_least", "qnn_softmax_t", self._fields(inputs[0]))

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = self._fields(inputs[0])
        if inputs[0].elements == 1:
            return CKernel("qnn_softmax_two.h", "qnn_softmax_two_i16", "qnn_softmax_t", fields)
        return CKernel("qnn_softmax.h", "qnn_softmax_i16", "qnn_softmax_t", fields)

    def _fields(self, x: TensorType) -> tuple[CField, ...]:
        return (
            CField("elements", x.elements),
            CField("zero_point", self.zero_point),
            CField("exponent", requantize_struct(self.exponent, 1)),
        )


def power_of_two(exponent: np.ndarray) -> np.ndarray:
    """2**-exponent in Q22, int64, for exponents with EXPONENT_BITS fraction bits, 0..MAX_EXPONENT."""
    fraction = (exponent & ((1 << EXPONENT_BITS) - 1)) << 16
    value = np.full_like(exponent, A4)
    for coefficient in (A3, A2, A1, ONE):
        value = coefficient - ((value * fraction) >> 32)
    return value >> (8 + (exponent >> EXPONENT_BITS))
