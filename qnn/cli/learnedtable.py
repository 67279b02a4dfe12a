# SPDX-License-Identifier: MIT
"""What quantization-aware training left in a model, for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from qnn.cli.console import Output
from qnn.learned import Learned
from qnn.model import Model
from qnn.precision import TERNARY
from qnn.quantization import lower_model

COLUMNS = ("tensor", "weights", "their steps", "activations", "step", "zero point", "range")
BITS = {"uint8": 8, "int16": 16}


@dataclass(frozen=True)
class LearnedRow:
    """An integer tensor of the trained network: the bits of the weights behind it and the range of their steps (None
    where it has none), its own bits, step and zero point, and the reals that it can hold."""

    tensor: str
    weights: str | None
    steps: tuple[float, float] | None
    activations: int
    step: float
    zero_point: int
    range: tuple[float, float]

    def cells(self) -> tuple[str, ...]:
        """In the order of COLUMNS."""
        steps = "" if self.steps is None else " .. ".join(f"{step:.4g}" for step in self.steps)
        low, high = self.range
        numbers = (str(self.activations), f"{self.step:.4g}", str(self.zero_point), f"{low:.4g} .. {high:.4g}")
        return (self.tensor, self.weights or "", steps, *numbers)


def learned_rows(model: Model, learned: Learned) -> list[LearnedRow]:
    """A row for each integer tensor, in execution order; the heads behind the output have none."""
    lowered = lower_model(model, learned.scales, "learned", (), learned.widths)
    firsts = {integer: source for source, integer in reversed(lowered.tensors)}
    rows = []
    for integer, source in reversed(firsts.items()):
        kind, width = lowered.graph.type_of(integer), learned.widths.of(source)
        bits = BITS[kind.dtype] if lowered.range_of(integer) is None else width.activations
        low, high = ((bound - kind.zero_point) * kind.scale for bound in (kind.low, kind.high))
        weights = "ternary" if width.weights == TERNARY else str(width.weights)
        steps = (min(width.steps), max(width.steps)) if width.steps else None
        row = LearnedRow(integer, weights if steps else None, steps, bits, kind.scale, kind.zero_point, (low, high))
        rows.append(row)
    return rows


def show_learned(output: Output, model: Model) -> dict[str, Any]:
    """Print it; what --json says of it, nothing where the model was not trained so."""
    learned = model.learned
    if learned is None:
        return {}
    rows = learned_rows(model, learned)
    output.table("Trained for few bits (--qat)", COLUMNS, [row.cells() for row in rows])
    output.say(f"as rounded: {learned.reached or 'nothing was trained yet'}; qnn compile takes these widths and steps")
    reached = None if learned.reached is None else asdict(learned.reached)
    return {"learned": {"reached": reached, "tensors": [asdict(row) for row in rows]}}
