# SPDX-License-Identifier: MIT
"""The combinations that the options of qnn report ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qnn.balancing import CHOICES as EQUALIZATIONS
from qnn.cli.console import Output
from qnn.cli.listed import listed
from qnn.namedwidths import check_apart, takes_weight_bits
from qnn.ops.choices import GOALS, PACKS
from qnn.precision import CLIPPINGS
from qnn.ranges import METHODS
from qnn.report.variant import Axes
from qnn.rounding import CHOICES as ROUNDINGS
from qnn.widths import NAMES, bit_parts, check_bits

SWITCH = ("on", "off")


@dataclass(frozen=True)
class Typed:
    """What the options say, None where they are not given."""

    bits: str | None
    weight_bits: Sequence[str] | None
    method: str
    equalize: str
    rounding: str
    bias_correction: str
    clipping: str
    optimize: str | None
    pack: str | None
    constant_time: bool

    def axes(self, output: Output) -> Axes:
        """The Axes. Raises QnnError for what is no choice, and for widths that contradict each other."""
        bits, weights = _widths(self.bits, output), _weight_bits(self.weight_bits or ())
        if weights and bits and not any(map(takes_weight_bits, bits)):
            check_apart(bits[0])
        return Axes(
            bits,
            weights or (None,),
            listed(self.method, "--method", METHODS, output),
            listed(self.equalize, "--equalize", EQUALIZATIONS, output),
            listed(self.rounding, "--rounding", ROUNDINGS, output),
            tuple(word == "on" for word in listed(self.bias_correction, "--bias-correction", SWITCH, output)),
            listed(self.clipping, "--clipping", CLIPPINGS, output),
            () if self.optimize is None else listed(self.optimize, "--optimize", GOALS, output),
            self.constant_time,
            () if self.pack is None else listed(self.pack, "--pack", PACKS, output),
        )


def _widths(bits: str | None, output: Output) -> tuple[str, ...]:
    """What --bits names, () where it is not given. Raises QnnError for what is no width."""
    found = () if bits is None else listed(bits, "--bits", (), output)
    for width in found:
        check_bits(width)
    return found


def _weight_bits(words: Sequence[str]) -> tuple[str, ...]:
    """Each --weight-bits, where widths for all layers may stand together with commas between.

    Raises QnnError for what names no width.
    """
    found: list[str] = []
    for word in words:
        parts = [part.strip() for part in word.split(",")]
        found += parts if dict(NAMES).keys() >= set(parts) else [word]
    for text in found:
        bit_parts(text, "--weight-bits")
    return tuple(dict.fromkeys(found))
