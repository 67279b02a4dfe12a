# SPDX-License-Identifier: MIT
"""sigmoid16: logistic and tanh of 16 bits as imported models have them (SPEC 5.24)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import TABLES, CArray, CField, CKernel
from qnn.ops.op import SameShape, TensorType, expect

ENTRIES = 256
LOGISTIC_BITS, TANH_BITS = 9, 8  # of a value within a line
MOST_SHIFT = 30


@dataclass(frozen=True, eq=False)
class Sigmoid16(SameShape):
    """Lines between entries of a table of the logistic function; tanh(v) is 2 * logistic(2 * v) - 1.

    v = (x * multiplier + 2**(shift - 1)) >> shift, multiplier below 2**15. tanh: 1 for tanh, 0 for logistic.
    table: uint16 (256,), which falls nowhere.
    """

    kind: ClassVar[str] = "sigmoid16"
    multiplier: int
    shift: int
    tanh: int
    table: np.ndarray

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.dtype == output.dtype == "int16", subject, "sigmoid16 takes and gives int16")
        inside = 0 < self.multiplier < 1 << 15 and 0 <= self.shift <= MOST_SHIFT and self.tanh in (0, 1)
        expect(inside, subject, "its factor is out of range")
        table = self.table
        sound = table.dtype == np.uint16 and table.shape == (ENTRIES,) and bool(np.all(np.diff(table.astype(int)) >= 0))
        expect(sound and output.holds_all(), subject, "its table is none of a rising function")
        ends = int(table[0]) == 1 << 15 and int(table[-2]) < (1 << 16) - 1
        expect(ends, subject, "its table does not begin in the middle, or reaches beyond int16")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        half = (1 << self.shift) >> 1
        value = (inputs[0] * self.multiplier + half) >> self.shift
        if self.tanh:
            part = self._part(np.abs(value), TANH_BITS, 65535 * 256)
            return np.where(value < 0, (1 << 23) - part + 127, part - (1 << 23) + 128) >> 8
        part = self._part(np.abs(value), LOGISTIC_BITS, 32767 * 1024)
        return np.where(value < 0, (1 << 25) - part + 511, part + 512) >> 10

    def _part(self, value: np.ndarray, bits: int, most: int) -> np.ndarray:
        table, index = self.table.astype(np.int64), np.minimum(value >> bits, ENTRIES - 2)
        rest = value & ((1 << bits) - 1)
        line = (table[index] << bits) + rest * (table[index + 1] - table[index])
        return np.where(value >> bits >= ENTRIES - 1, most, line)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (
            CField("elements", output.elements),
            CField("multiplier", self.multiplier),
            CField("shift", self.shift),
            CField("tanh", self.tanh),
            CField("table", CArray("uint16_t", self.table, TABLES)),
        )
        return CKernel("qnn_sigmoid16.h", "qnn_sigmoid16_i16_i16", "qnn_sigmoid16_t", fields)
