# SPDX-License-Identifier: MIT
"""dense: a matrix of int8 weights times uint8 activations, one requantization per output (SPEC 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import INT32_MAX, INT32_MIN, Requantization
from qnn.ops.accumulate import channel_bounds, check_weights, exact_product
from qnn.ops.ckernel import TABLES, WEIGHTS, CArray, CField, CKernel
from qnn.ops.dual import blocked, dual_problem, dual_words, lowest_weights
from qnn.ops.op import Op, TensorType, expect
from qnn.ops.requantize import requantize_struct

ROWS = 4  # outputs that share one pass over the inputs in c_runtime/qnn_dense.h
DUAL_ROWS = 8  # outputs that share one pass over the groups in c_runtime/qnn_dense_dual.h
SPARSE_FROM = 0.1  # part of zero groups from which skipping them pays for the list of the others
SMALL_LAYER = 4096  # weights, below which another copy of the code costs more than looking for zeros
MAX_OFFSET = 65535  # of a group's weights within a block, in bytes
MAX_ROUNDING_SHIFT = 31


@dataclass(frozen=True, eq=False)
class Dense(Op):
    """acc[o] = bias[o] + sum_i x[i] * weights[o, i]; q[o] = requantize[o](acc[o]).

    weights: int8 (O, I), symmetric, -127..127. bias: int64 (O,); the input's zero point is folded into it.
    rounding_shift: 0 where the accumulator provably fits int32; else the accumulator is int64 and enters the
    requantization as (acc + 2**(rounding_shift - 1)) >> rounding_shift.
    """

    kind: ClassVar[str] = "dense"
    weights: np.ndarray
    bias: np.ndarray
    rounding_shift: int
    requantization: Requantization

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return (len(self.weights),)

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.dtype == "uint8" and output.dtype in ("uint8", "int16"), subject, "dense takes uint8")
        weights_fit = self.weights.ndim == 2 and self.weights.shape[1] == x.elements
        expect(weights_fit, subject, f"its weights do not fit {x.elements} inputs")
        check_weights(subject, self.weights, self.bias)
        expect(0 <= self.rounding_shift <= MAX_ROUNDING_SHIFT, subject, "its rounding shift is out of range")
        low, high = self.accumulator_bound(inputs)
        if self.rounding_shift:
            half = 1 << (self.rounding_shift - 1)
            low, high = (low + half) >> self.rounding_shift, (high + half) >> self.rounding_shift
        expect(low >= INT32_MIN and high <= INT32_MAX, subject, f"its accumulator reaches {low}..{high}")
        self.requantization.check(subject, len(self.weights), (low, high))
        expect((self.requantization.low, self.requantization.high) == (output.low, output.high), subject, "its clamp")

    def accumulator_bound(self, inputs: tuple[TensorType, ...]) -> tuple[int, int]:
        low, high = channel_bounds(self.weights, self.bias, inputs[0])
        return int(low.min()), int(high.max())

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        x = inputs[0].reshape(len(inputs[0]), -1)
        return self._finish(x @ self.weights.astype(np.int64).T)

    def evaluate(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        """As `reference`, by BLAS."""
        x = inputs[0].reshape(len(inputs[0]), -1)
        return self._finish(exact_product(x, np.ascontiguousarray(self.weights.T)))

    def _finish(self, products: np.ndarray) -> np.ndarray:
        accumulator = products + self.bias
        if self.rounding_shift:
            accumulator = (accumulator + (1 << (self.rounding_shift - 1))) >> self.rounding_shift
        return self.requantization.apply(accumulator)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        (x,) = inputs
        suffix = "u8" if output.dtype == "uint8" else "i16"
        if self.rounding_shift:
            return self._wide_kernel(suffix)
        problem = dual_problem(self.weights, x)
        return self._plain_kernel(suffix, problem) if problem else self._dual_kernel(suffix, x)

    def _dual_kernel(self, suffix: str, x: TensorType) -> CKernel:
        outputs, count = self.weights.shape
        words = dual_words(self.weights)
        groups = words.shape[1]
        pays = x.zero_groups >= SPARSE_FROM or self.weights.size < SMALL_LAYER
        sparse = pays and DUAL_ROWS * 4 * groups <= MAX_OFFSET
        fields = (
            CField("inputs", count),
            CField("outputs", outputs),
            CField("weights", CArray("uint32_t", blocked(words, DUAL_ROWS), WEIGHTS)),
            CField("lowest", CArray("int8_t", lowest_weights(self.weights), TABLES)),
            CField("bias", CArray("int32_t", self.bias, WEIGHTS)),
            CField("requantize", requantize_struct(self.requantization, outputs)),
        )
        name = f"qnn_dense_dual{'_sparse' if sparse else ''}_u8_{suffix}"
        reason = f"two products a multiplication; {x.zero_groups:.0%} of the input groups are zero"
        reason += ", which are skipped" if sparse else ""
        return CKernel("qnn_dense_dual.h", name, "qnn_dense_dual_t", fields, (10 if sparse else 8) * groups, reason)

    def _plain_kernel(self, suffix: str, problem: str) -> CKernel:
        outputs, count = self.weights.shape
        fields = (
            CField("inputs", count),
            CField("outputs", outputs),
            CField("weights", CArray("int8_t", interleave_rows(self.weights), WEIGHTS)),
            CField("bias", CArray("int32_t", self.bias, WEIGHTS)),
            CField("requantize", requantize_struct(self.requantization, outputs)),
        )
        return CKernel(
            "qnn_dense.h", f"qnn_dense_u8_{suffix}", "qnn_dense_t", fields, 0, f"one product each: {problem}"
        )

    def _wide_kernel(self, suffix: str) -> CKernel:
        outputs, count = self.weights.shape
        fields = (
            CField("inputs", count),
            CField("outputs", outputs),
            CField("weights", CArray("int8_t", self.weights, WEIGHTS)),
            CField("bias", CArray("int64_t", self.bias, WEIGHTS)),
            CField("rounding_shift", self.rounding_shift),
            CField("requantize", requantize_struct(self.requantization, outputs)),
        )
        name = f"qnn_dense_wide_u8_{suffix}"
        return CKernel("qnn_dense.h", name, "qnn_dense_wide_t", fields, 0, "64-bit sums: they may leave 32 bits")

    def macs(self, inputs: tuple[TensorType, ...], output: TensorType) -> int:
        return int(self.weights.size)


def interleave_rows(weights: np.ndarray) -> np.ndarray:
    """int8 (O * I,): blocks of ROWS outputs, input by input; the outputs that are left over follow row by row."""
    outputs, count = weights.shape
    whole = outputs - outputs % ROWS
    blocks = weights[:whole].reshape(-1, ROWS, count).transpose(0, 2, 1)
    return np.concatenate([blocks.reshape(-1), weights[whole:].reshape(-1)])
