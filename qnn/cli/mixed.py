# SPDX-License-Identifier: MIT
"""The options of --bits mixed, and what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from qnn.cli.console import Output
from qnn.errors import QnnError
from qnn.mixed import CLASSIFIER_DROP, REGRESSION_DROP, Limits
from qnn.mixedbuild import MixedBuild
from qnn.mixedreport import COLUMNS
from qnn.ops.choices import SIZE
from qnn.quantities import bytes_of, count_of
from qnn.widths import MIXED

MaxDropOption = Annotated[
    float | None,
    typer.Option(
        "--max-drop",
        min=0.0,
        help="With --bits mixed: how much worse than float it may be, in points of accuracy or percent of the rmse; "
        f"default: {CLASSIFIER_DROP:g} and {REGRESSION_DROP:g}, unless there is another limit.",
    ),
]
FlashOption = Annotated[
    str | None,
    typer.Option("--flash", help="With --bits mixed: bytes for weights, tables and code; 8K are 8,192 of them."),
]
RamOption = Annotated[
    str | None,
    typer.Option(
        "--ram", help="With --bits mixed: bytes of scratch memory, stack and constants in RAM; 2K are 2,048 of them."
    ),
]
InstructionsOption = Annotated[
    str | None,
    typer.Option(
        "--instructions",
        help="With --bits mixed: RV32 instructions of an inference, the most of any; 500k are 500,000.",
    ),
]


def limits_of(
    bits: Sequence[str],
    max_drop: float | None,
    flash: str | None = None,
    ram: str | None = None,
    instructions: str | None = None,
) -> Limits:
    """The Limits that were typed. Raises QnnError for no quantity, and where there are some but nothing to choose."""
    written = (("--max-drop", max_drop), ("--flash", flash), ("--ram", ram), ("--instructions", instructions))
    for option, value in written:
        if value is not None and MIXED not in bits:
            given = f"--bits {','.join(bits)} gives them" if bits else "--bits does not say mixed"
            raise QnnError(option, f"says how widths are chosen, but {given}", "use --bits mixed")
    return Limits(
        max_drop,
        None if flash is None else bytes_of(flash, "--flash"),
        None if ram is None else bytes_of(ram, "--ram"),
        None if instructions is None else count_of(instructions, "--instructions"),
    )


def show_mixed(output: Output, model: Path, found: MixedBuild) -> None:
    """The table of choices, and what they come to."""
    output.table(
        f"Widths, on {found.samples:,} samples; drop in {found.unit}", COLUMNS, [c.cells() for c in found.choices]
    )
    limit = "" if found.limits.max_drop is None else f" (at most {found.limits.max_drop:g})"
    output.say(f"drop {found.loss.drop:.3g} {found.unit}{limit}; {_taken(found)}")


def _taken(found: MixedBuild) -> str:
    """Flash, RAM and instructions, and which of them were measured, by what."""
    taken, measured = found.taken, found.measured
    run, about = measured and measured.run, "" if measured else "about "
    flash = f"flash {about}{taken.flash:,} bytes (constants {taken.constants:,}, code {about}{taken.code:,})"
    by = f" by {measured.compiler}" if measured else ""
    constants = f", constants {taken.in_ram:,}" if taken.in_ram else ""
    stack = f", stack {run.stack:,}" if run else ""
    without = "" if run else " without the stack"
    ram = f"RAM {taken.ram:,} bytes{without} (scratch {found.cost.scratch:,}{stack}{constants})"
    if run:
        return f"{flash}, {ram}, {run.instructions:,} instructions (most of {run.inputs} inputs, no zeros skipped){by}"
    instructions = taken.instructions
    count = "instructions unknown" if instructions is None else f"about {instructions:,} instructions (predicted)"
    return f"{flash}{by}, {ram}, {count}"


def show_problem(model: Path, found: MixedBuild) -> None:
    """A line on stderr, always, where the limits are missed."""
    if found.problem:
        code = found.limits.flash is not None and found.taken.flash > found.limits.flash
        size = found.build.graph.choices.optimize == SIZE
        smaller = " or take --optimize size for less code," if code and not size else ""
        text = (
            f"qnn: {model}: no widths meet the limits: {found.problem}; raise them,{smaller} or train another network"
        )
        Console(stderr=True, highlight=False).print(Text(text), soft_wrap=True)
