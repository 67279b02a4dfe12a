# SPDX-License-Identifier: MIT
"""average_pool: the mean of each window, channel by channel, one requantization (SPEC 5.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import INT32_MAX, Requantization
from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import TensorType, expect
from qnn.ops.pool import Pool
from qnn.ops.requantize import requantize_struct
from qnn.ops.window import Window


@dataclass(frozen=True, eq=False)
class AveragePool(Pool):
    """acc = sum over the n positions of the window inside the map of (x - zero_point); y = requantize[n](acc).

    requantization: one entry for each n, entry n - 1 (n = 1 .. taps) where the window pads, else a single one.
    """

    kind: ClassVar[str] = "average_pool"
    window: Window
    zero_point: int
    requantization: Requantization

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.activation and output.result, subject, "average_pool takes and gives uint8 or int16")
        self.window.check(subject, x)
        zero_fits = 0 <= self.zero_point <= 255 if x.dtype == "uint8" else self.zero_point == x.zero_point
        expect(zero_fits, subject, "its zero point is not its input's")
        low, high = self.accumulator_bound(inputs)
        largest = max(-low, high, self.window.taps * max(-x.low, x.high, abs(x.zero_point)))
        expect(largest <= INT32_MAX, subject, "its window is too large")
        cases = self.window.taps if self.window.pads else 1
        expect(len(self.requantization.multiplier) == cases, subject, "its constants are not one a window size")
        self.requantization.check(subject, cases, (low, high))
        expect((self.requantization.low, self.requantization.high) == (output.low, output.high), subject, "its clamp")

    def accumulator_bound(self, inputs: tuple[TensorType, ...]) -> tuple[int, int]:
        low, high = inputs[0].low - self.zero_point, inputs[0].high - self.zero_point
        return min(self.window.taps * low, 0), max(self.window.taps * high, 0)

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        # A position outside the map reads the zero point and adds nothing.
        sums = (self.window.columns(inputs[0], self.zero_point) - self.zero_point).sum(axis=(-2, -1))
        if not self.window.pads:
            return self.requantization.apply(sums)
        inside = self.window.columns(np.ones_like(inputs[0][:1]), 0).sum(axis=(-2, -1))[0, :, :, 0]
        result = np.zeros_like(sums)
        for n in np.unique(inside):
            case = self.requantization.channel(int(n) - 1)
            result[:, inside == n] = case.apply(sums[:, inside == n])
        return result

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        cases = len(self.requantization.multiplier)
        fields = (
            CField("window", self.window.struct()),
            CField("zero_point", self.zero_point),
            CField("cases", cases),
            CField("requantize", requantize_struct(self.requantization, cases)),
        )
        header = "qnn_average_pool.h" if inputs[0].dtype == "uint8" else "qnn_average_pool_wide.h"
        name = f"qnn_average_pool_{inputs[0].suffix}_{output.suffix}"
        return CKernel(header, name, "qnn_average_pool_t", fields)
