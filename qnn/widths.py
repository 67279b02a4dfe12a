# SPDX-License-Identifier: MIT
"""How many bits weights and activations have, layer by layer (SPEC 4.11)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from qnn.errors import QnnError
from qnn.precision import MSE, TERNARY

WEIGHT_BITS = (2, 3, 4, 5, 6, 7, 8, 16)
ACTIVATION_BITS = (4, 5, 6, 7, 8, 16)
EIGHT_NAME = "8"
TERNARY_NAME = "ternary"
MIXED, TRAINED = "mixed", "trained"  # widths that are chosen, and those that a model was trained with
PAIR = re.compile(r"w([0-9]+|ternary)a([0-9]+)\Z")
NAMES = (*((str(bits), bits) for bits in WEIGHT_BITS), (TERNARY_NAME, TERNARY))
FIRST, LAST = "first", "last"
LEARNED = 8  # bits: so many at most are learned
EXAMPLE = "say 4, or first=8,last=8,4"
PAIR_EXAMPLE = "; with activations w4a6, or first=w8a8,w4a4"


@dataclass(frozen=True)
class Width:
    """Bits of a layer's weights (or TERNARY), and of the activations that it gives.

    steps: of the weights of every output channel, where training has learned them; else empty.
    """

    weights: int
    activations: int
    steps: tuple[float, ...] = ()


@dataclass(frozen=True)
class Widths:
    """The Width of every layer of a float model, by the node's name; `default` is that of all others.

    input: bits of readings after their quantization; raw bytes stay what they are. The output has 16 bits always.
    clipping: of weights of less than 8 bits without learned steps, one of precision.CLIPPINGS.
    """

    input: int
    default: Width
    layers: tuple[tuple[str, Width], ...] = ()
    clipping: str = MSE

    def of(self, name: str) -> Width:
        """The Width of the node called `name`."""
        return next((width for layer, width in self.layers if layer == name), self.default)


EIGHT = Widths(8, Width(8, 8))
SIXTEEN = Widths(16, Width(16, 16))


def widths_named(bits: str) -> Widths:
    """The Widths that --bits names: 4 to 8, 16, or a pair such as w4a8. Raises QnnError for others."""
    match = PAIR.match(bits)
    weights, activations = (number_of(part) for part in match.groups()) if match else (number_of(bits),) * 2
    if weights not in WEIGHT_BITS or activations not in ACTIVATION_BITS:
        remedy = f"use 4 to 8, 16, a pair such as w4a8 (weights of 2 to 8 or 16, activations), or {MIXED}{_meant(bits)}"
        raise QnnError(f"--bits {bits}", "is not a width that this version makes", remedy)
    return Widths(max(activations, 8), Width(weights, activations))


def _meant(bits: str) -> str:
    """The end of a sentence: what may be meant by `bits`, which are no width; "" where nobody knows."""
    if bits != bits.lower() and (PAIR.match(bits.lower()) or bits.lower() in (MIXED, TRAINED)):
        return f"; did you mean {bits.lower()}?"
    if number_of(bits) in WEIGHT_BITS:
        return f"; w{bits}a8 has weights of {bits} bits"
    return "; --weight-bits has ternary" if TERNARY_NAME in bits.lower() else ""


def bits_text(bits: str, weight_bits: str | None) -> str:
    """What --bits and --weight-bits say, in words before "bits"."""
    return bits if weight_bits is None else f"weights of {weight_bits} and activations of {bits}"


def names_narrow(bits: str, weight_bits: str | None) -> bool:
    """Do --bits and --weight-bits name widths below 8 bits?"""
    if bits in (MIXED, TRAINED):
        return False
    width = widths_named(bits).default
    weights = [part.weights for part in bit_parts(weight_bits, "--weight-bits")] if weight_bits else [width.weights]
    return min(*weights, width.activations) < 8


@dataclass(frozen=True)
class Part:
    """Bits of the weights and of the activations (None: not said) of a layer, of "first", "last" or, by "", of all."""

    layer: str
    weights: int
    activations: int | None

    def width(self, default: Width) -> Width:
        """The Width that it makes of the default one."""
        return Width(self.weights, default.activations if self.activations is None else self.activations)


def bit_parts(text: str, option: str, pairs: bool = False) -> list[Part]:
    """The parts of what `option` says. pairs: it is for widths that are learned, and may say w4a6 as well.

    Raises QnnError for what is none, and for two that are for all layers.
    """
    found = [_part(text, part.strip(), option, pairs) for part in text.split(",")]
    if sum(not part.layer for part in found) > 1:
        raise QnnError(f"{option} {text}", "names two widths for all layers", f"name one; {EXAMPLE}")
    return found


def _part(text: str, part: str, option: str, pairs: bool) -> Part:
    name, equals, said = part.rpartition("=")
    match = PAIR.match(said) if pairs else None
    weights, activations = match.groups() if match else (said, None)
    found = Part(name, dict(NAMES).get(weights, -1), None if activations is None else number_of(activations))
    known = ", ".join(word for word, bits in NAMES if bits <= LEARNED or not pairs)
    if found.weights < 0 or bool(equals) != bool(name):
        remedy = f"use one of {known}; {EXAMPLE}{PAIR_EXAMPLE if pairs else ''}"
        raise QnnError(f"{option} {text}", f"{part!r} names no width of weights", remedy)
    if found.activations not in (None, *ACTIVATION_BITS):
        raise QnnError(f"{option} {text}", f"{part!r} names no width of activations", f"use 4 to 8{PAIR_EXAMPLE}")
    return found


def with_weight_bits(
    widths: Widths, text: str, layers: Sequence[str], option: str = "--weight-bits", pairs: bool = False
) -> Widths:
    """`widths`, with the weights' bits that `option` names in `text`: parts with commas between.

    A number (or "ternary") is for all layers, LAYER=NUMBER, first=NUMBER and last=NUMBER for one of `layers`, the
    names of those with weights in execution order. pairs: w4a6 in place of a number says the activations' bits as well.
    Raises QnnError for what is none of it.
    """
    subject, default = f"{option} {text}", widths.default
    special: dict[str, Part] = {}
    for part in bit_parts(text, option, pairs):
        name = part.layer
        if not name:
            default = part.width(default)
            continue
        layer = {FIRST: layers[:1], LAST: layers[-1:]}.get(name, [known for known in layers if known == name])
        if not layer:
            raise QnnError(subject, f"{name!r} is no layer with weights", f"use first, last, {', '.join(layers)}")
        special[layer[0]] = part
    found = tuple((name, special[name].width(default) if name in special else default) for name in layers)
    return replace(widths, default=default, layers=found if special else ())


def number_of(text: str) -> int:
    """The number in `text`, -1 where it is none of at most two ASCII digits."""
    return int(text) if re.fullmatch(r"[0-9]{1,2}", text) else -1


def check_bits(bits: str) -> None:
    """Raises QnnError unless `bits` is a width, a pair of widths, mixed, or trained."""
    if bits not in (MIXED, TRAINED):
        widths_named(bits)
