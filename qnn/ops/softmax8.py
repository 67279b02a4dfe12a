# SPDX-License-Identifier: MIT
"""softmax8: probabilities of 8 bits as TensorFlow Lite Micro computes them (SPEC 5.18)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import TABLES, CArray, CField, CKernel
from qnn.ops.gemmlowp import doubling_high, halved, one_over_one_plus
from qnn.ops.op import BYTES, SameShape, TensorType, expect

MAX_CLASSES = 511  # whose sum leaves the last shift within 31
SUM_BITS = 12  # integer bits of the sum of the exponentials


@dataclass(frozen=True, eq=False)
class Softmax8(SameShape):
    """y = exp(x - max) / sum of exp, in steps of 1/256 and up to 255/256, for each row of `classes` values.

    exponentials: int32 (L,), L <= 256: exp of d steps below the maximum as Q0.31; 0 further down. zero_point: added
    to the result, 0 of uint8, -128 of int8.
    """

    kind: ClassVar[str] = "softmax8"
    classes: int
    exponentials: np.ndarray
    zero_point: int

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.dtype == "uint8" and output.dtype in BYTES, subject, "softmax8 takes uint8 and gives bytes")
        classes_fit = 1 <= self.classes <= MAX_CLASSES and x.elements % self.classes == 0
        expect(classes_fit, subject, "its classes do not fit its input")
        table = self.exponentials
        table_fits = table.dtype == np.int32 and table.ndim == 1 and 1 <= len(table) <= 256
        falls = table_fits and table[0] == (1 << 31) - 1 and bool(np.all(np.diff(table) <= 0)) and table[-1] >= 0
        expect(falls, subject, "its exponentials do not fall from 1")
        expect(self.zero_point == (0 if output.dtype == "uint8" else -128), subject, "its zero point")
        expect(output.holds_all(), subject, "its output's range is too narrow")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        x = inputs[0].reshape(len(inputs[0]), -1, self.classes)
        table = np.zeros(256, np.int64)
        table[: len(self.exponentials)] = self.exponentials
        exp = table[x.max(axis=-1, keepdims=True) - x]
        total = halved(exp, SUM_BITS).sum(axis=-1, keepdims=True)
        bits = np.floor(np.log2(total)).astype(np.int64) + 1  # exact: the sum is far below 2**53
        scale = one_over_one_plus((total << (32 - bits)) - (1 << 31))
        y = halved(doubling_high(exp, scale), bits + SUM_BITS - 9)
        return (np.clip(y, 0, 255) + self.zero_point).reshape(inputs[0].shape)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (
            CField("rows", output.elements // self.classes),
            CField("classes", self.classes),
            CField("zero_point", self.zero_point),
            CField("length", len(self.exponentials)),
            CField("exponentials", CArray("int32_t", self.exponentials, TABLES)),
        )
        return CKernel("qnn_softmax8.h", "qnn_softmax8_u8_u8", "qnn_softmax8_t", fields)
