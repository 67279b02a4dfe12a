# SPDX-License-Identifier: MIT
"""qnn verify: the emitted C against the simulator, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from qnn.board.ports import BAUD
from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.cli.loading import (
    DataDirOption,
    DataOption,
    DropMissingOption,
    LabelOption,
    MaxMemoryOption,
    PartOption,
    Request,
    Samples,
    load_rows,
    request,
)
from qnn.cli.simulate import build_folder
from qnn.cycles import ASSUMPTIONS, CLOCK_HZ
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.graphfile import load_graph
from qnn.report.cells import PROFILE_COLUMNS, profile_rows
from qnn.toolchain import rv32_compiler
from qnn.verification import SampleProfile, TargetResult, Verification
from qnn.verifier import (
    BOARD,
    DEFAULT_COUNT,
    DEFAULT_TARGETS,
    QEMU,
    RV32,
    TARGETS,
    BoardPort,
    parse_targets,
    verify,
)

FALLBACK = "random:1000"
DEFAULT_ON, DEFAULT_COUNTED = ",".join(DEFAULT_TARGETS), str(DEFAULT_COUNT)
ROWS = (
    "values that differ",
    "instructions, mean",
    "least",
    "most",
    "predicted, mean",
    "predicted, no zero skipped",
    "cycles, mean",
    "cycles estimated, constants in RAM",
    "cycles estimated, constants in flash",
    "cycles estimated, constants as compiled",
    "code bytes",
    "stack bytes",
    "runs in",
    "compiled by",
)
BuildArgument = Annotated[Path, typer.Argument(help="A build folder, as qnn compile writes it.")]
OnOption = Annotated[str, typer.Option("--on", help=f"Where the C runs: {', '.join(TARGETS)}, with commas.")]
CountOption = Annotated[str, typer.Option("--count", help="Samples whose RV32 instructions are counted, or all.")]
ProfileOption = Annotated[bool, typer.Option("--profile", help="Show where the instructions go, layer by layer.")]
LayersOption = Annotated[bool, typer.Option("--layers", help="Compare every layer, not only the outputs.")]
CompilerOption = Annotated[
    str | None, typer.Option("--rv32-compiler", help="The compiler for RV32IMC: a command, or ziglang.")
]
PortOption = Annotated[
    str | None, typer.Option("--port", help="The board's port: a name, or socket://HOST:PORT; default: the only one.")
]
BaudOption = Annotated[int, typer.Option("--baud", min=300, help="Baud rate, where the port is no USB port.")]


def command(
    build: BuildArgument,
    data: DataOption = None,
    on: OnOption = DEFAULT_ON,
    count: CountOption = DEFAULT_COUNTED,
    layers: LayersOption = False,
    profile: ProfileOption = False,
    compiler: CompilerOption = None,
    port: PortOption = None,
    baud: BaudOption = BAUD,
    part: PartOption = None,
    label: LabelOption = None,
    drop_missing: DropMissingOption = False,
    data_dir: DataDirOption = None,
    max_memory: MaxMemoryOption = "4GB",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the emitted C and compare every output with the simulator's; a single differing bit is exit code 1.

    Instructions are counted exactly on evenly spaced samples; the maximum also covers the input with every element
    at its maximum. Cycles of an ESP32-C3 are estimated from the counted sample that is nearest to the mean.

    Example: qnn verify build/ --data digits --on host,rv32 --count all

    Example: qnn verify build/ --profile
    """
    output = Output(json, quiet)
    targets, counted = parse_targets(on), parse_count(count)
    folder = build_folder(build)
    graph = load_graph(folder / "model.qnn")
    rv32 = rv32_compiler(compiler) if compiler and {RV32, QEMU, BOARD} & set(targets) else None
    samples = _samples(output, graph, request(data, part, label, drop_missing, data_dir, max_memory))
    with output.progress("verifying") as progress:
        found = verify(folder, samples.x, targets, counted, layers, progress, rv32, BoardPort(port, baud))
    output.emit(found.document() | {"data": samples.source, "part": samples.part})
    show(output, found, samples)
    if profile:
        show_profiles(output, found)
    if not found.ok:
        raise typer.Exit(1)


def parse_count(text: str) -> int | None:
    """A number of samples, None for "all". Raises QnnError for anything else."""
    if text.strip().lower() == "all":
        return None
    if not text.strip().isdecimal() or int(text) < 1:
        raise QnnError("--count", f"{text!r} is not a number of samples", "use a positive number, or all")
    return int(text)


def show(output: Output, found: Verification, samples: Samples) -> None:
    """The table for people, then one line on what it means; failures on stderr, always."""
    title = f"{found.name}: {found.samples:,} samples of {samples.source} ({samples.part})"
    columns = [_figures(target) for target in found.targets]
    names = [target.target for target in found.targets]
    rows = [row for row in zip(ROWS, *columns, strict=True) if any(row[1:])]
    output.table(title, ("", *names), rows)
    profiled = next((target.profile for target in found.targets if target.profile), None)
    if profiled:
        output.say(estimate_text(profiled))
    if found.ok:
        output.say(f"Equal: each target's {found.values:,} values are the simulator's, bit for bit.")
    show_failures(found)


def show_failures(found: Verification) -> None:
    """A line on stderr, always, for each target that crashed or differs."""
    failures = Console(stderr=True, highlight=False)
    for line in found.failures:
        failures.print(Text(f"qnn: {line}"), soft_wrap=True)


def _samples(output: Output, graph: Graph, asked: Request) -> Samples:
    """The rows asked for; where none are and the training data is out of reach, random ones."""
    try:
        return load_rows(output, asked, graph.schema, graph.record, "evaluate")
    except QnnError as error:
        if asked.data is not None:
            raise
        output.warn(f"using {FALLBACK}, since the training data cannot be read: {error}")
        return load_rows(output, replace(asked, data=FALLBACK, part=None), graph.schema, graph.record, "evaluate")


def _figures(target: TargetResult) -> tuple[str, ...]:
    """The target's column, in the order of ROWS."""
    counts = target.instructions
    instructions = (f"{counts.mean:,.0f}", f"{counts.minimum:,}", f"{counts.maximum:,}") if counts else ("", "", "")
    mismatches = "crashed" if target.crash else f"{target.mismatches:,}"
    code = f"{target.sizes.code:,}" if target.sizes else ""
    stack = "" if target.stack_bytes is None else f"{target.stack_bytes:,}"
    cycles = f"{target.cycles.mean:,.0f}" if target.cycles else ""
    runner = target.runner or "this machine"
    return (
        mismatches,
        *instructions,
        *_forecast(target),
        cycles,
        *_estimates(target),
        code,
        stack,
        runner,
        target.compiler,
    )


def _forecast(target: TargetResult) -> tuple[str, str]:
    """What the tables predict for the target's compiler, as the mean and the most, with the error of the former."""
    found, counts = target.forecast, target.instructions
    if found is None or counts is None or found.usual is None or found.most is None:
        return "", ""
    return f"{found.usual:,} ({100 * (found.usual / counts.mean - 1):+.1f} %)", f"{found.most:,}"


def _estimates(target: TargetResult) -> tuple[str, str, str]:
    """Estimated cycles and milliseconds: constants in RAM, in flash, and as compiled where that is neither."""
    if target.profile is None:
        return "", "", ""
    cycles = target.profile.cycles
    mixed = cycles.as_compiled not in (cycles.flash, cycles.ram)
    return time_text(cycles.ram), time_text(cycles.flash), time_text(cycles.as_compiled) if mixed else ""


def estimate_text(profiled: SampleProfile) -> str:
    """What the estimated cycles are, and what the first inference takes, in one line."""
    first = profiled.first_cycles
    return (
        "Cycles are an estimate for an ESP32-C3 at 160 MHz, not measured on one, of an inference that follows another; "
        f"the first takes {first.ram:,} with the constants in RAM and {first.flash:,} in flash. Assumed: {ASSUMPTIONS}."
    )


def time_text(cycles: int) -> str:
    """60,328 (0.38 ms)."""
    return f"{cycles:,} ({1000 * cycles / CLOCK_HZ:.3g} ms)"


def show_profiles(output: Output, found: Verification) -> None:
    """A table for each target that can tell its layers apart."""
    for target in found.targets:
        if target.profile:
            title = f"{target.target}, sample {target.profile.sample}: where its instructions go"
            output.table(title, PROFILE_COLUMNS, profile_rows(target.profile.layers()))
