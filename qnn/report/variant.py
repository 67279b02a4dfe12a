# SPDX-License-Identifier: MIT
"""The rows that are asked for: every combination of widths and methods, but none that cannot differ from another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from qnn.balancing import AUTO, OFF
from qnn.calibration import DEFAULT_METHOD
from qnn.equalization import pairs
from qnn.learned import default_bits
from qnn.model import Model
from qnn.namedwidths import layer_widths, takes_weight_bits
from qnn.ops.choices import AUTO as PACKED
from qnn.ops.choices import SPEED, Choices
from qnn.precision import MSE, NARROW_BELOW
from qnn.prepare import prepare, weighted_layers
from qnn.rounding import GPTQ, Rounding
from qnn.widths import EIGHT_NAME, MIXED, TRAINED

WIDE = 16  # bits of activations, whose ranges leave room on every side, whatever the method


@dataclass(frozen=True)
class Variant:
    """How a row is made of its network; None where a choice would change nothing.

    bits, weight_bits: as these options name them. method: of calibration, equalize: one of balancing.CHOICES. rounding,
    bias_correction, clipping: of narrow weights. optimize: one of GOALS. constant_time: the same instructions for every
    input. pack: one of PACKS.
    """

    bits: str
    weight_bits: str | None = None
    method: str | None = DEFAULT_METHOD
    equalize: str | None = AUTO
    rounding: str | None = GPTQ
    bias_correction: bool | None = True
    clipping: str | None = MSE
    optimize: str = SPEED
    constant_time: bool = False
    pack: str | None = PACKED

    @property
    def rounded_by(self) -> Rounding:
        """The Rounding to compile with."""
        corrected = True if self.bias_correction is None else self.bias_correction
        return Rounding(self.rounding or GPTQ, corrected, self.clipping or MSE)

    @property
    def choices(self) -> Choices:
        """How the C is made."""
        return Choices(optimize=self.optimize, constant_time=self.constant_time, pack=self.pack or PACKED)

    def document(self) -> dict[str, Any]:
        """The fields as JSON: whole numbers of bits are numbers."""
        return {**asdict(self), "bits": int(self.bits) if self.bits.isdecimal() else self.bits}


@dataclass(frozen=True)
class Axes:
    """What is asked for, of each thing one or more; no bits, optimize or pack: the default of each network."""

    bits: tuple[str, ...] = ()
    weight_bits: tuple[str | None, ...] = (None,)
    method: tuple[str, ...] = (DEFAULT_METHOD,)
    equalize: tuple[str, ...] = (AUTO,)
    rounding: tuple[str, ...] = (GPTQ,)
    bias_correction: tuple[bool, ...] = (True,)
    clipping: tuple[str, ...] = (MSE,)
    optimize: tuple[str, ...] = ()
    constant_time: bool = False
    pack: tuple[str, ...] = ()

    def size(self, bits: Sequence[str]) -> int:
        """How many combinations there are with these bits."""
        return len(list(self._all(bits)))

    def of(self, network: Model, given_ranges: bool) -> tuple[Variant, ...]:
        """The Variants of a network that can differ, in order; given_ranges: a scales file decides them.

        Widths that only training can give are left out where it gave none. Raises QnnError for widths of layers that
        the network does not have.
        """
        anew = self.weight_bits != (None,)
        wanted = self.bits or (EIGHT_NAME if anew else default_bits(network.learned),)
        bits = [one for one in wanted if one != TRAINED or network.learned is not None]
        level = not pairs(prepare(network))
        found = (_without_effect(variant, network, given_ranges, level) for variant in self._all(bits))
        return tuple(dict.fromkeys(found))

    def _all(self, bits: Sequence[str]) -> itertools.starmap[Variant]:
        methods = (self.method, self.equalize, self.rounding, self.bias_correction, self.clipping)
        made = (self.optimize or (SPEED,), (self.constant_time,), self.pack or (PACKED,))
        return itertools.starmap(Variant, itertools.product(bits, self.weight_bits, *methods, *made))


def _without_effect(variant: Variant, network: Model, given_ranges: bool, level: bool) -> Variant:
    """`variant` with None for what changes nothing. level: there is nothing to equalize."""
    trained = variant.bits == TRAINED
    if trained or given_ranges:
        variant = replace(variant, method=None, equalize=None)
    if level:
        variant = replace(variant, equalize=None)
    if not takes_weight_bits(variant.bits):
        variant = replace(variant, weight_bits=None)
    if variant.bits == MIXED:
        return variant
    widths = layer_widths(network, variant.bits, variant.weight_bits)
    if not trained and widths.default.activations == WIDE:
        variant = replace(variant, method=None)
    narrow = any(widths.of(name).weights < NARROW_BELOW for name in weighted_layers(network))
    if trained or not narrow:
        variant = replace(variant, rounding=None, bias_correction=None, clipping=None)
    return variant if narrow else replace(variant, pack=None)


def equalization_of(variant: Variant) -> str:
    """What calibration is told."""
    return variant.equalize or OFF
