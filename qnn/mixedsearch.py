# SPDX-License-Identifier: MIT
"""--bits mixed: the search for the best combination of widths (SPEC 4.12).

Every choice is measured alone, all others as wide as can be: the noise that it brings to the output. Roundings hardly
depend on each other, so that the noise of a combination is about the sum (Lin et al. 2016, arXiv 1511.06393);
its cost is put together from its layers (mixedcost.py). Both are quick, so that thousands of combinations can be
compared. The most promising ones are then made as they would be built and measured, and the best of those is taken.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from qnn.evenly import evenly
from qnn.mixed import Bits, Cost, Search, Trial, neighbours, widest, with_bits
from qnn.mixedcost import Pieces
from qnn.progress import Progress, silent
from qnn.reference import Loss, loss_of

MAX_EXHAUSTIVE = 128  # combinations that are all made and measured
QUICK_SAMPLES = 128  # of the reference, for what choices bring alone
FINALISTS = 8  # combinations that are made and measured where limits are in bytes and instructions
REFINEMENTS = 24  # the same where the smallest is wanted
LEVELS = tuple(range(0, 90, 2))  # dB at the output: how much noise the smallest network may have
START_WEIGHTS, START_ACTIVATIONS = (4, 8, 16), (8, 16)  # of the uniform combinations from which changes are made
PAIRS_OF = 200  # combinations of a pair of changes that are looked at, the least noise first

Key = Callable[[Bits], tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class Alone:
    """What choices bring alone, and what combinations cost.

    losses: of each choice, of each of its widths but the widest.
    """

    losses: tuple[dict[int, Loss], ...]
    pieces: Pieces

    def noise(self, bits: Bits) -> float:
        """About the power of the noise at the output, by that of the signal."""
        return math.fsum(_noise(alone[width]) for alone, width in zip(self.losses, bits, strict=True) if width in alone)

    def cost(self, bits: Bits) -> Cost:
        """About what a combination costs."""
        return self.pieces.cost(bits)


@dataclass(frozen=True, eq=False)
class Found:
    """The best combination, and what is known of others."""

    best: Trial
    alone: Alone


def best_widths(search: Search, progress: Progress = silent, alone: Alone | None = None) -> Found:
    """The best combination, by Search.rank: of all where they are few, else of the most promising ones.

    alone: what measured_alone gave, if it is known.
    """
    spaces = [choice.candidates for choice in search.choices]
    alone = alone or measured_alone(search, progress)
    if math.prod(map(len, spaces)) <= MAX_EXHAUSTIVE:
        every = list(itertools.product(*spaces))
        return Found(_best_of(search, every, progress), alone)
    if search.limits.max_drop is None:
        return Found(_best_of(search, promising(search, alone), progress), alone)
    return Found(_smallest(search, alone, progress), alone)


def measured_alone(search: Search, progress: Progress = silent) -> Alone:
    """Every choice at every width but the widest, all others as wide as can be, on QUICK_SAMPLES of the reference."""
    wide, reference = widest(search.choices), search.reference
    rows = evenly(len(reference.x), QUICK_SAMPLES)
    quick = replace(
        reference,
        x=reference.x[rows],
        outputs=reference.outputs[rows],
        answers=reference.answers[rows],
        labels=None if reference.labels is None else reference.labels[rows],
    )
    total = sum(len(choice.candidates) - 1 for choice in search.choices)
    steps = itertools.count(1)
    losses = []
    for index, choice in enumerate(search.choices):
        alone = {}
        for width in choice.candidates[:-1]:
            alone[width] = loss_of(quick, search.graph(with_bits(wide, index, width)))
            progress(next(steps), total, "measuring each width alone")
        losses.append(alone)
    return Alone(tuple(losses), Pieces(search))


def promising(search: Search, alone: Alone) -> list[Bits]:
    """The combinations of the least noise within the limits, or else those that come closest; FINALISTS at most."""

    def key(bits: Bits) -> tuple[float, ...]:
        return (search.excess(alone.cost(bits)), alone.noise(bits), *search.size(alone.cost(bits)), *bits)

    ends = {_descended(search, alone, start, key) for start in _starts(search)}
    around = {bits for end in ends for bits in (end, *neighbours(search.choices, end))}
    return sorted(around, key=key)[:FINALISTS]


def _smallest(search: Search, alone: Alone, progress: Progress) -> Trial:
    """The smallest combination that loses little enough: by its noise, then by changes of one or two widths.

    Where even the least noise is too much, or no combination fits, the closest.
    """
    done = itertools.count(1)

    def good(bits: Bits) -> bool:
        progress(min(next(done), REFINEMENTS), REFINEMENTS, "measuring combinations")
        return search.too_much(search.trial(bits).loss) == 0

    low, high = 0, len(LEVELS) - 1
    while low < high:  # the lowest level that loses little enough
        middle = (low + high) // 2
        low, high = (low, middle) if good(_within(search, alone, LEVELS[middle])) else (middle + 1, high)
    tried = [_within(search, alone, LEVELS[level]) for level in range(max(low - 1, 0), min(low + 2, len(LEVELS)))]
    best = min(map(search.trial, (*tried, *promising(search, alone)[:2])), key=search.rank)
    while better := _better(search, alone, best, good):
        best = better
    progress(REFINEMENTS, REFINEMENTS, "measuring combinations")
    return best


def _better(search: Search, alone: Alone, best: Trial, good: Callable[[Bits], bool]) -> Trial | None:
    """A smaller combination that differs in one choice or two, and still loses little enough; the least noise first."""
    smaller = [
        bits
        for bits in (*neighbours(search.choices, best.bits), *_pairs(search, best.bits))
        if search.size(alone.cost(bits)) < search.size(best.cost)
    ]
    for bits in sorted(smaller, key=lambda bits: (alone.noise(bits), bits)):
        if len(search.trials) >= REFINEMENTS:
            return None
        if bits not in search.trials and good(bits) and search.rank(search.trial(bits)) < search.rank(best):
            return search.trial(bits)
    return None


def _within(search: Search, alone: Alone, level: float) -> Bits:
    """About the smallest combination whose ratio of signal to noise is at least `level` dB."""
    allowed = 10 ** (-level / 10)

    def key(bits: Bits) -> tuple[float, ...]:
        cost = alone.cost(bits)
        return (max(0.0, alone.noise(bits) / allowed - 1), *search.size(cost), alone.noise(bits), *bits)

    return min((_descended(search, alone, start, key) for start in _starts(search)), key=key)


def _starts(search: Search) -> list[Bits]:
    """One width for all weights and one for all activations, in a few pairs."""
    pairs = itertools.product(START_WEIGHTS, START_ACTIVATIONS)
    combinations = (
        tuple(_nearest(choice.candidates, weights if choice.weights else activations) for choice in search.choices)
        for weights, activations in pairs
    )
    return list(dict.fromkeys(combinations))


def _nearest(candidates: Sequence[int], wanted: int) -> int:
    return min(candidates, key=lambda bits: abs(bits - wanted))


def _descended(search: Search, alone: Alone, start: Bits, key: Key) -> Bits:
    """From `start`, the best single change as long as there is one, then the best of pairs of changes."""
    best = start
    while True:
        other = min(neighbours(search.choices, best), key=key)
        if key(other) >= key(best):
            pairs = sorted(_pairs(search, best), key=alone.noise)
            other = min(pairs[:PAIRS_OF], key=key, default=best)
        if key(other) >= key(best):
            return best
        best = other


def _pairs(search: Search, bits: Bits) -> list[Bits]:
    """One choice a step wider, another a step narrower."""
    found = []
    for wider, narrower in itertools.permutations(range(len(bits)), 2):
        up, down = search.choices[wider].candidates, search.choices[narrower].candidates
        above, below = up.index(bits[wider]) + 1, down.index(bits[narrower]) - 1
        if above < len(up) and below >= 0:
            found.append(with_bits(with_bits(bits, wider, up[above]), narrower, down[below]))
    return found


def _noise(loss: Loss) -> float:
    return 0.0 if math.isinf(loss.sqnr_db) else float(10 ** (-loss.sqnr_db / 10))


def _best_of(search: Search, every: Sequence[Bits], progress: Progress) -> Trial:
    for index, bits in enumerate(every):
        search.trial(bits)
        progress(index + 1, len(every), "measuring combinations")
    return min(map(search.trial, every), key=search.rank)
