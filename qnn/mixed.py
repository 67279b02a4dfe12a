# SPDX-License-Identifier: MIT
"""--bits mixed: the widths of every layer, chosen by what they cost and what they lose (SPEC 4.12)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from qnn.codesize import code_bytes
from qnn.emitter.flash import graph_flash
from qnn.graph import INPUT, Graph
from qnn.memory import plan_memory
from qnn.model import Model
from qnn.ops.choices import DEFAULT, Choices
from qnn.prepare import prepare
from qnn.progress import Progress, silent
from qnn.quantization import quantize
from qnn.reference import Loss, Reference, loss_of
from qnn.scales import Scales
from qnn.widths import Width, Widths

WEIGHT_BITS, ACTIVATION_BITS = (4, 8, 16), (8, 16)  # to choose from
MAX_EXHAUSTIVE = 512  # combinations that are all tried; beyond, a search by single changes
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
        return WEIGHT_BITS if self.weights else ACTIVATION_BITS


@dataclass(frozen=True)
class Limits:
    """What is asked for. max_drop: see Reference.unit; None: as little as the bytes allow. flash, ram: bytes, or None.

    flash counts weights, tables and, about, code; ram the scratch memory.
    """

    max_drop: float | None
    flash: int | None = None
    ram: int | None = None


NO_LIMITS = Limits(None)


@dataclass(frozen=True)
class Cost:
    """Bytes of weights and tables, of about as much code, of scratch memory."""

    constants: int
    code: int
    ram: int

    @property
    def flash(self) -> int:
        """Bytes of flash, about."""
        return self.constants + self.code


@dataclass(frozen=True)
class Trial:
    """One combination of widths: what it costs and loses."""

    bits: Bits
    cost: Cost
    loss: Loss


@dataclass(frozen=True, eq=False)
class Search:
    """A model and what is known of it; `costs` and `losses` of combinations that were tried are kept.

    made: how the C is to be made, which decides its size.
    """

    model: Model
    scales: Scales
    reference: Reference
    choices: tuple[Choice, ...]
    limits: Limits
    costs: dict[Bits, Cost]
    losses: dict[Bits, Loss]
    made: Choices = DEFAULT

    def graph(self, bits: Bits) -> Graph:
        """The integer graph of a combination."""
        graph = quantize(self.model, self.scales, "trial", (), widths_of(self.choices, bits))
        return replace(graph, choices=self.made)

    def cost(self, bits: Bits) -> Cost:
        """What a combination costs."""
        if bits not in self.costs:
            graph = self.graph(bits)
            self.costs[bits] = Cost(graph_flash(graph).total, code_bytes(graph), plan_memory(graph).scratch_bytes)
        return self.costs[bits]

    def loss(self, bits: Bits) -> Loss:
        """What a combination loses."""
        if bits not in self.losses:
            self.losses[bits] = loss_of(self.reference, self.graph(bits))
        return self.losses[bits]

    def trial(self, bits: Bits) -> Trial:
        """A combination with both."""
        return Trial(bits, self.cost(bits), self.loss(bits))

    def excess(self, cost: Cost) -> int:
        """Bytes beyond the limits."""
        over = ((cost.flash, self.limits.flash), (cost.ram, self.limits.ram))
        return sum(max(0, used - allowed) for used, allowed in over if allowed is not None)

    def size(self, bits: Bits) -> tuple[float, ...]:
        """Less is smaller: the bytes beyond the limits, flash, scratch memory."""
        cost = self.cost(bits)
        return (self.excess(cost), cost.flash, cost.ram, *bits)

    def too_much(self, loss: Loss) -> float:
        """How far the drop is beyond the limit."""
        return 0.0 if self.limits.max_drop is None else max(0.0, loss.drop - self.limits.max_drop)

    def rank(self, bits: Bits) -> tuple[float, ...]:
        """Less is better: first within the bytes, then within the drop; then the smallest, or else the closest."""
        cost, loss = self.cost(bits), self.loss(bits)
        size, noise = (cost.flash, cost.ram), -loss.sqnr_db
        last = (*size, noise) if self.limits.max_drop is not None else (noise, *size)
        return (self.excess(cost), self.too_much(loss), *last, *bits)


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
    low = Width(WEIGHT_BITS[0], ACTIVATION_BITS[0])
    layers = tuple(
        (name, Width(found.get((name, True), low.weights), found.get((name, False), low.activations))) for name in names
    )
    return Widths(found.get((INPUT, False), low.activations), low, layers)


def best_widths(search: Search, progress: Progress = silent) -> Trial:
    """The best combination, by Search.rank: of all where they are few, else of those that single changes lead to."""
    spaces = [choice.candidates for choice in search.choices]
    if math.prod(map(len, spaces)) <= MAX_EXHAUSTIVE:
        return search.trial(_best_of_all(search, list(itertools.product(*spaces)), progress))
    return search.trial(_by_single_changes(search, progress))


def _best_of_all(search: Search, every: list[Bits], progress: Progress) -> Bits:
    """Costs first; where the smallest is wanted, losses are measured only until one is small enough."""
    for index, bits in enumerate(every):
        search.cost(bits)
        progress(index + 1, 2 * len(every))
    tried: list[Bits] = []
    enough: Bits | None = None  # the smallest that loses little enough: then only others of its size may be better
    for index, bits in enumerate(sorted(every, key=search.size)):
        if enough is not None and search.size(bits)[:3] > search.size(enough)[:3]:
            break
        tried.append(bits)
        progress(len(every) + index + 1, 2 * len(every))
        if enough is None and search.limits.max_drop is not None and search.too_much(search.loss(bits)) == 0:
            enough = bits
    progress(2 * len(every), 2 * len(every))
    return min(tried, key=search.rank)


def _by_single_changes(search: Search, progress: Progress) -> Bits:
    """From every uniform combination, as long as a change of one choice is better."""
    starts = uniform(search.choices)
    total = 4 * (len(starts) + len(neighbours(search.choices, starts[0])))
    steps = itertools.count(1)

    def rank(bits: Bits) -> tuple[float, ...]:
        progress(min(next(steps), total - 1), total)
        return search.rank(bits)

    found = []
    for start in sorted(starts, key=rank):
        better: Bits | None = start
        while better is not None:
            best = better
            promising = (bits for bits in neighbours(search.choices, best) if _may_be_better(search, bits, best))
            ordered = sorted(promising, key=search.size)
            better = next((bits for bits in ordered if rank(bits) < search.rank(best)), None)
        found.append(best)
    progress(total, total)
    return min(found, key=search.rank)


def _may_be_better(search: Search, bits: Bits, best: Bits) -> bool:
    """Not where the smallest is wanted, `best` is allowed, and `bits` is larger: its loss need not be measured."""
    allowed = search.excess(search.cost(best)) == 0 and search.too_much(search.loss(best)) == 0
    return search.limits.max_drop is None or not allowed or search.size(bits)[:3] <= search.size(best)[:3]


def widest(choices: Sequence[Choice]) -> Bits:
    """The combination of the largest widths."""
    return tuple(choice.candidates[-1] for choice in choices)


def uniform(choices: Sequence[Choice]) -> list[Bits]:
    """One width for all weights and one for all activations, every pair."""
    pairs = itertools.product(WEIGHT_BITS, ACTIVATION_BITS)
    return [tuple(w if choice.weights else a for choice in choices) for w, a in pairs]


def neighbours(choices: Sequence[Choice], bits: Bits) -> list[Bits]:
    """Every combination that differs in one choice."""
    return [
        (*bits[:index], other, *bits[index + 1 :])
        for index, choice in enumerate(choices)
        for other in choice.candidates
        if other != bits[index]
    ]
