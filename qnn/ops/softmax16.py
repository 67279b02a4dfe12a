# SPDX-License-Identifier: MIT
"""softmax16: probabilities of 16 bits as TensorFlow Lite Micro computes them (SPEC 5.25)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.ckernel import TABLES, CArray, CField, CKernel
from qnn.ops.op import SameShape, TensorType, expect
from qnn.ops.requantize import requantize_struct

MAX_CLASSES = 65535  # whose sum stays within int32
LINES, LINE_BITS = 512, 7
LAST = (LINES << LINE_BITS) - 1
LARGEST = 32767


@dataclass(frozen=True, eq=False)
class Softmax16(SameShape):
    """y = exp(x - max) / sum of exp in steps of 1/32768 for each row of `classes` values, by lines between entries.

    scale: brings x - max to 0..65535, places in `exponentials`. exponentials: int16 (513,), which falls nowhere, the
    last line at half of 32768 or more. reciprocals: int16 (513,), which rises nowhere.
    """

    kind: ClassVar[str] = "softmax16"
    classes: int
    scale: Requantization
    exponentials: np.ndarray
    reciprocals: np.ndarray

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.dtype == output.dtype == "int16", subject, "softmax16 takes and gives int16")
        classes_fit = 1 <= self.classes <= MAX_CLASSES and x.elements % self.classes == 0
        expect(classes_fit, subject, "its classes do not fit its input")
        tables = self.exponentials, self.reciprocals
        expect(all(t.dtype == np.int16 and t.shape == (LINES + 1,) for t in tables), subject, "its tables have a size")
        rising, falling = (table.astype(np.int64) for table in tables)
        rises = rising[0] >= 0 and rising[LINES - 1] >= 1 << 14 and bool(np.all(np.diff(rising) >= 0))
        expect(rises, subject, "its exponentials do not rise to 1")
        expect(falling[-1] >= 0 and bool(np.all(np.diff(falling) <= 0)), subject, "its reciprocals do not fall")
        self.scale.check(subject, 1, (x.low - x.high, 0))
        clamp = self.scale.low, self.scale.high, int(self.scale.zero_point[0])
        expect(clamp == (0, LAST, LAST), subject, "its scale does not end at the last place")
        expect((output.low, output.high) == (0, LARGEST), subject, "its output's range is not 0..32767")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        x = inputs[0].reshape(len(inputs[0]), -1, self.classes)
        exp = _on_line(self.exponentials, self.scale.apply((x - x.max(axis=-1, keepdims=True))[..., None])[..., 0])
        total = exp.sum(axis=-1, keepdims=True)
        bits = np.floor(np.log2(total)).astype(np.int64) + 1  # exact: the sum is far below 2**53
        place = (((total << (31 - bits)) + (1 << 13)) >> 14) - (1 << 16)
        scale = _on_line(self.reciprocals, np.minimum(place, LAST))
        y = (exp * scale + (np.int64(1) << (bits - 2))) >> (bits - 1)
        return np.minimum(y, LARGEST).reshape(inputs[0].shape)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (
            CField("rows", output.elements // self.classes),
            CField("classes", self.classes),
            CField("scale", requantize_struct(self.scale, 1)),
            CField("exponentials", CArray("int16_t", self.exponentials, TABLES)),
            CField("reciprocals", CArray("int16_t", self.reciprocals, TABLES)),
        )
        return CKernel("qnn_softmax16.h", "qnn_softmax16_i16_i16", "qnn_softmax16_t", fields)


def _on_line(table: np.ndarray, place: np.ndarray) -> np.ndarray:
    """What the lines between the table's entries are at `place`, 0..65535, rounded half up."""
    entries, index = table.astype(np.int64), place >> LINE_BITS
    rest = place & ((1 << LINE_BITS) - 1)
    return entries[index] + (((entries[index + 1] - entries[index]) * rest + (1 << (LINE_BITS - 1))) >> LINE_BITS)
