# SPDX-License-Identifier: MIT
"""Why --bits mixed chose as it did: what each choice alone costs in precision, and what another width would bring."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qnn.graph import INPUT
from qnn.inputs import QUANTIZED
from qnn.mixed import Bits, Choice, Search, Trial, widest


@dataclass(frozen=True)
class Explained:
    """One choice: its width; the drop and the output's SQNR where it alone is narrower, all others as wide as can be.

    reason: what the other widths would change in the network that was chosen. sqnr_db: of its tensor there, None for
    weights.
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
        drops = ", ".join(f"{bits}: {drop:.3g}" for bits, drop, _ in self.alone)
        ratios = ", ".join(f"{bits}: {decibels(sqnr)}" for bits, _, sqnr in self.alone)
        return (self.choice.node, what, str(self.bits), ratio, drops, ratios, self.reason)

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


COLUMNS = ("layer", "part", "bits", "SQNR", "drop alone", "SQNR alone", "instead")
NOTE = (
    "alone: with this one narrower and all others as wide as can be; SQNR: of the layer's tensor, alone at the output; "
    "instead: what another width would change"
)


def explained(search: Search, best: Trial, sqnr: Mapping[str, float]) -> tuple[Explained, ...]:
    """Every choice of the combination `best`; `sqnr`: dB of its tensors by the integer tensors' names."""
    found = []
    wide = widest(search.choices)
    for index, choice in enumerate(search.choices):
        alone = []
        for bits in choice.candidates[:-1]:
            loss = search.loss(_with(wide, index, bits))
            alone.append((bits, loss.drop, loss.sqnr_db))
        others = [bits for bits in choice.candidates if bits != best.bits[index]]
        reason = "; ".join(_instead(search, best, index, bits) for bits in others)
        tensor = QUANTIZED if choice.node == INPUT else choice.node
        ratio = None if choice.weights else sqnr.get(tensor)
        found.append(Explained(choice, best.bits[index], tuple(alone), reason, ratio))
    return tuple(found)


def _with(bits: Bits, index: int, other: int) -> Bits:
    return (*bits[:index], other, *bits[index + 1 :])


def _instead(search: Search, best: Trial, index: int, bits: int) -> str:
    """What another width for one choice would change."""
    other = search.trial(_with(best.bits, index, bits))
    flash, ram = other.cost.flash - best.cost.flash, other.cost.ram - best.cost.ram
    sizes = [f"{size:+,} B {what}" for size, what in ((flash, "flash"), (ram, "RAM")) if size]
    return f"{bits}: {', '.join(sizes) or 'no byte less'}, drop {other.loss.drop:.3g}"


def decibels(ratio: float) -> str:
    """45.1 dB, or exact."""
    return "exact" if math.isinf(ratio) else f"{ratio:.1f} dB"


def _finite(ratio: float | None) -> float | None:
    return None if ratio is None or math.isinf(ratio) else ratio
