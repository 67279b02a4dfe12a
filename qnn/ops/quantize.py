# SPDX-License-Identifier: MIT
"""quantize: raw int32 readings become uint8 or int16, with one offset and factor per feature (SPEC 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import INT32_MAX, QNN, Requantization
from qnn.ops.ckernel import TABLES, CArray, CField, CKernel
from qnn.ops.op import Op, TensorType, expect
from qnn.ops.requantize import requantize_struct
from qnn.segments import NONE, SEGMENTS, has_segments, line_of, segment_bits

HALVED, PRESCALED, SEGMENTED = 64, 32, -128  # bits of the bytes in c_runtime/qnn_compand.h
MAX_SHORT_FEATURES = 65535  # uint16
ENDS = ((0, 255), (-32768, 32767))  # of what it gives


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
        if short_problem(self) is None:
            return short_kernel(self, np.full((output.elements, SEGMENTS), NONE, np.int8))
        elements = output.elements
        fields = (
            CField("elements", elements),
            CField("low", CArray("int32_t", self.low, TABLES)),
            CField("high", CArray("int32_t", self.high, TABLES)),
            CField("halve", CArray("uint8_t", self.halve, TABLES) if self.halve.any() else None),
            CField("requantize", requantize_struct(self.requantization, elements)),
        )
        return CKernel("qnn_quantize.h", f"qnn_quantize_i32_{output.suffix}", "qnn_quantize_t", fields)


def short_problem(op: Quantize, features: np.ndarray | None = None) -> str | None:
    """Why c_runtime/qnn_compand.h cannot quantize the `features` (bool (F,); None: all); None if it can.

    It leaves out the comparison with the range's upper end, so that everything beyond must saturate by itself or, where
    all of the range is one value, count for nothing.
    """
    constants = op.requantization
    if len(op.low) > MAX_SHORT_FEATURES:
        return f"more than {MAX_SHORT_FEATURES:,} features"
    usual = constants.rounding == QNN and (constants.low, constants.high) in ENDS
    if not usual or np.any(constants.zero_point != constants.low):
        return "a zero point, a clamp or another rounding"
    chosen = np.ones(len(op.low), bool) if features is None else features
    ends = constants.apply(((op.high.astype(np.int64) - op.low) >> op.halve)[None])[0]
    reached = (ends == constants.high) | (op.high == op.low) | ~chosen
    return None if np.all(reached) else "a range that does not reach the last step"


def short_kernel(op: Quantize, exponents: np.ndarray) -> CKernel:
    """The kernel of c_runtime/qnn_compand.h for `op` and the exponents (F, 8) of its features' segments, else -1."""
    count, constants = len(op.low), op.requantization
    still, lined = (op.high == op.low).tolist(), has_segments(exponents).tolist()
    arrays = (constants.multiplier, constants.shift, constants.prescale)
    multiplier, shift, prescale = (np.broadcast_to(array, (count,)).tolist() for array in arrays)
    multipliers: list[int] = []
    codes: list[int] = []
    for i in range(count):
        if lined[i]:
            line = line_of(exponents[i])
            bits = segment_bits(len(line))
            codes += [SEGMENTED + bits, *(line - bits).tolist()]
            continue
        code = (PRESCALED + prescale[i] if prescale[i] else shift[i] - 1) + HALVED * int(op.halve[i])
        multipliers.append(0 if still[i] else multiplier[i])
        codes.append(0 if still[i] else code)
    special = any(prescale[i] or op.halve[i] for i in range(count) if not lined[i] and not still[i])
    fields = (
        CField("elements", count),
        CField("special", int(special)),
        CField("segments", int(any(lined))),
        CField("low", CArray("int32_t", op.low, TABLES) if op.low.any() else None),
        CField("multiplier", CArray("int32_t", np.array(multipliers, np.int32), TABLES) if multipliers else None),
        CField("bytes", CArray("int8_t", np.array(codes, np.int8), TABLES)),
    )
    suffix = "u8" if constants.high == 255 else "i16"
    return CKernel("qnn_compand.h", f"qnn_compand_i32_{suffix}", "qnn_compand_t", fields)
