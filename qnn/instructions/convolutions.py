# SPDX-License-Identifier: MIT
"""The forms of the kernels of convolutions."""

from __future__ import annotations

from qnn.instructions.dense import wide_rows
from qnn.instructions.fields import Called, Fields, Windows, windows_of
from qnn.instructions.forms import HALVES, Part, Parts, form, halves, results
from qnn.ops.conv2d import BLOCK_PIXELS, DUAL_FILTERS, NARROW_FILTERS
from qnn.ops.dual import GROUP, NARROW_GROUP
from qnn.ops.wide import BLOCK_PIXELS as WIDE_PIXELS

PACKER = "qnn_dual_window"
TAP_ROWS = 3  # of c_runtime/qnn_depthwise_3x3.h


@form("qnn_conv2d_packed_t", shared=True, packer=PACKER)
def conv2d_dual(called: Called) -> Parts:
    """Four windows by three filters."""
    return _dual(called, called.fields, 0)


@form("qnn_conv2d_split_t", shared=True, packer=PACKER)
def conv2d_split(called: Called) -> Parts:
    """The same, and what the words lack, weight by weight."""
    extras = called.fields.struct("rest").array("extras")
    return _dual(called, called.fields.struct("layer"), 0 if extras is None else extras.values.size)


def _dual(called: Called, layer: Fields, extras: int) -> Parts:
    windows, filters = windows_of(layer.struct("window")), layer["filters"]
    groups, blocks, rows = -(-windows.column // GROUP), filters // DUAL_FILTERS, filters % DUAL_FILTERS
    return (
        Part("group of a block", windows.fours * blocks * groups),
        Part("group of a row", windows.fours * rows * groups),
        Part("group of a last window", windows.left * filters * groups),
        Part("block", windows.fours * blocks),
        Part("row", windows.fours * rows),
        Part("four extras", windows.fours * extras),
        Part("extra", windows.left * extras),
        *_packed(windows, groups),
        *_finished(called, layer, windows, filters),
    )


@form("qnn_conv2d_narrow_t", shared=True, packer=PACKER)
def conv2d_narrow(called: Called) -> Parts:
    """Four windows by two filters, in chunks of words of eight inputs."""
    layer = called.fields.struct("layer")
    windows, filters = windows_of(layer.struct("window")), layer["filters"]
    words = -(-windows.column // NARROW_GROUP)
    return (
        *_narrow_words(windows, filters, words, called.fields["chunk"]),
        *_packed(windows, -(-windows.column // GROUP)),
        *_finished(called, layer, windows, filters),
    )


def _narrow_words(windows: Windows, filters: int, words: int, chunk: int) -> Parts:
    blocks, row = filters // NARROW_FILTERS, filters % NARROW_FILTERS
    return (
        Part("word of a block", windows.fours * blocks * words),
        Part("chunk of a block", windows.fours * blocks * -(-words // chunk)),
        Part("block", windows.fours * blocks),
        Part("word of one window", (BLOCK_PIXELS * windows.fours * row + windows.left * filters) * words),
        Part("row", windows.fours * row),
    )


def _pairs_words(windows: Windows, filters: int, words: int, chunk: int) -> Parts:
    """As the above; the last windows take two filters at a time as well."""
    blocks, row = filters // NARROW_FILTERS, filters % NARROW_FILTERS
    chunks = -(-words // chunk)
    return (
        Part("word of a block", windows.fours * blocks * words),
        Part("chunk of a block", windows.fours * blocks * chunks),
        Part("block", windows.fours * blocks),
        Part("word of two filters", windows.left * blocks * words),
        Part("chunk of two filters", windows.left * blocks * chunks),
        Part("two filters", windows.left * blocks),
        Part("word of one window", (BLOCK_PIXELS * windows.fours + windows.left) * row * words),
        Part("row", windows.fours * row),
    )


def _packed(windows: Windows, groups: int) -> Parts:
    """Windows packed in groups of four inputs: row by row from the map where channels are in fours, else a copy."""
    if windows.channels % GROUP:
        return (
            *copied(windows),
            Part("group packed", windows.pixels * (windows.column // GROUP)),
            Part("last group", windows.pixels if windows.column % GROUP else 0),
        )
    tap = " of one tap" if windows.taps == 1 else ""
    return (
        Part(f"window{tap}", windows.pixels),
        Part("window with padding", windows.cut),
        Part("row packed", 0 if tap else windows.rows),
        Part("group packed", windows.inside // GROUP),
        Part("group of padding", windows.outside // GROUP),
    )


def copied(windows: Windows) -> Parts:
    """Windows as arrays of taps and channels."""
    return (
        Part("window", windows.pixels),
        Part("window with padding", windows.cut),
        Part("row copied", windows.rows),
        Part("row with fours", windows.rows_with_fours),
        Part("row with ones", windows.rows_with_ones),
        Part("four copied", windows.quads),
        Part("one copied", windows.odd),
        Part("one of padding", windows.outside),
    )


def _finished(called: Called, layer: Fields, windows: Windows, filters: int) -> Parts:
    """Results of four windows at once, and one by one."""
    return (
        Part("four windows", windows.fours),
        *results(layer, BLOCK_PIXELS * windows.fours * filters),
        *results(layer, windows.left * filters, "last result"),
        *halves(called, windows.pixels * filters),
    )


@form("qnn_conv2d_pairs_t", shared=True)
def conv2d_pairs(called: Called) -> Parts:
    """The map is packed once; four windows by two filters, in chunks of words of eight inputs."""
    fields = called.fields
    window = fields.struct("window")
    windows, filters = windows_of(window), fields["filters"]
    rows = (window["out_height"] - 1) * window["stride_height"] + window["kernel_height"]
    columns = (window["out_width"] - 1) * window["stride_width"] + window["kernel_width"]
    row = -(-window["kernel_width"] * window["channels"] // 2)
    turns = -(-windows.pixels // BLOCK_PIXELS)
    lines = min(rows - window["pad_top"], window["height"])
    across = min(window["width"], columns - window["pad_left"]) * window["channels"]
    return (
        *_pairs_words(windows, filters, fields["words"], fields["chunk"]),
        Part("row of the map", rows),
        Part("pair packed", lines * (across // 2)),
        Part("pair of padding", rows * -(-columns * window["channels"] // 2) - lines * (across // 2)),
        Part("four windows copied", turns),
        Part("row copied", turns * windows.kernel_height),
        Part("pair copied", turns * windows.kernel_height * row),
        *_finished(called, fields, windows, filters),
    )


@form("qnn_conv2d_t")
def conv2d_plain(called: Called) -> Parts:
    """Four windows by four filters, product by product."""
    fields = called.fields
    windows, filters = windows_of(fields.struct("window")), fields["filters"]
    return (
        Part("input of a block", windows.fours * (filters // 4) * windows.column),
        Part("input of a row", windows.fours * (filters % 4) * windows.column),
        Part("input of a last window", windows.left * filters * windows.column),
        Part("block", windows.fours * (filters // 4)),
        Part("row", windows.fours * (filters % 4)),
        *copied(windows),
        *_finished(called, fields, windows, filters),
    )


@form("qnn_conv2d_wide_t")
def conv2d_wide(called: Called) -> Parts:
    """Two windows by four filters."""
    fields = called.fields
    windows, filters = windows_of(fields.struct("window")), fields["filters"]
    turns = -(-windows.pixels // WIDE_PIXELS)
    return (
        Part("input of a block", turns * (filters // 4) * windows.column),
        Part("input of a row", turns * (filters % 4) * windows.column),
        Part("block", turns * (filters // 4)),
        Part("row", turns * (filters % 4)),
        Part("two windows", turns),
        *_wide_windows(windows),
        *results(fields, windows.pixels * filters),
        Part(HALVES, windows.pixels * filters * fields["wide"]),
    )


def _wide_windows(windows: Windows) -> Parts:
    return (Part("window of one tap", windows.pixels),) if windows.taps == 1 else copied(windows)


@form("qnn_conv2d_sum64_t")
def conv2d_sum64(called: Called) -> Parts:
    """A wide dense layer for each window."""
    windows = windows_of(called.fields.struct("window"))
    return (*wide_rows(called.fields.struct("filters"), windows.pixels), *_wide_windows(windows))


@form("qnn_depthwise_conv2d_t", "qnn_depthwise_conv2d_wide_t")
def depthwise(called: Called) -> Parts:
    """Window by window, tap by tap."""
    fields = called.fields
    windows = windows_of(fields.struct("window"))
    filters = windows.channels * fields["multiplier"]
    wide = called.kernel.struct == "qnn_depthwise_conv2d_wide_t"
    more = Part(HALVES, windows.pixels * filters * fields["wide"]) if wide else Part("", 0)
    return (
        Part("tap", windows.pixels * filters * windows.taps),
        *(_wide_windows(windows) if wide else copied(windows)),
        *results(fields, windows.pixels * filters),
        *(() if wide else halves(called, windows.pixels * filters)),
        more,
    )


@form("qnn_depthwise_3x3_t")
def depthwise_3x3(called: Called) -> Parts:
    """Each filter sweeps over each line; the first and last outputs of a line may touch the padding."""
    fields = called.fields
    across, along = fields.struct("across"), fields.struct("along")
    filters = fields["channels"] * fields["multiplier"]
    starts = range(-across["pad"], across["out_size"] * across["stride"] - across["pad"], across["stride"])
    cut = sum(line < 0 or line + TAP_ROWS > across["size"] for line in starts)
    lines, inside = filters * across["out_size"], _inside_a_line(along)
    kind = f"stride {along['stride']}{', of one channel' if fields['channels'] == 1 else ''}"
    return (
        Part("filter", filters),
        Part(f"line, {kind}", lines),
        Part("line with padding", filters * cut),
        Part(f"output inside, {kind}", lines * inside),
        Part(f"output at the end, {kind}", lines * (along["out_size"] - inside)),
        *results(fields, lines * along["out_size"], f"result, {kind}"),
        *halves(called, lines * along["out_size"]),
    )


def _inside_a_line(along: Fields) -> int:
    """How many outputs of a line end without a look at the padding."""
    size, pad, out = along["size"], along["pad"], along["out_size"]
    if along["stride"] == 1:
        return max(min(out + 2, pad + size), 2) - 2
    return sum(pad <= column < pad + size - 1 for column in range(1, 2 * out, 2))


@form("qnn_filters_least_t")
def filters_least(called: Called) -> Parts:
    """The least code: tap by tap, channel by channel."""
    fields = called.fields
    windows = windows_of(fields.struct("window"))
    each = windows.pixels * fields["filters"]
    return (
        Part("input", each * windows.taps * fields["depth"]),
        Part("tap", each * windows.taps),
        Part("row", each * windows.kernel_height),
        Part("pixel", windows.pixels),
        *results(fields, each),
        Part(HALVES, each * fields["wide"]),
    )
