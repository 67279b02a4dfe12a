# SPDX-License-Identifier: MIT
"""curve: any function of one int16 value, as straight lines between the entries of a table (SPEC 5.16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import TABLES, CArray, CField, CKernel
from qnn.ops.op import SameShape, TensorType, expect

MAX_BITS, MAX_SHIFT = 16, 15  # of a segment; of a line, so that a difference of entries times a position fits int32


@dataclass(frozen=True, eq=False)
class Curve(SameShape):
    """y[i] = e0 + (((e1 - e0) * position + half) >> shift), e0 and e1 the ends of the line that x[i] lies on.

    Segment s begins at low + s * 2**bits and is divided into lines of 2**shifts[s] values; the ends of its first line
    are entries[firsts[s]] and the next, and so on. firsts: uint16 (S,), shifts: uint8 (S,), entries: int16 (E,).
    """

    kind: ClassVar[str] = "curve"
    low: int
    bits: int
    firsts: np.ndarray
    shifts: np.ndarray
    entries: np.ndarray

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.dtype == "int16" and output.activation, subject, "curve takes int16 and gives uint8 or int16")
        arrays = ((self.firsts, np.uint16), (self.shifts, np.uint8), (self.entries, np.int16))
        for array, dtype in arrays:
            expect(array.dtype == dtype and array.ndim == 1, subject, "its table does not fit")
        segments = len(self.firsts)
        expect(len(self.shifts) == segments and 0 <= self.bits <= MAX_BITS, subject, "its segments do not fit")
        reaches = self.low <= x.low and x.high - self.low < segments << self.bits and x.high - self.low < 1 << 16
        expect(reaches, subject, "its segments do not reach over its input")
        most = min(self.bits, MAX_SHIFT)
        expect(int(self.shifts.max()) <= most, subject, "its lines are too long")
        ends = self.firsts.astype(np.int64) + (np.int64(1) << (self.bits - self.shifts.astype(np.int64)))
        expect(int(ends.max()) < len(self.entries), subject, "its table has too few entries")
        inside = self.entries.min() >= output.low and self.entries.max() <= output.high
        expect(bool(inside), subject, "its table leaves the output's range")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        place = inputs[0] - self.low
        segment = place >> self.bits
        shift = self.shifts.astype(np.int64)[segment]
        rest = place - (segment << self.bits)
        line = self.firsts.astype(np.int64)[segment] + (rest >> shift)
        position, half = rest & ((np.int64(1) << shift) - 1), (np.int64(1) << shift) >> 1
        entries = self.entries.astype(np.int64)
        rise = entries[line + 1] - entries[line]
        return entries[line] + ((rise * position + half) >> shift)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (
            CField("elements", output.elements),
            CField("low", self.low),
            CField("bits", self.bits),
            CField("firsts", CArray("uint16_t", self.firsts, TABLES)),
            CField("shifts", CArray("uint8_t", self.shifts, TABLES)),
            CField("entries", CArray("int16_t", self.entries, TABLES)),
        )
        return CKernel("qnn_curve.h", f"qnn_curve_i16_{output.suffix}", "qnn_curve_t", fields)
