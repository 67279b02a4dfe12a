# SPDX-License-Identifier: MIT
"""The build of --bits mixed: widths are searched, the network compiled, the limits checked on what was compiled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qnn.builtcost import BuiltCost
from qnn.compiler import Build, compile_model, integer_graph
from qnn.errors import QnnError
from qnn.evenly import evenly
from qnn.graph import Graph
from qnn.headroom import AUTO, OFF
from qnn.layersqnr import build_sqnr
from qnn.mixed import (
    CLASSIFIER_DROP,
    NO_LIMITS,
    REGRESSION_DROP,
    Cost,
    Limits,
    Search,
    choices_of,
    cost_of,
    widths_of,
)
from qnn.mixedfit import Made, best_measured
from qnn.mixedreport import Explained, explained, spelled
from qnn.mixedsearch import Alone, best_widths, measured_alone
from qnn.model import Model
from qnn.ops.choices import DEFAULT, Choices
from qnn.progress import Progress, silent
from qnn.reference import Loss, loss_of, reference_of
from qnn.rounding import BEST, Rounding
from qnn.scales import Scales
from qnn.widths import Widths

MAX_SAMPLES = 2048


@dataclass(frozen=True, eq=False)
class MixedBuild:
    """A build with widths of its own for every layer.

    cost: predicted. taken: the same as far as it could be measured. loss: of what was compiled. measured: what is known
    of it, where limits made it worth measuring. unit: what a drop is counted in. limits: those that were asked for,
    resolved. problem: how the limits are missed, and by which widths; "" where they are met. choices: every one,
    explained. widths: what they come to.
    """

    build: Build
    cost: Cost
    taken: Cost
    loss: Loss
    unit: str
    samples: int
    limits: Limits
    problem: str
    choices: tuple[Explained, ...]
    widths: Widths
    measured: BuiltCost | None = None

    def document(self) -> dict[str, Any]:
        """The choices and what they come to, as JSON."""
        return {
            "samples": self.samples,
            "unit": self.unit,
            "drop": self.loss.drop,
            "max_drop": self.limits.max_drop,
            "flash_limit": self.limits.flash,
            "ram_limit": self.limits.ram,
            "instructions_limit": self.limits.instructions,
            "flash": self.taken.flash,
            "ram": self.taken.ram,
            "instructions": self.taken.instructions,
            "predicted": {
                "flash": self.cost.flash,
                "code": self.cost.code,
                "scratch": self.cost.scratch,
                "in_ram": self.cost.in_ram,
                "instructions": self.cost.instructions,
            },
            "measured": self.measured and self.measured.document(),
            "problem": self.problem,
            "choices": [choice.document() for choice in self.choices],
        }


@dataclass(frozen=True)
class How:
    """What compile_model takes beside the model, its scales and its widths."""

    name: str
    reduce_range: str = AUTO
    self_test: int = 0
    choices: Choices = DEFAULT
    units: tuple[int | None, ...] = ()
    rounding: Rounding = BEST
    samples: np.ndarray | None = None

    def build(self, model: Model, scales: Scales, widths: Widths) -> Build:
        """The build with these widths."""
        return compile_model(
            model,
            scales,
            self.name,
            self.reduce_range,
            self.self_test,
            widths,
            self.choices,
            self.units,
            self.rounding,
            self.samples,
        )

    def graph(self, model: Model, scales: Scales, widths: Widths) -> Graph:
        """The integer graph of that build, before units and choices."""
        return integer_graph(model, scales, self.name, self.reduce_range, widths, self.rounding, self.samples)


def compile_mixed(
    model: Model,
    scales: Scales,
    limits: Limits,
    x: np.ndarray,
    labels: np.ndarray | None,
    how: How,
    progress: Progress = silent,
) -> MixedBuild:
    """The MixedBuild of `model`, measured on raw samples x (N, *shape) with labels as Dataset.y, or None.

    Limits without any number are those of `default_limits`. Raises QnnError without samples.
    """
    if not len(x):
        raise QnnError("--bits mixed", "there are no samples to choose the widths by", "give some with --data")
    rows = evenly(len(x), MAX_SAMPLES)
    reference = reference_of(model, x[rows], None if labels is None else labels[rows])
    limits = default_limits(limits, reference.classifies)
    choices = choices_of(model, scales)
    search = Search(model, scales, reference, choices, limits, how.choices, how.rounding, how.samples)
    alone = measured_alone(search, progress)
    made = best_measured(search, lambda corrected: _made(corrected, how, alone, progress), progress)
    sqnr = dict(build_sqnr(model, scales, made.build.graph, made.widths, reference.x))
    problem = _problem(search, made)
    if problem:
        problem += f" (the closest: {spelled(choices, made.found.best.bits)})"
    return MixedBuild(
        made.build,
        made.cost,
        made.taken,
        made.loss,
        reference.unit,
        len(rows),
        limits,
        problem,
        explained(search, made.found, sqnr),
        made.widths,
        made.measured,
    )


def _made(search: Search, how: How, alone: Alone, progress: Progress) -> Made:
    """The best combination, built; without headroom for faster products where that breaks a limit."""
    found = best_widths(search, progress, alone)
    widths = widths_of(search.choices, found.best.bits)

    def built(how: How) -> Made:
        build = how.build(search.model, search.scales, widths)
        return Made(found, widths, build, cost_of(build.graph), loss_of(search.reference, build.graph))

    made = built(how)
    return built(replace(how, reduce_range=OFF)) if how.reduce_range == AUTO and _problem(search, made) else made


def default_limits(limits: Limits, classifies: bool) -> Limits:
    """`limits`, with a largest drop where nothing at all is asked for."""
    if limits != NO_LIMITS:
        return limits
    return Limits(CLASSIFIER_DROP if classifies else REGRESSION_DROP)


def _problem(search: Search, made: Made) -> str:
    """How a build misses the limits, "" where it meets them."""
    limits, taken, loss, measured = search.limits, search.expected(made.taken), made.loss, made.measured
    run, missed = measured and measured.run, []
    if limits.flash is not None and taken.flash > limits.flash:
        missed.append(f"it takes {'' if measured else 'about '}{taken.flash:,} bytes of flash, not {limits.flash:,}")
    if limits.ram is not None and taken.ram > limits.ram:
        what = f"RAM with{'' if run else 'out'} the stack"
        missed.append(f"it takes {taken.ram:,} bytes of {what}, not {limits.ram:,}")
    if limits.instructions is not None:
        if taken.instructions is None:
            missed.append("nothing is known of its instructions")
        elif taken.instructions > limits.instructions:
            about = "" if run else "about "
            missed.append(f"it takes {about}{taken.instructions:,} instructions, not {limits.instructions:,}")
    if search.too_much(loss) > 0:
        missed.append(f"it loses {loss.drop:.3g} {search.reference.unit}, not {limits.max_drop:.3g}")
    return " and ".join(missed)
