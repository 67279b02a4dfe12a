# SPDX-License-Identifier: MIT
"""compand: raw int32 readings become uint8 or int16, each along a straight line or a line of segments (SPEC 5.21)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import INT32_MAX
from qnn.ops.ckernel import CKernel
from qnn.ops.op import Op, TensorType, expect
from qnn.ops.quantize import Quantize, short_kernel, short_problem
from qnn.segments import SEGMENTS, STEP_BITS, are_lines, has_segments, line_of, segment_bits, span


@dataclass(frozen=True, eq=False)
class Compand(Op):
    """y[i] = min(first + height of clamp(x[i], low[i], high[i]) - low[i], last), or as `straight` without segments.

    straight: the quantize operator of all features, whose low and high are also those of features with segments.
    exponents: int8 (F, 8), filled up with -1. A segment is 2**exponent raw values wide; one of n has 256 / n steps (of
    int16 65536 / n), to which distances are rounded half up. first, last: the ends of the output's range.
    """

    kind: ClassVar[str] = "compand"
    straight: Quantize
    exponents: np.ndarray

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return inputs[0].shape

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        self.straight.check(subject, inputs, output)
        fits = self.exponents.dtype == np.int8 and self.exponents.shape == (x.elements, SEGMENTS)
        expect(fits and are_lines(self.exponents), subject, "its segments are out of range")
        expect(output.holds_all(), subject, "compand gives all of uint8 or int16")
        for i in np.flatnonzero(has_segments(self.exponents)).tolist():
            end = min(int(self.straight.low[i]) + span(line_of(self.exponents[i])), INT32_MAX)
            expect(int(self.straight.high[i]) == end, subject, "its range is not that of its segments")
        problem = short_problem(self.straight, ~has_segments(self.exponents))
        expect(problem is None, subject, f"its straight lines have no kernel: {problem}")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        result = self.straight.reference(inputs).reshape(len(inputs[0]), -1)
        raw = inputs[0].reshape(len(inputs[0]), -1)
        first, last = self.straight.requantization.low, self.straight.requantization.high
        bits = (last - first).bit_length()
        for i in np.flatnonzero(has_segments(self.exponents)).tolist():
            low, high = int(self.straight.low[i]), int(self.straight.high[i])
            height = heights(np.clip(raw[:, i], low, high) - low, line_of(self.exponents[i]), bits)
            result[:, i] = np.minimum(first + height, last)
        return result.reshape(inputs[0].shape)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        return short_kernel(self.straight, self.exponents)


def straight_of(op: Op) -> Quantize | None:
    """The quantize operator that `op` is or contains, whose low and high are the raw inputs' ranges; else None."""
    if isinstance(op, Compand):
        return op.straight
    return op if isinstance(op, Quantize) else None


def heights(distance: np.ndarray, line: np.ndarray, step_bits: int = STEP_BITS) -> np.ndarray:
    """int64 (N,): the step, 0..2**step_bits, of int64 distances (N,) from the lower end of a line of segments."""
    result, start, bits = np.zeros_like(distance), 0, segment_bits(len(line), step_bits)
    for exponent in line.tolist():
        inside = np.clip(distance - start, 0, 1 << exponent)
        result += (((inside << (bits + 1)) >> exponent) + 1) >> 1
        start += 1 << exponent
    return result
