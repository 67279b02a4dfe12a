# SPDX-License-Identifier: MIT
"""load: raw values of 16 bits come to where kernels may read them (SPEC 5.22)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import Op, TensorType, expect


@dataclass(frozen=True, eq=False)
class Load(Op):
    """y[i] = x[i] of int16."""

    kind: ClassVar[str] = "load"

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return inputs[0].shape

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.dtype == output.dtype == "int16", subject, "load takes and gives int16")
        expect(output.low <= x.low and x.high <= output.high, subject, "its output's range is too narrow")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return inputs[0]

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        return CKernel("qnn_load.h", "qnn_load_i16_i16", "qnn_load_t", (CField("elements", output.elements),))
