# SPDX-License-Identifier: MIT
"""What verify measures beside equality: instructions, cycles, stack, and where they go, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from qnn.engines.engine import CrashError, Engine
from qnn.engines.host import HostEngine
from qnn.engines.interface import interface_of
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.instructions.predict import Forecast, forecast
from qnn.instructions.table import table_name, tables
from qnn.progress import Progress
from qnn.toolchain import ZIG, ZIGLANG, Compiler
from qnn.verification import Instructions, SampleProfile, TargetResult


def profiler_of(
    engines: Sequence[Engine], build: Path, graph: Graph, compiler: Compiler | None, stack: ExitStack
) -> UnicornEngine | None:
    """The engine that can tell layers apart: the RV32 target, else one beside a target that runs the same code.

    None without such a target, a compiler or the emulator. `stack` closes what is opened here.
    """
    for engine in engines:
        if isinstance(engine, UnicornEngine):
            return engine
    if all(isinstance(engine, HostEngine) for engine in engines):
        return None
    try:
        return stack.enter_context(closing(UnicornEngine(build, interface_of(graph), compiler)))
    except QnnError:
        return None


def measured(
    result: TargetResult,
    engine: Engine,
    profiler: UnicornEngine | None,
    graph: Graph,
    x: np.ndarray,
    rows: np.ndarray,
    progress: Progress,
) -> TargetResult:
    """`result` with the costs of NAME_run on raw samples x: the extreme one, which counts for the maximum only, then
    those that are `rows` of the data."""
    if result.crash:
        return result
    try:
        measurement = engine.measure(x, progress)
    except CrashError as error:
        return replace(result, crash=str(error))
    if measurement is None:
        return result
    counts, cycles = measurement.instructions, measurement.cycles
    found = replace(
        result,
        instructions=_summary(counts) if counts.any() else None,
        cycles=_summary(cycles) if cycles is not None and cycles.any() else None,
        stack_bytes=measurement.stack_bytes,
        forecast=_forecast(graph, engine.compiler) if counts.any() else None,
    )
    if profiler is None:
        return found
    progress(len(x), len(x), "profiling")
    return replace(found, profile=_profiled(profiler, graph, x, counts, rows))


def _forecast(graph: Graph, compiler: Compiler) -> Forecast | None:
    table = tables().get(table_name(ZIGLANG if compiler.kind == ZIG else compiler.kind, compiler.version))
    return None if table is None else forecast(graph, table)


def _summary(counts: np.ndarray) -> Instructions:
    usual = counts[1:]
    return Instructions(int(usual.min()), round(float(usual.mean()), 1), int(counts.max()), len(usual))


def _profiled(
    profiler: UnicornEngine, graph: Graph, x: np.ndarray, counts: np.ndarray, rows: np.ndarray
) -> SampleProfile:
    """The profile of the sample whose instructions are nearest to the mean; of the first where nobody counts them."""
    index = 1 + int(np.argmin(np.abs(counts[1:] - counts[1:].mean())))
    profile = profiler.profile(x[index : index + 1], index)
    macs = [*(node.op.macs(graph.types_of(node), node.type) for node in graph.body), 0]
    parts = tuple(replace(part, macs=count) for part, count in zip(profile.parts, macs, strict=True))
    return SampleProfile(int(rows[index - 1]), replace(profile, parts=parts))
