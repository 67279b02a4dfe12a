# SPDX-License-Identifier: MIT
"""conv2d: filters slide over maps, one requantization per output (SPEC 5.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.accumulate import exact_product
from qnn.ops.blocks import interleave_rows
from qnn.ops.ckernel import TABLES, WEIGHTS, CArray, CField, CKernel, CStruct
from qnn.ops.convolution import Convolution
from qnn.ops.dual import (
    GROUP,
    NARROW_GROUP,
    blocked,
    dual_problem,
    dual_words,
    lowest_weights,
    narrow_chunk,
    narrow_problem,
    narrow_words,
)
from qnn.ops.least import filters_kernel
from qnn.ops.op import TensorType
from qnn.ops.pairs import eights, fits_shifted, pair_chunk, pair_words, reads_pairs, workspace
from qnn.ops.requantize import Finish
from qnn.ops.split import Split, split_weights
from qnn.ops.sweep import sweep_kernel, sweeps
from qnn.ops.wide import conv2d_kernel, is_wide
from qnn.ops.window import Window

BLOCK_PIXELS = 4  # that share one pass over the weights in c_runtime/qnn_conv2d*.h
DUAL_FILTERS, NARROW_FILTERS = 3, 2  # the same in c_runtime/qnn_conv2d_dual.h and qnn_conv2d_narrow.h, _pairs.h
LEAST_SPLIT = 256  # weights, below which windows are too short, or too few filters share them, for it to pay
MOST_EXTRAS = 1 / 8  # part of the weights from which adding up what the words lack costs more than they save
CHUNK_BYTES = 1 << 26  # of columns: bounds the simulator's memory


@dataclass(frozen=True, eq=False)
class Conv2d(Convolution):
    """acc[r, c, o] = bias[o] + sum over taps and channels of x[window] * weights[o, tap, channel].

    weights: int8 or int16 (O, kernel_height, kernel_width, channels), symmetric. bias: int64 (O,); the input's zero
    point is folded into it. pad_value: what a tap outside the map reads, the input's zero point. rounding_shift: as of
    dense.
    """

    kind: ClassVar[str] = "conv2d"
    window: Window
    weights: np.ndarray
    bias: np.ndarray
    pad_value: int
    requantization: Requantization
    rounding_shift: int = 0

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        w = self.window
        shape = (len(self.weights), w.kernel_height, w.kernel_width, w.channels)
        self.check_filters(subject, inputs[0], output, shape)

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        columns = self.window.columns(inputs[0], self.pad_value)  # (N, R, C, channels, KH, KW)
        weights = self.weights.astype(np.int64)
        accumulator = np.zeros((*columns.shape[:3], len(weights)), np.int64) + self.bias
        for i in range(self.window.kernel_height):
            for j in range(self.window.kernel_width):
                accumulator = accumulator + columns[..., i, j] @ weights[:, i, j].T
        return self.finish(accumulator)

    def evaluate(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        """As `reference`, by one BLAS product over packed columns."""
        columns = self.window.columns(inputs[0], self.pad_value)
        matrix = self.weights.transpose(3, 1, 2, 0).reshape(-1, len(self.weights))  # (channels * KH * KW, O)
        step = max(1, CHUNK_BYTES // (8 * matrix.shape[0] * self.window.pixels))
        parts = [np.zeros((0, *columns.shape[1:3], len(self.weights)), np.int64)]
        for start in range(0, len(columns), step):
            part = columns[start : start + step]
            products = exact_product(part.reshape(-1, matrix.shape[0]), matrix)
            parts.append(self.finish(products.reshape(*part.shape[:3], -1) + self.bias))
        return np.concatenate(parts)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        (x,), suffix = inputs, output.suffix
        if is_wide(self.weights, self.rounding_shift, x):
            return conv2d_kernel(self.sums, self.window, self.pad_value, x, output)
        done = self.ending(x)
        if self.window.channels == 1 and sweeps(self.window):
            return sweep_kernel(self.window, len(self.weights), self.weights, self.pad_value, done, suffix)
        rows = self.weights.reshape(len(self.weights), -1)
        if not narrow_problem(rows, x):
            pairs = reads_pairs(self.window, self.weights, x)
            pairs = pairs and fits_shifted(self.requantization, self.accumulator_bound(inputs))
            return self._pairs_kernel(x, suffix, done) if pairs else self._narrow_kernel(rows, x, suffix, done)
        problem = dual_problem(rows, x)
        if not problem:
            return self._dual_kernel(rows, suffix, done)
        split = split_weights(rows, x) if x.low >= 0 and rows.size >= LEAST_SPLIT else None
        if split and split.share <= MOST_EXTRAS and split.fits(_packed_places(split.inputs)):
            return self._split_kernel(suffix, done, split)
        return self._plain_kernel(suffix, done, problem)

    def least_kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel | None:
        (x,) = inputs
        if is_wide(self.weights, self.rounding_shift, x):
            return None
        done = self.ending(x)
        return filters_kernel(self.window, self.weights, self.window.channels, self.pad_value, done, output)

    def _dual_kernel(self, rows: np.ndarray, suffix: str, done: Finish) -> CKernel:
        lowest = lowest_weights(rows)
        fields = self._packed_fields(blocked(dual_words(rows, lowest), DUAL_FILTERS), lowest, done)
        name, work = f"qnn_conv2d_dual_u8_{suffix}", self._workspace(GROUP)
        reason = "two products a multiplication"
        return CKernel("qnn_conv2d_dual.h", name, "qnn_conv2d_packed_t", fields, work, reason)

    def _split_kernel(self, suffix: str, done: Finish, split: Split) -> CKernel:
        layer = CStruct(self._packed_fields(blocked(split.words(), DUAL_FILTERS), split.lowest, done))
        fields = (CField("layer", layer), CField("rest", split.struct(_packed_places(split.inputs))))
        name, work = f"qnn_conv2d_split_u8_{suffix}", self._workspace(GROUP)
        reason = f"two products a multiplication; {split.share:.1%} of the weights need another"
        return CKernel("qnn_conv2d_split.h", name, "qnn_conv2d_split_t", fields, work, reason)

    def _narrow_kernel(self, rows: np.ndarray, x: TensorType, suffix: str, done: Finish) -> CKernel:
        chunk = narrow_chunk(rows, x)
        words = blocked(narrow_words(rows), NARROW_FILTERS)
        layer = CStruct(self._packed_fields(words, lowest_weights(rows), done))
        fields = (CField("layer", layer), CField("chunk", chunk))
        name, work = f"qnn_conv2d_narrow_u8_{suffix}", self._workspace(NARROW_GROUP)
        reason = f"weights of four bits; {4 * chunk} multiplications a sum"
        return CKernel("qnn_conv2d_narrow.h", name, "qnn_conv2d_narrow_t", fields, work, reason)

    def _pairs_kernel(self, x: TensorType, suffix: str, done: Finish) -> CKernel:
        found = eights(self.weights)
        words, chunk = pair_words(found), pair_chunk(found, x)
        fields = (
            CField("window", self.window.struct()),
            CField("filters", len(self.weights)),
            CField("pad_value", self.pad_value),
            CField("chunk", chunk),
            CField("words", words.shape[1]),
            CField("weights", CArray("uint32_t", blocked(words, NARROW_FILTERS), WEIGHTS)),
            CField("bias", CArray("int32_t", done.bias, WEIGHTS)),
            CField("requantize", done.struct),
        )
        name, work = f"qnn_conv2d_pairs_u8_{suffix}", workspace(self.window)
        reason = f"weights of four bits; {4 * chunk} multiplications a sum; the map is packed once"
        return CKernel("qnn_conv2d_pairs.h", name, "qnn_conv2d_pairs_t", fields, work, reason)

    def _workspace(self, group: int) -> int:
        """Bytes for the packed columns of BLOCK_PIXELS windows of whole groups of inputs, and one window's bytes."""
        column = self.window.taps * self.window.channels
        inputs = -(-column // group) * group
        return BLOCK_PIXELS * 2 * inputs + (column if self.window.channels % GROUP else 0)

    def _packed_fields(self, words: np.ndarray, lowest: np.ndarray, done: Finish) -> tuple[CField, ...]:
        """The qnn_conv2d_packed_t of c_runtime/qnn_conv2d_packed.h."""
        return (
            CField("window", self.window.struct()),
            CField("filters", len(self.weights)),
            CField("pad_value", self.pad_value),
            CField("weights", CArray("uint32_t", words, WEIGHTS)),
            CField("lowest", CArray("int8_t", lowest, TABLES)),
            CField("bias", CArray("int32_t", done.bias, WEIGHTS)),
            CField("requantize", done.struct),
        )

    def _plain_kernel(self, suffix: str, done: Finish, problem: str) -> CKernel:
        filters, column = len(self.weights), self.window.taps * self.window.channels
        fields = (
            CField("window", self.window.struct()),
            CField("filters", filters),
            CField("pad_value", self.pad_value),
            CField("weights", CArray("int8_t", interleave_rows(self.weights.reshape(filters, -1)), WEIGHTS)),
            CField("bias", CArray("int32_t", done.bias, WEIGHTS)),
            CField("requantize", done.struct),
        )
        name, reason = f"qnn_conv2d_u8_{suffix}", f"one product each: {problem}"
        return CKernel("qnn_conv2d.h", name, "qnn_conv2d_t", fields, BLOCK_PIXELS * column, reason)


def _packed_places(inputs: np.ndarray) -> np.ndarray:
    """Where a window's inputs (E,) lie in its packed words, in bytes: byte i of a group's word i & 1 (SPEC 6.5)."""
    group, place = np.divmod(inputs, GROUP)
    return np.asarray(2 * BLOCK_PIXELS * 4 * group + 4 * (place & 1) + place)
