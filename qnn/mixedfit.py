# SPDX-License-Identifier: MIT
"""--bits mixed: what was found is built and measured; the search is corrected by that, and made again (SPEC 4.12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from qnn.builtcost import BuiltCost, built_cost
from qnn.compiler import Build
from qnn.mixed import Cost, Limits, Search, Trial
from qnn.mixedsearch import Found
from qnn.progress import Progress, silent
from qnn.reference import Loss
from qnn.widths import Widths

CORRECTIONS = 4  # searches after the first one, where measured costs are others than predicted ones


@dataclass(frozen=True, eq=False)
class Made:
    """What was found within limits, and the build of it. cost: predicted. measured: None where nothing could be."""

    found: Found
    widths: Widths
    build: Build
    cost: Cost
    loss: Loss
    measured: BuiltCost | None = None

    @property
    def taken(self) -> Cost:
        """What it takes, measured as far as it could be: RAM is scratch memory, constants in RAM and the stack then."""
        if self.measured is None:
            return self.cost
        run, constants, code = self.measured.run, self.measured.constants, self.measured.code
        ram = self.cost.ram + self.measured.in_ram
        if run is None:
            return Cost(constants, code, ram, self.cost.instructions)
        return Cost(constants, code, ram + run.stack, run.instructions)

    @property
    def trial(self) -> Trial:
        """Its combination, with what it takes and loses."""
        return Trial(self.found.best.bits, self.taken, self.loss)


@dataclass(frozen=True)
class More:
    """By how much measured costs are above predicted ones; below 0 where they are less."""

    flash: int = 0
    ram: int = 0
    instructions: int = 0

    def most(self, other: More) -> More:
        """The larger of either."""
        return More(max(self.flash, other.flash), max(self.ram, other.ram), max(self.instructions, other.instructions))


def best_measured(search: Search, make: Callable[[Search], Made], progress: Progress = silent) -> Made:
    """The best of what `make` finds, by Search.rank with measured costs.

    What a build takes beyond its prediction is subtracted from the limits of the next search, and added where it takes
    less, so that nothing better is missed. Until one fits, limits only shrink. It ends where a build comes again.
    """

    def measured(made: Made) -> Made:
        return _measured(made, search.limits, search.reference.x, progress)

    more, tried = More(), [measured(make(search))]
    for _ in range(CORRECTIONS):
        made = tried[-1]
        found = _more(made)
        last, more = more, found if _fits(search, made) else more.most(found)
        if more == last:
            break
        again = make(replace(search, limits=corrected(search.limits, more)))
        if any(again.build.files == other.build.files for other in tried):
            break
        tried.append(measured(again))
    return min(tried, key=lambda made: search.rank(made.trial))


def corrected(limits: Limits, more: More) -> Limits:
    """The limits of a search whose predictions are too low by `more`."""

    def less(limit: int | None, by: int) -> int | None:
        return None if limit is None else max(1, limit - by)

    return Limits(
        limits.max_drop,
        less(limits.flash, more.flash),
        less(limits.ram, more.ram),
        less(limits.instructions, more.instructions),
    )


def _measured(made: Made, limits: Limits, x: np.ndarray, progress: Progress) -> Made:
    """With what limits make worth measuring: without one in bytes or instructions nothing."""
    runs = limits.ram is not None or limits.instructions is not None
    if not runs and limits.flash is None:
        return made
    return replace(made, measured=built_cost(made.build, x if runs else None, progress))


def _more(made: Made) -> More:
    taken, cost = made.taken, made.cost
    known = taken.instructions is not None and cost.instructions is not None
    instructions = (taken.instructions or 0) - (cost.instructions or 0) if known else 0
    return More(taken.flash - cost.flash, taken.ram - cost.ram, instructions)


def _fits(search: Search, made: Made) -> bool:
    return search.excess(made.taken) == 0
