# SPDX-License-Identifier: MIT
"""--bits mixed: what was found is built and measured; the search is corrected by that, and made again (SPEC 4.12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from qnn.builtcost import BuiltCost, built_cost
from qnn.compiler import Build
from qnn.mixed import Cost, Difference, Search, Trial
from qnn.mixedsearch import Found
from qnn.progress import Progress, silent
from qnn.reference import Loss
from qnn.widths import Widths

CORRECTIONS = 5  # searches after the first one, where measured costs are others than predicted ones


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
        in_ram = self.measured.in_ram
        ram, instructions = self.cost.scratch + in_ram, self.cost.instructions
        if run is not None:
            ram, instructions = ram + run.stack, run.instructions
        return Cost(constants, code, ram, instructions, None, in_ram)

    @property
    def trial(self) -> Trial:
        """Its combination, with what it takes and loses."""
        return Trial(self.found.best.bits, self.taken, self.loss)


def best_measured(search: Search, make: Callable[[Search], Made], progress: Progress = silent) -> Made:
    """The best of what `make` finds, by Search.rank with measured costs.

    By what a build takes beyond its prediction, or less, the next search corrects what it predicts of all builds with
    the same kernels: code, stack and instructions hardly depend on anything else. It ends where predictions hold, or
    where a build is found again: nothing better is expected then. The best is run in any case.
    """
    runs = search.limits.ram is not None or search.limits.instructions is not None

    def measured(made: Made, run: bool = runs) -> Made:
        return replace(made, measured=built_cost(made.build, search.reference.x if run else None, progress))

    known: dict[str | None, Difference] = {}
    tried = [measured(make(search))]
    for _ in range(CORRECTIONS):
        made, kernels = tried[-1], tried[-1].cost.kernels
        difference = _difference(made)
        if difference == known.get(kernels, Difference()):
            break
        known[kernels] = difference
        again = make(replace(search, measured=dict(known)))
        if any(again.trial.bits == other.trial.bits for other in tried):
            break
        tried.append(measured(again))
    best = min(tried, key=lambda made: search.rank(made.trial))
    return best if runs else measured(best, run=True)


def _difference(made: Made) -> Difference:
    taken, cost = made.taken, made.cost
    known = taken.instructions is not None and cost.instructions is not None
    instructions = (taken.instructions or 0) - (cost.instructions or 0) if known else 0
    return Difference(taken.flash - cost.flash, taken.ram - cost.ram, instructions)
