# SPDX-License-Identifier: MIT
"""--bits mixed: what was found is built and measured; the search is corrected by that, and made again (SPEC 4.12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from qnn.builtcost import BuiltCost, built_cost
from qnn.compiler import Build
from qnn.mixed import MEASURED, Cost, Limits, More, Search, Trial
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
        ram = self.cost.ram + self.measured.in_ram
        if run is None:
            return Cost(constants, code, ram, self.cost.instructions, MEASURED)
        return Cost(constants, code, ram + run.stack, run.instructions, MEASURED)

    @property
    def trial(self) -> Trial:
        """Its combination, with what it takes and loses."""
        return Trial(self.found.best.bits, self.taken, self.loss)


def best_measured(search: Search, make: Callable[[Search], Made], progress: Progress = silent) -> Made:
    """The best of what `make` finds, by Search.rank with measured costs.

    By what a build takes beyond its prediction, or less, the next search corrects what it predicts of all builds with
    the same kernels: code, stack and instructions hardly depend on anything else. Until one of them fits, corrections
    only grow. It ends where predictions hold, or where a build is found again: nothing better is expected then.
    """

    def measured(made: Made) -> Made:
        return _measured(made, search.limits, search.reference.x, progress)

    known: dict[str, More] = {}
    tried = [measured(make(search))]
    for _ in range(CORRECTIONS):
        made, kernels, more = tried[-1], tried[-1].cost.kernels, _more(tried[-1])
        if search.excess(made.taken):
            more = more.most(known.get(kernels, more))
        elif more == known.get(kernels, More()):
            break
        known[kernels] = more
        again = make(replace(search, measured=dict(known)))
        if any(again.trial.bits == other.trial.bits for other in tried):
            break
        tried.append(measured(again))
    return min(tried, key=lambda made: search.rank(made.trial))


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
