# SPDX-License-Identifier: MIT
"""The forms of the kernels that go through a tensor element by element, and of pools."""

from __future__ import annotations

from qnn.instructions.fields import Called, windows_of
from qnn.instructions.forms import Part, Parts, form, halves, results

EACH = "element"


@form(
    "qnn_table_u8_t",
    "qnn_table_i16_t",
    "qnn_curve_t",
    "qnn_flip_t",
    "qnn_load_t",
    "qnn_gather_t",
    "qnn_mul_t",
    "qnn_add16_t",
    "qnn_sigmoid16_t",
    "qnn_softmax8_t",
    "qnn_softmax16_t",
    "qnn_copy_t",
    apart=True,
)
def elements(called: Called) -> Parts:
    """The same for every element."""
    return (Part(EACH, called.elements),)


@form("qnn_retype_t", "qnn_add_t", "qnn_quantize_t", apart=True)
def requantized(called: Called) -> Parts:
    """The same for every element, which is requantized."""
    return results(called.fields, called.elements, EACH)


@form("qnn_compand_t", apart=True)
def compand(called: Called) -> Parts:
    """Raw values by straight lines, or segment by segment: a mean, since it depends on the value."""
    fields = called.fields
    multipliers = fields.array("multiplier")
    straight = 0 if multipliers is None else multipliers.values.size
    return (
        Part(EACH, straight),
        Part("element of special ones", called.elements * fields["special"]),
        Part("element beside segments", straight * fields["segments"]),
        Part("element with segments", called.elements - straight),
        Part("element with a lower end", called.elements * (fields.array("low") is not None)),
    )


@form("qnn_max_pool_t")
def max_pool(called: Called) -> Parts:
    """Pixel by pixel, tap by tap, channel by channel."""
    windows = windows_of(called.fields.struct("window"))
    few = " of one channel" if windows.channels == 1 else " of few channels" if windows.channels < 4 else ""
    return (
        Part(f"channel of a tap{few}", windows.inside),
        Part("tap", 0 if few else windows.inside // windows.channels),
        Part("row", windows.rows),
        Part("four copied", windows.pixels * (windows.channels // 4)),
        Part("one copied", windows.pixels * (windows.channels % 4)),
        Part("pixel", windows.pixels),
        Part("line", windows.height),
    )


@form("qnn_average_pool_t")
def average_pool(called: Called) -> Parts:
    """Pixel by pixel, channel by channel, tap by tap."""
    windows = windows_of(called.fields.struct("window"))
    each = windows.pixels * windows.channels
    whole = " of a map" if windows.pixels == 1 else ""
    return (
        Part(f"tap{whole}", windows.inside),
        Part(f"row{whole}", windows.rows * windows.channels),
        Part("pixel", windows.pixels),
        *results(called.fields, each),
        *halves(called, each),
    )


@form("qnn_concat_t")
def concat(called: Called) -> Parts:
    """Pixel by pixel, in fours."""
    pixels, sizes = called.fields["pixels"], (called.fields["channels1"], called.fields["channels2"])
    return (
        Part("pixel", pixels),
        Part("four copied", pixels * sum(size // 4 for size in sizes)),
        Part("one copied", pixels * sum(size % 4 for size in sizes)),
        Part("input with ones", pixels * sum(size % 4 > 0 for size in sizes)),
        Part("input with fours", pixels * sum(size > 4 for size in sizes)),
    )


@form("qnn_pad_t")
def pad(called: Called) -> Parts:
    """Row by row."""
    fields = called.fields
    height, line = fields["height"], fields["width"] * fields["channels"]
    return (
        Part("row", height),
        Part("four copied", height * (line // 4)),
        Part("one copied", height * (line % 4)),
        Part("one of padding", called.elements - height * line),
    )
