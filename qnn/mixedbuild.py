# SPDX-License-Identifier: MIT
"""The build of --bits mixed: widths are searched, the network compiled, the limits checked on what was compiled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qnn.compiledsize import CompiledSize, compiled_size
from qnn.compiler import Build, compile_model, integer_graph
from qnn.errors import QnnError
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
from qnn.mixedreport import Explained, explained, spelled
from qnn.mixedsearch import Alone, Found, best_widths, measured_alone
from qnn.model import Model
from qnn.ops.choices import DEFAULT, Choices
from qnn.progress import Progress, silent
from qnn.reference import Loss, loss_of, reference_of
from qnn.rounding import BEST, Rounding
from qnn.scales import Scales
from qnn.widths import Widths

MAX_SAMPLES = 2048
CORRECTIONS = 4  # searches with less and less flash, where a compiler finds more code than the table has


@dataclass(frozen=True, eq=False)
class MixedBuild:
    """A build with widths of its own for every layer.

    cost, loss: of what was compiled. size: what a compiler for RV32 makes of it, where --flash limits it and there is
    one. unit: what a drop is counted in. limits: those that were asked for, resolved. problem: how the limits are
    missed, and by which widths; "" where they are met. choices: every one, explained. widths: what they come to.
    """

    build: Build
    cost: Cost
    loss: Loss
    unit: str
    samples: int
    limits: Limits
    problem: str
    choices: tuple[Explained, ...]
    widths: Widths
    size: CompiledSize | None = None

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
            "flash": self.size.flash if self.size else self.cost.flash,
            "code": self.size.code if self.size else None,
            "nominal_code": self.cost.code,
            "ram": self.cost.ram,
            "instructions": self.cost.instructions,
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
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), MAX_SAMPLES)).round().astype(np.int64))
    reference = reference_of(model, x[rows], None if labels is None else labels[rows])
    limits = default_limits(limits, reference.classifies)
    choices = choices_of(model, scales)
    search = Search(model, scales, reference, choices, limits, how.choices, how.rounding, how.samples)
    made = _within_flash(search, how, progress)
    sqnr = dict(build_sqnr(model, scales, made.build.graph, made.widths, reference.x))
    problem = _problem(search, made)
    if problem:
        problem += f" (the closest: {spelled(choices, made.found.best.bits)})"
    return MixedBuild(
        made.build,
        made.cost,
        made.loss,
        reference.unit,
        len(rows),
        limits,
        problem,
        explained(search, made.found, sqnr),
        made.widths,
        made.size,
    )


@dataclass(frozen=True, eq=False)
class _Made:
    """What was found within limits, and the build of it."""

    found: Found
    widths: Widths
    build: Build
    cost: Cost
    loss: Loss
    size: CompiledSize | None = None

    @property
    def flash(self) -> int:
        """Bytes of flash: about, where no compiler told them."""
        return self.size.flash if self.size else self.cost.flash


def _within_flash(search: Search, how: How, progress: Progress) -> _Made:
    """The best that fits. Where a compiler finds more code than the table says, its table is corrected by that much."""
    asked, alone = search.limits.flash, measured_alone(search, progress)
    made = _made(search, how, alone, progress)
    if asked is None:
        return made
    made, table = replace(made, size=compiled_size(made.build)), asked
    for _ in range(CORRECTIONS):
        corrected = asked - (made.flash - made.cost.flash)
        if made.flash <= asked or not 0 < corrected < table:
            break
        table, search = corrected, replace(search, limits=replace(search.limits, flash=corrected))
        made = _made(search, how, alone, progress)
        made = replace(made, size=compiled_size(made.build))
    return made


def _made(search: Search, how: How, alone: Alone, progress: Progress) -> _Made:
    """The best combination, built; without headroom for faster products where that breaks a limit."""
    found = best_widths(search, progress, alone)
    widths = widths_of(search.choices, found.best.bits)

    def built(how: How) -> _Made:
        build = how.build(search.model, search.scales, widths)
        return _Made(found, widths, build, cost_of(build.graph), loss_of(search.reference, build.graph))

    made = built(how)
    return built(replace(how, reduce_range=OFF)) if how.reduce_range == AUTO and _problem(search, made) else made


def default_limits(limits: Limits, classifies: bool) -> Limits:
    """`limits`, with a largest drop where nothing at all is asked for."""
    if limits != NO_LIMITS:
        return limits
    return Limits(CLASSIFIER_DROP if classifies else REGRESSION_DROP)


def _problem(search: Search, made: _Made) -> str:
    """How a build misses the limits, "" where it meets them."""
    limits, cost, loss = search.limits, made.cost, made.loss
    missed = []
    if limits.flash is not None and made.flash > limits.flash:
        about = "" if made.size else "about "
        missed.append(f"it takes {about}{made.flash:,} bytes of flash, not {limits.flash:,}")
    if limits.ram is not None and cost.ram > limits.ram:
        missed.append(f"it takes {cost.ram:,} bytes of scratch memory, not {limits.ram:,}")
    if limits.instructions is not None:
        if cost.instructions is None:
            missed.append("nothing is known of its instructions")
        elif cost.instructions > limits.instructions:
            missed.append(f"it takes about {cost.instructions:,} instructions, not {limits.instructions:,}")
    if search.too_much(loss) > 0:
        missed.append(f"it loses {loss.drop:.3g} {search.reference.unit}, not {limits.max_drop:.3g}")
    return ", ".join(missed)
