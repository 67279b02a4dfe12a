# SPDX-License-Identifier: MIT
"""Measures what the parts of kernels cost and writes qnn/instructions/table.json; compares predictions with counts.

The forms in qnn/instructions say how often each part of a kernel runs. Random networks (costnets.py) are counted node
by node in the emulator (costcounts.py), and what each part costs follows by least squares of the relative errors, where
no cost is below 0 (costfit.py). Random networks that costs are never fitted to show what predictions are worth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from benchmodels import budget_name
from costcounts import Counted, counted_nodes
from costedmodels import COSTED, TOLERANCE, costed_build, counted, save_counts, zeros_at
from costfit import fitted, rows_of
from costnets import FIRST_HELD, WAYS, Costed, Way
from rich.console import Console
from rich.progress import track
from rich.table import Table as Shown

from qnn import toolchain
from qnn.files import write_whole
from qnn.instructions.predict import predicted
from qnn.instructions.table import PATH, Table, tables
from qnn.toolchain import Compiler

LARGE = 20_000  # instructions of networks that are told apart


@dataclass(frozen=True)
class Held:
    """A random network that costs were not fitted to: its error, None where a kernel is not in the table.

    wide: has it 16 bits before its output?
    """

    way: Way
    seed: int
    wide: bool
    count: int
    error: float | None


def costs(console: Console) -> bool:
    """Print what is predicted beside what is counted; False where a whole network is off by more than TOLERANCE."""
    compiler = toolchain.rv32_compiler()
    table = tables().get(budget_name(compiler))
    if table is None:
        console.print(f"[red]no table for {compiler}[/]: python bench/run.py costs --write")
        return False
    good = _whole(console, compiler, table)
    seeds = [(way, FIRST_HELD + index) for way in WAYS for index in range(way.held)]
    held = [_held(way, seed, *counts, table) for way, seed, *counts in _counted(console, compiler, seeds)]
    _show_held(console, held, f"Random networks that costs were not fitted to, {compiler} -O2")
    return good


def write_costs(console: Console) -> None:
    """Measure with the preferred compiler; the tables of others stay as they are."""
    compiler = toolchain.rv32_compiler()
    found = json.loads(PATH.read_text()) if PATH.exists() else {}
    seeds = [(way, seed) for way in WAYS for seed in range(way.fitted)]
    rows = rows_of((network, count) for _, _, network, count in _counted(console, compiler, seeds))
    found[budget_name(compiler)] = fitted(rows)
    write_whole(PATH, (json.dumps(found, indent=1, sort_keys=True) + "\n").encode())
    save_counts(budget_name(compiler), {model.name: counted(model, compiler) for model in COSTED})
    console.print(f"measured with {compiler}")


def _counted(
    console: Console, compiler: Compiler, seeds: Sequence[tuple[Way, int]]
) -> Iterator[tuple[Way, int, Costed, Counted]]:
    """Those networks that could be made, with what they were counted to take."""
    for way, seed in track(seeds, "counting random networks", console=console):
        network = way.make(seed)
        if network is not None:
            yield way, seed, network, counted_nodes(network, compiler)


def _whole(console: Console, compiler: Compiler, table: Table) -> bool:
    shown = Shown("network", "predicted", "counted", "error", title=f"Instructions, {compiler} -O2")
    good = True
    for model in COSTED:
        graph, count = costed_build(model)[0].graph, counted(model, compiler)
        total = predicted(graph, zeros_at(model), table).total
        error = _error(total, count)
        good &= error is not None and abs(error) <= TOLERANCE
        shown.add_row(model.name, f"{total:,}" if total else "", f"{count:,}", _percent(error))
    console.print(shown)
    return good


def _held(way: Way, seed: int, network: Costed, count: Counted, table: Table) -> Held:
    graph = network.build.graph
    wide = any("_i16_" in kernel.function or "_w16" in kernel.function for kernel in graph.kernels[: len(graph.body)])
    return Held(way, seed, wide, count.total, _error(predicted(graph, network.zeros, table).total, count.total))


def _show_held(console: Console, held: Sequence[Held], title: str) -> None:
    """A table of the errors of several kinds of networks."""
    shown = Shown("networks", title=title)
    for heading in ("number", "unknown", "median", "beyond 5 %", "mean", "worst", "its seed"):
        shown.add_column(heading, justify="right")
    large = [one for one in held if one.count >= LARGE]
    kinds = {"all": held, f"below {LARGE:,} instructions": [one for one in held if one.count < LARGE]}
    kinds |= {f"from {LARGE:,} instructions": large}
    kinds |= {f"  {way.name}": [one for one in large if one.way == way] for way in WAYS}
    kinds |= {"  with 16 bits": [one for one in large if one.wide], "  without": [one for one in large if not one.wide]}
    for name, rows in kinds.items():
        errors = np.array([one.error for one in rows if one.error is not None])
        worst = max(rows, key=lambda one: abs(one.error or 0.0), default=None)
        beyond = int(np.sum(np.abs(errors) > TOLERANCE))
        usual = (_percent(float(f(e))) for f, e in ((np.median, np.abs(errors)), (np.mean, errors)) if len(e))
        median, mean = tuple(usual) or ("", "")
        figures = (f"{len(rows)}", f"{len(rows) - len(errors)}", median.lstrip("+"), f"{beyond}", mean)
        shown.add_row(
            name, *figures, _percent(worst and worst.error), f"{worst.way.name} {worst.seed}" if worst else ""
        )
    console.print(shown)


def _error(total: int | None, count: int) -> float | None:
    return None if total is None else total / count - 1


def _percent(error: float | None) -> str:
    return "" if error is None else f"{100 * error:+.1f} %"
