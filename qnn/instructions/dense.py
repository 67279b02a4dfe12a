# SPDX-License-Identifier: MIT
"""The forms of the kernels of dense layers."""

from __future__ import annotations

import numpy as np

from qnn.instructions.fields import Called, Fields
from qnn.instructions.forms import HALVES, Part, Parts, form, halves, results
from qnn.ops.dense import DUAL_ROWS
from qnn.ops.dual import GROUP, NARROW_GROUP


@form("qnn_dense_dual_t", shared=True)
def dense_dual(called: Called) -> Parts:
    """Blocks of eight outputs, then row by row; groups of inputs that are zero may be left out."""
    return (*_dual(called, called.fields), *halves(called, called.fields["outputs"]))


@form("qnn_dense_split_t", shared=True)
def dense_split(called: Called) -> Parts:
    """The same, and what the words lack, weight by weight."""
    layer, rest = called.fields.struct("layer"), called.fields.struct("rest").array("extras")
    extras = 0 if rest is None else rest.values.size
    return (*_dual(called, layer), Part("extra", extras), *halves(called, layer["outputs"]))


def _dual(called: Called, layer: Fields) -> Parts:
    inputs, outputs = layer["inputs"], layer["outputs"]
    groups, blocks, rows = -(-inputs // GROUP), outputs // DUAL_ROWS, outputs % DUAL_ROWS
    live = groups - called.zeros if "_sparse" in called.kernel.function else groups
    return (
        Part("group of a block", blocks * live),
        Part("group of a row", rows * live),
        Part("block", blocks),
        Part("row", rows),
        Part("group packed", groups * (1 - layer["flips"])),
        Part("group flipped", groups * layer["flips"]),
        Part("group kept", live),
        Part("last group", 1 if inputs % GROUP else 0),
        *results(layer, outputs),
    )


@form("qnn_dense_narrow_t", shared=True)
def dense_narrow(called: Called) -> Parts:
    """Blocks of four outputs, summed in chunks of words of eight inputs, then row by row."""
    fields = called.fields
    inputs, outputs = fields["inputs"], fields["outputs"]
    words, blocks, rows = -(-inputs // NARROW_GROUP), outputs // 4, outputs % 4
    return (
        Part("word of a block", blocks * words),
        Part("chunk of a block", blocks * -(-words // fields["chunk"])),
        Part("word of a row", rows * words),
        Part("block", blocks),
        Part("row", rows),
        Part("group packed", -(-inputs // GROUP)),
        Part("last group", 1 if inputs % GROUP else 0),
        *results(fields, outputs),
        *halves(called, outputs),
    )


@form("qnn_dense_t")
def dense_plain(called: Called) -> Parts:
    """Blocks of four outputs and four inputs, then row by row."""
    fields = called.fields
    inputs, outputs = fields["inputs"], fields["outputs"]
    blocks, rows = outputs // 4, outputs % 4
    return (
        Part("four inputs of a block", blocks * (inputs // 4)),
        Part("odd input of a block", blocks * (inputs % 4)),
        Part("input of a row", rows * inputs),
        Part("block", blocks),
        *results(fields, outputs),
        *halves(called, outputs),
    )


@form("qnn_dense_wide_t")
def dense_wide(called: Called) -> Parts:
    """Inputs or weights of 16 bits, two inputs of four outputs at a time."""
    return wide_rows(called.fields, 1)


def wide_rows(fields: Fields, times: int) -> Parts:
    """A wide dense layer, `times` times."""
    inputs, outputs = fields["inputs"], fields["outputs"]
    blocks, rows = outputs // 4, outputs % 4
    return (
        Part("two inputs of a block", times * blocks * (inputs // 2)),
        Part("odd input of a block", times * blocks * (inputs % 2)),
        Part("input of a row", times * rows * inputs),
        Part("block", times * blocks),
        *results(fields, times * outputs),
        Part(HALVES, times * outputs * fields["wide"]),
    )


@form("qnn_dense_short_t", shared=True)
def dense_short(called: Called) -> Parts:
    """Little code: row by row, inputs in fours."""
    fields = called.fields
    inputs, outputs, weights = fields["inputs"], fields["outputs"], fields.array("weights")
    prescaled = 0 if weights is None else int((np.asarray(weights.values)[:, -1].view(np.int8) >= 32).sum())
    return (
        Part("four inputs", outputs * (inputs // 4)),
        Part("odd input", outputs * (inputs % 4)),
        Part("result", outputs),
        Part("result, prescaled", prescaled),
        *halves(called, outputs),
    )


@form("qnn_dense_short_wide_t")
def dense_short_wide(called: Called) -> Parts:
    """Little code for 16 bits: input by input."""
    fields = called.fields
    outputs, shift = fields["outputs"], fields["rounding_shift"]
    return (
        Part("input", outputs * fields["inputs"]),
        Part("result", outputs),
        Part(HALVES, outputs * fields["wide"]),
        Part("rounded sum", outputs if shift else 0),
    )


@form("qnn_dense_least_t", shared=True)
def dense_least(called: Called) -> Parts:
    """The least code: input by input."""
    fields = called.fields
    return (
        Part("input", fields["outputs"] * fields["inputs"]),
        Part("result", fields["outputs"]),
        Part(HALVES, fields["outputs"] * fields["wide"]),
    )
