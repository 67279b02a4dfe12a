# SPDX-License-Identifier: MIT
"""How many bits weights and activations have, layer by layer (SPEC 4.11)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qnn.errors import QnnError

WEIGHT_BITS = (8, 16)
ACTIVATION_BITS = (8, 16)
MIXED = "mixed"
PAIR = re.compile(r"w(\d+)a(\d+)\Z")


@dataclass(frozen=True)
class Width:
    """Bits of a layer's weights, and of the activations that it gives."""

    weights: int
    activations: int


@dataclass(frozen=True)
class Widths:
    """The Width of every layer of a float model, by the node's name; `default` is that of all others.

    input: bits of readings after their quantization; raw bytes stay what they are. The output has 16 bits always.
    """

    input: int
    default: Width
    layers: tuple[tuple[str, Width], ...] = ()

    def of(self, name: str) -> Width:
        """The Width of the node called `name`."""
        return next((width for layer, width in self.layers if layer == name), self.default)


EIGHT = Widths(8, Width(8, 8))
SIXTEEN = Widths(16, Width(16, 16))


def widths_named(bits: str) -> Widths:
    """The Widths that --bits names: 8, 16, or a pair such as w8a16. Raises QnnError for others."""
    match = PAIR.match(bits)
    weights, activations = (int(part) for part in match.groups()) if match else (number_of(bits),) * 2
    if weights not in WEIGHT_BITS or activations not in ACTIVATION_BITS:
        known = ", ".join(map(str, sorted({*WEIGHT_BITS} & {*ACTIVATION_BITS})))
        remedy = f"use {known}, a pair such as w8a16 (weights and activations), or {MIXED}"
        raise QnnError(f"--bits {bits}", "is not a width that this version makes", remedy)
    return Widths(activations, Width(weights, activations))


def check_bits(bits: str) -> None:
    """Raises QnnError unless `bits` is a width, a pair of widths, or mixed."""
    if bits != MIXED:
        widths_named(bits)


def number_of(bits: str) -> int:
    """The number that `bits` is, or 0."""
    return int(bits) if bits.isascii() and bits.isdigit() and len(bits) < 4 else 0
