# SPDX-License-Identifier: MIT
"""rescale: quantized outputs become integers in a decimal unit, rounded once (SPEC 5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import TABLES, CArray, CField, CKernel
from qnn.ops.op import Op, TensorType, expect

MAX_DECIMALS = 22  # float64 holds powers of ten exactly up to this one
MAX_SHIFT, MAX_PRESCALE = 30, 15
CONSTANT_BITS = 62


@dataclass(frozen=True, eq=False)
class Rescale(Op):
    """value[o] = (x[o] * 2**prescale[o] * multiplier[o] + constant[o]) >> (32 + shift[o]), int32.

    decimals: int16 (O,), from -22 to 22: values are in units of 10**-decimals[o] of the target; it says what they mean
    and does not enter the arithmetic. multiplier: int32 (O,), not negative. constant: int64 (O,), the target's offset
    and the half that rounds. shift, prescale: uint8 (O,).
    """

    kind: ClassVar[str] = "rescale"
    decimals: np.ndarray
    multiplier: np.ndarray
    constant: np.ndarray
    shift: np.ndarray
    prescale: np.ndarray

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return (inputs[0].elements,)

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.dtype == "int16" and output.dtype == "int32", subject, "rescale takes int16 and gives int32")
        expect(x.zero_point == 0 and output.holds_all(), subject, "rescale takes a zero point of 0 and does not clamp")
        fields = (("decimals", np.int16), ("multiplier", np.int32), ("constant", np.int64))
        for name, dtype in (*fields, ("shift", np.uint8), ("prescale", np.uint8)):
            array: np.ndarray = getattr(self, name)
            expect(array.dtype == dtype and array.shape == (x.elements,), subject, f"its {name} do not fit its outputs")
        expect(bool(np.all(np.abs(self.decimals.astype(np.int64)) <= MAX_DECIMALS)), subject, "its decimals are absurd")
        shifts = self.shift.max() <= MAX_SHIFT and self.prescale.max() <= MAX_PRESCALE
        inside = shifts and self.multiplier.min() >= 0 and np.all(np.abs(self.constant) <= 1 << CONSTANT_BITS)
        expect(bool(inside), subject, "its constants are out of range")
        # |x * 2**prescale| <= 2**30, so that the product stays below 2**61 and the sum in int64.
        ends = self.reference((np.repeat([[x.low], [x.high]], x.elements, axis=1),))
        expect(bool(np.all((ends >= output.low) & (ends <= output.high))), subject, "its values leave int32")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        x = inputs[0].reshape(len(inputs[0]), -1).astype(np.int64)
        products = (x << self.prescale.astype(np.int64)) * self.multiplier.astype(np.int64)
        return (products + self.constant) >> (32 + self.shift.astype(np.int64))

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = (
            CField("elements", output.elements),
            CField("constant", CArray("int64_t", self.constant, TABLES)),
            CField("multiplier", CArray("int32_t", self.multiplier, TABLES)),
            CField("shift", CArray("uint8_t", self.shift, TABLES)),
            CField("prescale", CArray("uint8_t", self.prescale, TABLES) if self.prescale.any() else None),
        )
        return CKernel("qnn_rescale.h", "qnn_rescale_i16_i32", "qnn_rescale_t", fields)


def encode_line(factor: Fraction, offset: Fraction) -> tuple[int, int, int, int]:
    """(multiplier, constant, shift, prescale) of x * factor + offset, rounded half up, for x of int16 (SPEC 5.6).

    factor: positive, below 2**12. offset: magnitude below 2**28.
    """
    room = min(MAX_SHIFT, CONSTANT_BITS - 33 - int(abs(offset)).bit_length())
    shift = prescale = 0
    while factor * 2 ** (32 - prescale) >= 1 << 31:
        prescale += 1
    while factor * 2 ** (33 + shift) < 1 << 31 and shift < room:
        shift += 1
    multiplier = min(_round_half_up(factor * Fraction(2) ** (32 + shift - prescale)), (1 << 31) - 1)
    return multiplier, _round_half_up(offset * 2 ** (32 + shift)) + (1 << (31 + shift)), shift, prescale


def _round_half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)
