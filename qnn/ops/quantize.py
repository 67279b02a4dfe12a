# SPDX-License-Identifier: MIT
"""quantize: raw int32 readings become uint8 or int16, with one offset and factor per feature (SPEC 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import INT32_MAX, Requantization
from qnn.ops.ckernel import TABLES, CArray, CField, CKernel
from qnn.ops.op import Op, TensorType, expect
from qnn.ops.requantize import requantize_struct


@dataclass(frozen=True, eq=False)
class Quantize(Op):
    """q[i] = requantize[i]((clamp(raw[i], low[i], high[i]) - low[i]) >> halve[i]).

    low, high: int32 (F,), the documented raw range; values beyond it saturate.
    halve: uint8 (F,), 1 where high - low does not fit int32.
    """

    kind: ClassVar[str] = "quantize"
    low: np.ndarray
    high: np.ndarray
    halve: np.ndarray
    requantization: Requantization

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return inputs[0].shape

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.dtype == "int32" and output.activation, subject, "quantize takes int32 and gives uint8 or int16")
        for array, dtype in ((self.low, np.int32), (self.high, np.int32), (self.halve, np.uint8)):
            expect(array.dtype == dtype and array.shape == (x.elements,), subject, "its ranges do not fit the input")
        span = (self.high.astype(np.int64) - self.low) >> self.halve
        in_order = bool(np.all(span >= 0) and np.all(span <= INT32_MAX) and np.all(self.halve <= 1))
        expect(in_order, subject, "its ranges are not in order")
        self.requantization.check(subject, x.elements, (0, int(span.max())))
        expect((self.requantization.low, self.requantization.high) == (output.low, output.high), subject, "its clamp")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        raw = inputs[0].reshape(len(inputs[0]), -1)
        low = self.low.astype(np.int64)
        distance = (np.clip(raw, low, self.high.astype(np.int64)) - low) >> self.halve
        return self.requantization.apply(distance).reshape(inputs[0].shape)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        elements = output.elements
        fields = (
            CField("elements", elements),
            CField("low", CArray("int32_t", self.low, TABLES)),
            CField("high", CArray("int32_t", self.high, TABLES)),
            CField("halve", CArray("uint8_t", self.halve, TABLES) if self.halve.any() else None),
            CField("requantize", requantize_struct(self.requantization, elements)),
        )
        return CKernel("qnn_quantize.h", f"qnn_quantize_i32_{output.suffix}", "qnn_quantize_t", fields)
