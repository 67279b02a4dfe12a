# SPDX-License-Identifier: MIT
"""table: any function of one uint8 value, looked up (SPEC 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import TABLES, CArray, CField, CKernel
from qnn.ops.op import SameShape, TensorType, expect


@dataclass(frozen=True, eq=False)
class Table(SameShape):
    """y[i] = entries[x[i]]; entries: int16 (256,), each within the output's range."""

    kind: ClassVar[str] = "table"
    entries: np.ndarray

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        expect(inputs[0].dtype == "uint8" and output.result, subject, "table takes uint8")
        expect(self.entries.dtype == np.int16 and self.entries.shape == (256,), subject, "its table has no 256 entries")
        inside = self.entries.min() >= output.low and self.entries.max() <= output.high
        expect(bool(inside), subject, "its table leaves the output's range")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return self.entries.astype(np.int64)[inputs[0]]

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        suffix = output.suffix
        entries = self.entries & 255 if suffix == "u8" else self.entries
        ctype = "uint8_t" if suffix == "u8" else "int16_t"
        fields = (CField("elements", output.elements), CField("entries", CArray(ctype, entries, TABLES)))
        return CKernel("qnn_table.h", f"qnn_table_u8_{suffix}", f"qnn_table_{suffix}_t", fields)
