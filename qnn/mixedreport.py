# SPDX-License-Identifier: MIT
"""Why --bits mixed chose as it did: what each choice alone costs in precision, and what another width would bring."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qnn.graph import INPUT
from qnn.inputs import QUANTIZED
from qnn.mixed import Bits, Choice, Search, with_bits
from qnn.mixedsearch import Found


@dataclass(frozen=True)
class Explained:
    """One choice: its width; the drop and the output's SQNR where it alone is narrower, all others as wide as can be.

    reason: about what the next widths would change in the network that was chosen. sqnr_db: of its tensor there, None
    for weights.
    """

    choice: Choice
    bits: int
    alone: tuple[tuple[int, float, float], ...]
    reason: str
    sqnr_db: float | None

    def cells(self) -> tuple[str, ...]:
        """A row of the table, in the order of COLUMNS."""
        what = "weights" if self.choice.weights else "activations"
        ratio = "" if self.sqnr_db is None else decibels(self.sqnr_db)
        ratios = ", ".join(f"{bits}: {decibels(sqnr)}" for bits, _, sqnr in self.alone)
        return (self.choice.node, what, str(self.bits), ratio, ratios, self.reason)

    def document(self) -> dict[str, Any]:
        """The row as JSON."""
        return {
            "layer": self.choice.node,
            "part": "weights" if self.choice.weights else "activations",
            "bits": self.bits,
            "sqnr_db": _finite(self.sqnr_db),
            "alone": [{"bits": bits, "drop": drop, "sqnr_db": _finite(sqnr)} for bits, drop, sqnr in self.alone],
            "reason": self.reason,
        }


COLUMNS = ("layer", "part", "bits", "SQNR", "SQNR alone", "instead, about")
NOTE = (
    "alone: with this one narrower and all others as wide as can be; SQNR: of the layer's tensor, alone at the output; "
    "instead: about what the next narrower and the next wider width would change"
)


def explained(search: Search, found: Found, sqnr: Mapping[str, float]) -> tuple[Explained, ...]:
    """Every choice of the best combination; `sqnr`: dB of its tensors by the integer tensors' names."""
    rows = []
    for index, (choice, losses) in enumerate(zip(search.choices, found.alone.losses, strict=True)):
        bits = found.best.bits[index]
        place = choice.candidates.index(bits)
        others = [*choice.candidates[max(place - 1, 0) : place], *choice.candidates[place + 1 : place + 2]]
        reason = "; ".join(_instead(found, index, other) for other in others)
        alone = tuple((width, loss.drop, loss.sqnr_db) for width, loss in losses.items())
        tensor = QUANTIZED if choice.node == INPUT else choice.node
        rows.append(Explained(choice, bits, alone, reason, None if choice.weights else sqnr.get(tensor)))
    return tuple(rows)


def _instead(found: Found, index: int, bits: int) -> str:
    """What another width for one choice would change."""
    best, alone = found.best.bits, found.alone
    other = with_bits(best, index, bits)
    before, after = alone.cost(best), alone.cost(other)
    instructions = (after.instructions or 0) - (before.instructions or 0)
    changes = (
        (after.flash - before.flash, "B flash"),
        (after.ram - before.ram, "B RAM"),
        (instructions, "instructions"),
    )
    sizes = [f"{size:+,} {what}" for size, what in changes if size]
    noises = (alone.noise(combination) for combination in (best, other))
    ratios = [-10 * math.log10(noise) if noise else math.inf for noise in noises]
    gain = ratios[1] - ratios[0] if not math.isinf(ratios[0]) and not math.isinf(ratios[1]) else 0.0
    return f"{bits}: {', '.join((*sizes, f'{gain:+.1f} dB'))}"


def spelled(choices: Sequence[Choice], bits: Bits) -> str:
    """A combination in words: of each layer the bits of its weights, w, and activations, a."""
    found: dict[str, str] = {}
    for choice, width in zip(choices, bits, strict=True):
        found[choice.node] = found.get(choice.node, "") + f"{'w' if choice.weights else 'a'}{width}"
    return ", ".join(f"{node} {widths}" for node, widths in found.items())


def decibels(ratio: float) -> str:
    """45.1 dB, or exact."""
    return "exact" if math.isinf(ratio) else f"{ratio:.1f} dB"


def _finite(ratio: float | None) -> float | None:
    return None if ratio is None or math.isinf(ratio) else ratio
