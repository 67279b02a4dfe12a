# SPDX-License-Identifier: MIT
"""The forms of the kernels whose weights are stored in as many bits as they need (SPEC 6.10, 6.11)."""

from __future__ import annotations

from dataclasses import replace

from qnn.instructions.convolutions import PACKER
from qnn.instructions.fields import Called
from qnn.instructions.forms import FORMS, Part, Parts, form, halves, results
from qnn.ops.blocks import ROWS
from qnn.ops.ckernel import CStruct
from qnn.ops.dual import GROUP

LAYERS = (  # parameter structs with weights to unpack, and those of the kernels that then read them
    ("qnn_conv2d_dual_tight_t", "qnn_conv2d_packed_t"),
    ("qnn_conv2d_narrow_tight_t", "qnn_conv2d_narrow_t"),
    ("qnn_conv2d_pairs_tight_t", "qnn_conv2d_pairs_t"),
    ("qnn_depthwise_3x3_tight_t", "qnn_depthwise_3x3_t"),
    ("qnn_depthwise_conv2d_tight_t", "qnn_depthwise_conv2d_t"),
    ("qnn_filters_least_tight_t", "qnn_filters_least_t"),
)
PACKING = ("qnn_conv2d_dual_tight_t", "qnn_conv2d_narrow_tight_t")  # of these, those that pack windows by PACKER
TIGHT = "_tight"  # what of their kernels' names says that weights are unpacked


@form(*(struct for struct, _ in LAYERS if struct in PACKING), shared=True, packer=PACKER)
@form(*(struct for struct, _ in LAYERS if struct not in PACKING), shared=True)
def unpacked(called: Called) -> Parts:
    """All weights are unpacked first, word by word; then the kernel runs that reads them."""
    kernel = called.kernel
    layer = next(field.value for field in kernel.fields if field.name == "layer")
    assert isinstance(layer, CStruct)
    base = replace(kernel, struct=dict(LAYERS)[kernel.struct], fields=layer.fields)
    tight = called.fields.struct("tight")
    stored = tight["groups"] * tight["repeat"]
    return (
        *FORMS[base.struct].parts(replace(called, kernel=base)),
        Part("word unpacked", stored * tight["each"]),
        Part("word to unpack", stored),
        Part("group to unpack", tight["groups"]),
    )


@form("qnn_dense_lanes_t", shared=True)
def dense_lanes(called: Called) -> Parts:
    """Blocks of four outputs, then row by row; words of pairs of weights, whose spare bits are further ones."""
    fields = called.fields
    inputs, outputs, units, tail = fields["inputs"], fields["outputs"], fields["units"], fields["tail"]
    blocks, rows = outputs // ROWS, outputs % ROWS
    words, extra = units * fields["unit"] + tail, units * fields["extra"]
    pairs, packed, width = words * fields["each"] + extra, -(-inputs // GROUP), f"{fields['bits']} bits"
    return (
        Part(f"word of a block, {width}", blocks * words),
        Part(f"unit of a block, {width}", blocks * units),
        Part(f"block, {width}", blocks),
        Part("pair of a row", rows * pairs),
        Part("word of a row", rows * words),
        Part("unit of a row", rows * units),
        Part("row", rows),
        Part("group packed", packed),
        Part("last group", 1 if inputs % GROUP else 0),
        Part("word of zeros", max(0, pairs - 2 * packed)),
        *results(fields, outputs),
        *halves(called, outputs),
    )
