# SPDX-License-Identifier: MIT
"""dense: a matrix of weights times activations, one requantization per output (SPEC 5.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import INT32_MAX, INT32_MIN, QNN, Requantization
from qnn.ops.accumulate import channel_bounds, check_rounding, check_sums, exact_product, finished
from qnn.ops.blocks import ROWS, interleave_rows
from qnn.ops.ckernel import TABLES, WEIGHTS, CArray, CField, CKernel, CStruct
from qnn.ops.dual import (
    GROUP,
    blocked,
    dual_problem,
    dual_words,
    lowest_weights,
    narrow_chunk,
    narrow_problem,
    narrow_words,
)
from qnn.ops.least import INT8_FLIP, filters_kernel, least_dense_kernel
from qnn.ops.op import BYTES, Op, TensorType, expect
from qnn.ops.requantize import Finish, finish
from qnn.ops.split import Split, split_weights
from qnn.ops.tight import lanes_kernel, lanes_of
from qnn.ops.wide import (
    MAX_SHORT_PRESCALE,
    MAX_SHORT_SIDE,
    Sums,
    dense_kernel,
    is_wide,
    short_dense_kernel,
)
from qnn.ops.window import Window

DUAL_ROWS = 8  # outputs that share one pass over the groups in c_runtime/qnn_dense_dual.h
SPARSE_FROM = 0.1  # part of zero groups from which skipping them pays for the list of the others
SMALL_LAYER = 4096  # weights, below which another copy of the code costs more than looking for zeros
MAX_OFFSET = 65535  # of a group's weights within a block, in bytes
LEAST_SPLIT = 128  # weights, below which the code of another kernel costs more than it saves
MOST_EXTRAS = 1 / 8  # part of the weights from which adding up what the words lack costs more than they save
INT8_INPUTS = "QNN_INT8_INPUTS"  # the optional part of c_runtime/qnn_dense_dual.h that reads int8


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
        expect((x.activation or x.dtype == "int8") and output.result, subject, "dense takes and gives uint8 or int16")
        weights_fit = self.weights.ndim == 2 and self.weights.shape[1] == x.elements
        expect(weights_fit, subject, f"its weights do not fit {x.elements} inputs")
        bound = check_sums(subject, self.weights, self.bias, self.rounding_shift, self.requantization, x)
        check_rounding(subject, self.requantization, self.rounding_shift)
        signed = not is_wide(self.weights, self.rounding_shift, x) and output.dtype in BYTES and self._fits_unsigned(x)
        expect(x.dtype != "int8" or signed, subject, "its signed inputs have no kernel")
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
        return finished(products + self.bias, self.rounding_shift, self.requantization)

    def _unsigned(self, x: TensorType) -> tuple[TensorType, np.ndarray]:
        """What the kernels see of inputs of type x: int8 ones as uint8 of 128 more, and the bias (O,) less for it."""
        if x.dtype != "int8":
            return x, np.zeros(len(self.weights), np.int64)
        less = 128 * self.weights.astype(np.int64).sum(axis=1)
        return replace(x, dtype="uint8", low=x.low + 128, high=x.high + 128), less

    def _fits_unsigned(self, x: TensorType) -> bool:
        """Can the bias take over the offset of int8 inputs, and every sum in any order?"""
        seen, less = self._unsigned(x)
        low, high = channel_bounds(self.weights, self.bias - less, seen)
        return x.dtype != "int8" or bool(low.min() >= INT32_MIN and high.max() <= INT32_MAX)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        return self._kernel(inputs[0], output, True)

    def steady_kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        return self._kernel(inputs[0], output, False)

    def _kernel(self, x: TensorType, output: TensorType, may_skip: bool) -> CKernel:
        if is_wide(self.weights, self.rounding_shift, x):
            return dense_kernel(self._sums, x, output)
        flips, suffix = x.dtype == "int8", output.suffix
        types = f"i8_{suffix}" if flips else f"u8_{suffix}"
        x, less = self._unsigned(x)
        done = self._ending(x, less)
        if not flips and not narrow_problem(self.weights, x):
            return self._narrow_kernel(suffix, done, x)
        problem = dual_problem(self.weights, x)
        if not problem:
            return self._dual_kernel(suffix, done, x, flips, may_skip)
        split = split_weights(self.weights, x) if x.low >= 0 and self.weights.size >= LEAST_SPLIT else None
        if split and split.share <= MOST_EXTRAS and split.fits(split.inputs):
            return self._split_kernel(suffix, done, x, flips, split, may_skip)
        return self._plain_kernel(types, done, problem)

    def tight_kernel(self, inputs: tuple[TensorType, ...], output: TensorType, kernel: CKernel) -> CKernel | None:
        (x,) = inputs
        lanes = None if is_wide(self.weights, self.rounding_shift, x) else lanes_of(self.weights, x)
        return lanes_kernel(self.weights, lanes, self._ending(x, np.zeros(1, np.int64)), output) if lanes else None

    @property
    def _sums(self) -> Sums:
        return Sums(self.weights, self.bias, self.rounding_shift, self.requantization)

    def small_kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel | None:
        (x,) = inputs
        if is_wide(self.weights, self.rounding_shift, x):
            return short_dense_kernel(self._sums, x, output)
        narrow = x.dtype == "uint8"
        return self._short_kernel(output.suffix) if narrow and self._fits_short_kernel(x, output) else None

    def least_kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel | None:
        (x,) = inputs
        if is_wide(self.weights, self.rounding_shift, x):
            return short_dense_kernel(self._sums, x, output)
        least = least_dense_kernel(self._sums, x, output)
        if least is not None:
            return least
        flip = INT8_FLIP if x.dtype == "int8" else 0
        done, count = self._ending(*self._unsigned(x)), x.elements
        window = Window(1, 1, count, 1, 1, 1, 1, 0, 0, 1, 1)
        return filters_kernel(window, self.weights, count, 0, done, output, flip)

    def _ending(self, x: TensorType, less: np.ndarray) -> Finish:
        """How 32-bit sums of inputs as the kernels see them become results."""
        bias = self.bias - less
        return finish(self.requantization, bias, *channel_bounds(self.weights, bias, x))

    def _fits_short_kernel(self, x: TensorType, output: TensorType) -> bool:
        """Is the requantization one that c_runtime/qnn_dense_short.h can do?"""
        constants = self.requantization
        if constants.rounding != QNN or np.any(constants.zero_point != 0) or not output.activation:
            return False
        if not output.holds_all() or max(self.weights.shape) > MAX_SHORT_SIDE:
            return False
        prescale = int(constants.prescale.max())
        low, high = self.accumulator_bound((x,))
        return prescale <= MAX_SHORT_PRESCALE and max(-low, high) << prescale <= INT32_MAX

    def _short_kernel(self, suffix: str) -> CKernel:
        outputs, count = self.weights.shape
        constants = self.requantization
        multiplier, shift, prescale = (
            np.broadcast_to(array, (outputs,)).astype(np.int64)
            for array in (constants.multiplier, constants.shift, constants.prescale)
        )
        codes = shift - 1 + 32 * prescale
        rows = np.concatenate([self.weights, codes.astype(np.int8)[:, None]], axis=1)
        fields = (
            CField("inputs", count),
            CField("outputs", outputs),
            CField("weights", CArray("int8_t", rows, WEIGHTS)),
            CField("constants", CArray("int32_t", np.stack([self.bias, multiplier], axis=1), WEIGHTS)),
        )
        name = f"qnn_dense_short_{'any' if count % 4 else 'fours'}_u8_{suffix}"
        return CKernel("qnn_dense_short.h", name, "qnn_dense_short_t", fields)

    def _dual_kernel(self, suffix: str, done: Finish, x: TensorType, flips: bool, may_skip: bool) -> CKernel:
        lowest = lowest_weights(self.weights)
        fields = self._dual_fields(dual_words(self.weights, lowest), lowest, done, flips)
        sparse = may_skip and self._skips_zeros(x)
        name = f"qnn_dense_dual{'_sparse' if sparse else ''}_u8_{suffix}"
        return CKernel(
            "qnn_dense_dual.h", name, "qnn_dense_dual_t", fields, *self._dual_costs(x, sparse, flips, may_skip)
        )

    def _split_kernel(
        self, suffix: str, done: Finish, x: TensorType, flips: bool, split: Split, may_skip: bool
    ) -> CKernel:
        layer = CStruct(self._dual_fields(split.words(), split.lowest, done, flips))
        fields = (CField("layer", layer), CField("rest", split.struct(split.inputs)))
        sparse = may_skip and self._skips_zeros(x)
        name = f"qnn_dense_split{'_sparse' if sparse else ''}_u8_{suffix}"
        work, reason, features = self._dual_costs(x, sparse, flips, may_skip)
        reason += f"; {split.share:.1%} of the weights need another"
        return CKernel("qnn_dense_split.h", name, "qnn_dense_split_t", fields, work, reason, features)

    def _skips_zeros(self, x: TensorType) -> bool:
        """Is a list of the groups that are not zero worth its while?"""
        pays = x.zero_groups >= SPARSE_FROM or self.weights.size < SMALL_LAYER
        return pays and DUAL_ROWS * GROUP * self._groups <= MAX_OFFSET

    @property
    def _groups(self) -> int:
        return -(-self.weights.shape[1] // GROUP)

    def _dual_costs(self, x: TensorType, sparse: bool, flips: bool, may_skip: bool) -> tuple[int, str, tuple[str, ...]]:
        """Bytes of workspace, reason and optional parts."""
        reason = f"two products a multiplication; {x.zero_groups:.0%} of the input groups are zero"
        reason += ", which are skipped" if sparse else "" if may_skip else ", none of which is skipped in constant time"
        return (10 if sparse else 8) * self._groups, reason, (INT8_INPUTS,) if flips else ()

    def _dual_fields(self, words: np.ndarray, lowest: np.ndarray, done: Finish, flips: bool) -> tuple[CField, ...]:
        """The qnn_dense_dual_t of c_runtime/qnn_dense_dual.h; words (O, groups), lowest (O,)."""
        outputs, count = self.weights.shape
        return (
            CField("inputs", count),
            CField("outputs", outputs),
            CField("weights", CArray("uint32_t", blocked(words, DUAL_ROWS), WEIGHTS)),
            CField("lowest", CArray("int8_t", lowest, TABLES)),
            CField("bias", CArray("int32_t", done.bias, WEIGHTS)),
            CField("flips", int(flips)),
            CField("requantize", done.struct),
        )

    def _narrow_kernel(self, suffix: str, done: Finish, x: TensorType) -> CKernel:
        outputs, count = self.weights.shape
        words, chunk = narrow_words(self.weights), narrow_chunk(self.weights, x)
        fields = (
            CField("inputs", count),
            CField("outputs", outputs),
            CField("chunk", chunk),
            CField("weights", CArray("uint32_t", blocked(words, ROWS), WEIGHTS)),
            CField("lowest", CArray("int8_t", lowest_weights(self.weights), TABLES)),
            CField("bias", CArray("int32_t", done.bias, WEIGHTS)),
            CField("requantize", done.struct),
        )
        name, work = f"qnn_dense_narrow_u8_{suffix}", 16 * words.shape[1]
        reason = f"weights of four bits; {4 * chunk} multiplications a sum"
        return CKernel("qnn_dense_narrow.h", name, "qnn_dense_narrow_t", fields, work, reason)

    def _plain_kernel(self, types: str, done: Finish, problem: str) -> CKernel:
        outputs, count = self.weights.shape
        fields = (
            CField("inputs", count),
            CField("outputs", outputs),
            CField("weights", CArray("int8_t", interleave_rows(self.weights), WEIGHTS)),
            CField("bias", CArray("int32_t", done.bias, WEIGHTS)),
            CField("requantize", done.struct),
        )
        reason = f"one product each: {problem}"
        return CKernel("qnn_dense.h", f"qnn_dense_{types}", "qnn_dense_t", fields, 0, reason)

    def macs(self, inputs: tuple[TensorType, ...], output: TensorType) -> int:
        return int(self.weights.size)
