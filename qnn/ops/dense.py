# SPDX-License-Identifier: MIT
"""dense: a matrix of weights times activations, one requantization per output (SPEC 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.accumulate import channel_bounds, check_sums, exact_product, narrowed
from qnn.ops.blocks import interleave_rows
from qnn.ops.ckernel import TABLES, WEIGHTS, CArray, CField, CKernel
from qnn.ops.dual import blocked, dual_problem, dual_words, lowest_weights
from qnn.ops.op import Op, TensorType, expect
from qnn.ops.requantize import requantize_struct
from qnn.ops.wide import Sums, dense_kernel, is_wide

DUAL_ROWS = 8  # outputs that share one pass over the groups in c_runtime/qnn_dense_dual.h
SPARSE_FROM = 0.1  # part of zero groups from which skipping them pays for the list of the others
SMALL_LAYER = 4096  # weights, below which another copy of the code costs more than looking for zeros
MAX_OFFSET = 65535  # of a group's weights within a block, in bytes


@dataclass(frozen=True, eq=False)
class Dense(Op):
    """acc[o] = bias[o] + sum_i x[i] * weights[o, i]; q[o] = requantize[o](acc[o]).

    weights: int8 or int16 (O, I), symmetric. bias: int64 (O,); the input's zero point is folded into it.
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
        expect(x.activation and output.activation, subject, "dense takes and gives uint8 or int16")
        weights_fit = self.weights.ndim == 2 and self.weights.shape[1] == x.elements
        expect(weights_fit, subject, f"its weights do not fit {x.elements} inputs")
        bound = check_sums(subject, self.weights, self.bias, self.rounding_shift, x)
        self.requantization.check(subject, len(self.weights), bound)
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
        return self.requantization.apply(narrowed(products + self.bias, self.rounding_shift))

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        (x,) = inputs
        if is_wide(self.weights, self.rounding_shift, x):
            return dense_kernel(Sums(self.weights, self.bias, self.rounding_shift, self.requantization), x, output)
        suffix = output.suffix
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

    def macs(self, inputs: tuple[TensorType, ...], output: TensorType) -> int:
        return int(self.weights.size)
