# SPDX-License-Identifier: MIT
"""max_pool: the largest value of each window, channel by channel (SPEC 5.10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import INT32_MIN
from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import TensorType, expect
from qnn.ops.pool import Pool
from qnn.ops.window import Window


@dataclass(frozen=True, eq=False)
class MaxPool(Pool):
    """y[r, c, k] = max of x[window, k]; positions outside the map do not count."""

    kind: ClassVar[str] = "max_pool"
    window: Window

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.activation and x.dtype == output.dtype, subject, "max_pool takes and gives uint8 or int16")
        self.window.check(subject, x)
        expect(output.low <= x.low and x.high <= output.high, subject, "its output's range is too narrow")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return self.window.columns(inputs[0], INT32_MIN).max(axis=(-2, -1))

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (CField("window", self.window.struct()),)
        if inputs[0].dtype == "int16":
            return CKernel("qnn_max_pool_wide.h", "qnn_max_pool_i16_i16", "qnn_max_pool_t", fields)
        return CKernel("qnn_max_pool.h", "qnn_max_pool_u8_u8", "qnn_max_pool_t", fields)
