# SPDX-License-Identifier: MIT
"""--bits mixed: what has a width of its own, what is asked for, what a combination costs and loses (SPEC 4.12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from qnn.codesize import code_bytes
from qnn.emitter.flash import graph_flash
from qnn.graph import INPUT, Graph
from qnn.instructions.predict import predicted
from qnn.instructions.table import groups_of
from qnn.memory import plan_memory
from qnn.model import Model
from qnn.ops.choices import DEFAULT, Choices
from qnn.placement import placement_of
from qnn.prepare import prepare
from qnn.quantization import quantize
from qnn.reference import Loss, Reference, loss_of
from qnn.rounding import BEST, Rounding, rounded
from qnn.scales import Scales
from qnn.sparsity import with_zero_groups
from qnn.widths import Width, Widths

WEIGHT_BITS, ACTIVATION_BITS = (2, 3, 4, 5, 6, 8, 16), (4, 5, 6, 7, 8, 16)  # to choose from
INPUT_BITS = (8, 16)  # the same of raw readings
CLASSIFIER_DROP, REGRESSION_DROP = 0.5, 2.0  # points of accuracy, percent of the rmse, where nothing else is asked for

Bits = tuple[int, ...]  # of every choice, in order


@dataclass(frozen=True)
class Choice:
    """Something that has a width of its own: the weights, or else the activations, of a float node or INPUT."""

    node: str
    weights: bool

    @property
    def candidates(self) -> tuple[int, ...]:
        """The widths to choose from, ascending."""
        if self.weights:
            return WEIGHT_BITS
        return tuple(bits for bits in ACTIVATION_BITS if self.node != INPUT or bits in INPUT_BITS)


@dataclass(frozen=True)
class Limits:
    """What is asked for. max_drop: see Reference.unit; None: as little as the others allow.

    flash, ram, instructions: the most, or None. flash counts weights, tables and code in bytes; ram the scratch memory,
    constants there, and where it was measured the stack; instructions are those where no zero is skipped.
    """

    max_drop: float | None
    flash: int | None = None
    ram: int | None = None
    instructions: int | None = None


NO_LIMITS = Limits(None)


@dataclass(frozen=True)
class Cost:
    """Bytes of weights and tables, of code, of RAM; instructions, None where unknown. See Limits.

    in_ram: the part of RAM that constants take. Where it is a prediction, code is about as much, RAM is without the
    stack, and `kernels` says which kernels it has: what was measured of one build with them holds for others. None:
    it was measured, or corrected so.
    """

    constants: int
    code: int
    ram: int
    instructions: int | None
    kernels: str | None = None
    in_ram: int = 0

    @property
    def flash(self) -> int:
        """Bytes of flash."""
        return self.constants + self.code

    @property
    def scratch(self) -> int:
        """Bytes of RAM without constants: of scratch memory, where it is a prediction."""
        return self.ram - self.in_ram


@dataclass(frozen=True)
class Difference:
    """By how much measured costs are above predicted ones; below 0 where they are less."""

    flash: int = 0
    ram: int = 0
    instructions: int = 0


@dataclass(frozen=True)
class Trial:
    """One combination of widths: what it costs and loses."""

    bits: Bits
    cost: Cost
    loss: Loss


def cost_of(graph: Graph) -> Cost:
    """What an integer graph costs."""
    total, heads = predicted(graph).total, graph.kernels[len(graph.body) :]
    kernels = {*groups_of(graph.kernels[: len(graph.body)]), *(kernel.function for kernel in heads)}
    plan = plan_memory(graph)
    in_ram = placement_of(graph, plan).ram_bytes if graph.choices.weights != DEFAULT.weights else 0
    ram, names = plan.scratch_bytes + in_ram, " ".join(sorted(kernels))
    return Cost(graph_flash(graph).total, code_bytes(graph), ram, total, names, in_ram)


@dataclass(frozen=True, eq=False)
class Search:
    """A model and what is known of it: the graphs, costs and losses of combinations that were made are kept.

    made: how the C is to be made, which decides its size. measured: by how much builds with some kernels differ from
    what is predicted of them. rounding: of narrow weights, on raw `samples`, or those that the model carries.
    """

    model: Model
    scales: Scales
    reference: Reference
    choices: tuple[Choice, ...]
    limits: Limits
    made: Choices = DEFAULT
    rounding: Rounding = BEST
    samples: np.ndarray | None = None
    measured: Mapping[str | None, Difference] = field(default_factory=dict)
    trials: dict[Bits, Trial] = field(default_factory=dict)

    def plain(self, bits: Bits) -> Graph:
        """The integer graph of a combination, weights rounded to the nearest step."""
        widths = replace(widths_of(self.choices, bits), clipping=self.rounding.clipping)
        graph = quantize(self.model, self.scales, "trial", (), widths)
        return replace(graph, choices=self.made)

    def graph(self, bits: Bits) -> Graph:
        """The integer graph as it is built, but for headroom."""
        found = rounded(self.model, self.scales, widths_of(self.choices, bits), self.rounding, self.samples)
        graph = quantize(found.model, found.scales, "trial", (), found.widths)
        return replace(with_zero_groups(graph, self.model.samples), choices=self.made)

    def trial(self, bits: Bits) -> Trial:
        """A combination, made and measured."""
        if bits not in self.trials:
            graph = self.graph(bits)
            self.trials[bits] = Trial(bits, cost_of(graph), loss_of(self.reference, graph))
        return self.trials[bits]

    def expected(self, cost: Cost) -> Cost:
        """A cost, corrected by what was measured where it is predicted.

        Of builds with other kernels the least stack is expected that was seen, and flash and instructions as predicted,
        or as much less as was seen: they may be better than those that were measured.
        """
        if not self.measured or cost.kernels is None:
            return cost
        seen = self.measured.values()
        least = Difference(
            *(min(0, *(getattr(more, name) for more in seen)) for name in ("flash", "ram", "instructions"))
        )
        other = replace(least, ram=min(more.ram for more in seen))
        more = self.measured.get(cost.kernels, other)
        instructions = None if cost.instructions is None else cost.instructions + more.instructions
        return Cost(cost.constants, cost.code + more.flash, cost.ram + more.ram, instructions, None, cost.in_ram)

    def excess(self, cost: Cost) -> float:
        """By what parts of the limits a cost is beyond them, added up."""
        limits, cost = self.limits, self.expected(cost)
        pairs = ((cost.flash, limits.flash), (cost.ram, limits.ram), (cost.instructions, limits.instructions))
        return sum(
            float("inf") if used is None else max(0.0, used / allowed - 1)
            for used, allowed in pairs
            if allowed is not None
        )

    def too_much(self, loss: Loss) -> float:
        """How far the drop is beyond the limit."""
        return 0.0 if self.limits.max_drop is None else max(0.0, loss.drop - self.limits.max_drop)

    def size(self, cost: Cost) -> tuple[float, ...]:
        """Less is smaller: what is beyond the limits, flash, RAM, instructions."""
        cost = self.expected(cost)
        return (self.excess(cost), cost.flash, cost.ram, cost.instructions or 0)

    def rank(self, trial: Trial) -> tuple[float, ...]:
        """Less is better: first within the limits, then within the drop; then the smallest, or else the closest."""
        excess, *size = self.size(trial.cost)
        noise = -trial.loss.sqnr_db
        last = (*size, noise) if self.limits.max_drop is not None else (noise, *size)
        return (excess, self.too_much(trial.loss), *last, *trial.bits)


def choices_of(model: Model, scales: Scales) -> tuple[Choice, ...]:
    """What has a width of its own in `model`, in execution order."""
    graph = quantize(model, scales, "trial")
    layers = {node.name: node.layer for node in prepare(model).nodes}
    found: list[Choice] = []
    if graph.quantized_input != INPUT:
        found.append(Choice(INPUT, False))
    for node in graph.body:
        layer = layers.get(node.name)
        if layer is None:
            continue
        if layer.has_weights or layer.scales_channels:
            found.append(Choice(node.name, True))
        if node.name != graph.output and not (layer.keeps_type and len(node.inputs) == 1):
            found.append(Choice(node.name, False))
    return tuple(found)


def widths_of(choices: Sequence[Choice], bits: Bits) -> Widths:
    """The Widths of a combination."""
    found = {(choice.node, choice.weights): width for choice, width in zip(choices, bits, strict=True)}
    names = dict.fromkeys(choice.node for choice in choices if choice.node != INPUT)
    layers = tuple((name, Width(found.get((name, True), 8), found.get((name, False), 8))) for name in names)
    return Widths(found.get((INPUT, False), 8), Width(8, 8), layers)


def widest(choices: Sequence[Choice]) -> Bits:
    """The combination of the largest widths."""
    return tuple(choice.candidates[-1] for choice in choices)


def with_bits(bits: Bits, index: int, other: int) -> Bits:
    """The combination with another width for choice number `index`."""
    return (*bits[:index], other, *bits[index + 1 :])


def neighbours(choices: Sequence[Choice], bits: Bits) -> list[Bits]:
    """Every combination that differs in one choice."""
    return [
        with_bits(bits, index, other)
        for index, choice in enumerate(choices)
        for other in choice.candidates
        if other != bits[index]
    ]
