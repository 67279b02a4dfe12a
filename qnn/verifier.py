# SPDX-License-Identifier: MIT
"""Proves that the emitted C computes what the simulator says, bit for bit, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qnn.board.engine import BoardEngine
from qnn.board.ports import BAUD, open_port
from qnn.costs import measured, profiler_of
from qnn.engines.engine import CrashError, Engine
from qnn.engines.host import HostEngine
from qnn.engines.image import Images
from qnn.engines.interface import interface_of
from qnn.engines.job import QUANTIZED_RUN
from qnn.engines.qemu_engine import QemuEngine
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.errors import QnnError
from qnn.files import StrPath
from qnn.graph import Graph
from qnn.graphfile import load_graph
from qnn.progress import Progress, silent
from qnn.simulator import extremes, simulate, tensor_names
from qnn.toolchain import Compiler
from qnn.verification import Mismatch, TargetResult, Verification

HOST, RV32, QEMU, BOARD = "host", "rv32", "qemu", "board"
TARGETS = (HOST, RV32, QEMU, BOARD)
DEFAULT_TARGETS = (HOST, RV32)
DEFAULT_COUNT = 20
CHUNK_SAMPLES = 1024
BOARD_SAMPLES = 64  # between two steps of the progress bar, at 115200 baud
CHUNK_BYTES = 64 << 20
EXTREMES = ("with all inputs at their maximum", "with all inputs at their minimum")


@dataclass(frozen=True)
class BoardPort:
    """Where a board is: a serial port or socket://HOST:PORT (None: the only one there is), and its baud rate."""

    port: str | None = None
    baud: int = BAUD


def verify(
    build: StrPath,
    x: np.ndarray,
    targets: Sequence[str] = DEFAULT_TARGETS,
    count: int | None = DEFAULT_COUNT,
    layers: bool = False,
    progress: Progress = silent,
    rv32: Compiler | None = None,
    board: BoardPort | None = None,
) -> Verification:
    """Run raw samples `x` (N, *shape) through the C of the folder `build` and compare with the simulator by ==.

    NAME_run, NAME_run_q and every head are compared on all samples and on the two EXTREMES; with `layers` every
    node's tensor too. On RV32, instructions are counted exactly on `count` evenly spaced samples (None: all), and
    on the input with every element at its maximum, which leaves a kernel no zero to skip at the input.
    rv32: the compiler for RV32 targets, if not the preferred one. board: where the board is, if not at the only port.
    Raises QnnError for bad input, a missing compiler or emulator, or C that does not compile.
    """
    build = Path(build)
    graph = load_graph(build / "model.qnn")
    chosen = _spaced(len(x), count)
    simulate(graph, x[:1])  # says it if the samples do not fit the graph
    with ExitStack() as stack:
        engines = _engines(targets, build, graph, rv32, board, stack)
        results = [TargetResult(e.name, e.runner, str(e.compiler), sizes=e.sizes) for e in engines]
        done = 0
        for labels, samples in _chunks(graph, x, layers, BOARD_SAMPLES if BOARD in targets else CHUNK_SAMPLES):
            expected = simulate(graph, samples, _kept(graph, layers))
            for i, engine in enumerate(engines):
                results[i] = _compared(results[i], engine, graph, labels, samples, expected, layers)
                done += len(samples)
                progress(done, len(engines) * (len(x) + len(EXTREMES)), engine.name)
        counted = np.concatenate([extremes(graph)[:1], x[chosen]])
        profiler = profiler_of(engines, build, graph, rv32, stack)
        for i, engine in enumerate(engines):
            results[i] = measured(results[i], engine, profiler, graph, counted, chosen, progress)
    outputs = len(x) * graph.type_of(graph.output).elements
    values = len(x) * _values(graph, layers)
    return Verification(graph.name, len(x), outputs, values, layers, tuple(results))


def parse_targets(text: str) -> tuple[str, ...]:
    """Targets from "host,rv32", each once. Raises QnnError for an unknown one."""
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for name in names:
        if name not in TARGETS:
            raise QnnError("--on", f"{name!r} is no target", f"use some of {', '.join(TARGETS)}, with commas")
    if not names:
        raise QnnError("--on", "names no target", f"use some of {', '.join(TARGETS)}, with commas")
    return names


def _engines(
    targets: Sequence[str], build: Path, graph: Graph, rv32: Compiler | None, board: BoardPort | None, stack: ExitStack
) -> list[Engine]:
    """An engine for each target; `stack` closes them. RV32 targets run the same image."""
    names, interface = parse_targets(",".join(targets)), interface_of(graph)
    images: Images | None = None
    engines: list[Engine] = []
    for name in names:
        if name == HOST:
            engines.append(stack.enter_context(closing(HostEngine(build, interface))))
            continue
        if name == BOARD:
            line = board or BoardPort()
            stream = open_port(line.port, line.baud)
            engines.append(stack.enter_context(closing(BoardEngine(build, graph, stream))))
            continue
        images = images or stack.enter_context(closing(Images(build, interface, rv32)))
        open_engine = UnicornEngine if name == RV32 else QemuEngine
        engines.append(stack.enter_context(closing(open_engine(build, interface, images=images))))
    return engines


def _spaced(samples: int, count: int | None) -> np.ndarray:
    """int64: `count` row indices from the first to the last, evenly spaced; None or too many: all."""
    if samples == 0:
        raise QnnError("samples", "there are none", "use data with at least one row")
    if count is not None and count < 1:
        raise QnnError("--count", f"{count} samples cannot be counted", "use a positive number, or all")
    wanted = samples if count is None else min(count, samples)
    return np.linspace(0, samples - 1, wanted).round().astype(np.int64)


def _chunks(graph: Graph, x: np.ndarray, layers: bool, most: int) -> Iterator[tuple[Sequence[int | str], np.ndarray]]:
    """The EXTREMES, then the samples in portions that the simulator's memory allows, with what to call each."""
    elements = graph.input.elements + sum(node.type.elements for node in graph.nodes)
    step = max(1, min(most, CHUNK_BYTES // (8 * elements)))
    yield (*EXTREMES, *range(min(step, len(x)))), np.concatenate([extremes(graph), x[:step]])
    for start in range(step, len(x), step):
        yield range(start, min(start + step, len(x))), x[start : start + step]


def _kept(graph: Graph, layers: bool) -> tuple[str, ...]:
    """The names of the tensors that are compared, or fed to NAME_run_q."""
    heads = tuple(node.name for node in graph.heads)
    return tensor_names(graph) if layers else tuple(dict.fromkeys((graph.output, *heads, graph.quantized_input)))


def _values(graph: Graph, layers: bool) -> int:
    """How many values of one sample are compared: NAME_run's and NAME_run_q's, the heads', with layers the nodes'."""
    nodes = (*graph.heads, *(graph.body if layers else ()))
    return 2 * graph.type_of(graph.output).elements + sum(node.type.elements for node in nodes)


def _compared(
    result: TargetResult,
    engine: Engine,
    graph: Graph,
    labels: Sequence[int | str],
    samples: np.ndarray,
    expected: dict[str, np.ndarray],
    layers: bool,
) -> TargetResult:
    """`result` with the differences between `expected` and what the engine makes of `samples` added."""
    if result.crash:
        return result
    first = result.first
    try:
        pairs = _pairs(engine, graph, samples, expected, layers)
        mismatches = sum(int((got != wanted).sum()) for _, wanted, got in pairs)
        if mismatches and first is None:
            row = min(int(np.nonzero(got != wanted)[0][0]) for _, wanted, got in pairs if (got != wanted).any())
            name, wanted, got = next(pair for pair in pairs if (pair[1][row] != pair[2][row]).any())
            located = _located(engine, graph, labels[row], samples[row : row + 1])
            first = located or _difference(labels[row], name, wanted[row], got[row])
    except CrashError as error:
        return replace(result, crash=str(error))
    return replace(result, mismatches=result.mismatches + mismatches, first=first)


def _pairs(
    engine: Engine, graph: Graph, samples: np.ndarray, expected: dict[str, np.ndarray], layers: bool
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """What is compared: its name for people, the simulator's array, the engine's."""
    nodes = engine.trace(samples) if layers else {}
    got = engine.run(samples, expected[graph.quantized_input])
    return [
        *((name, expected[name], values) for name, values in nodes.items()),
        (f"{graph.name}_run", expected[graph.output], got[graph.output]),
        (f"{graph.name}_run_q", expected[graph.output], got[QUANTIZED_RUN]),
        *((head.name, expected[head.name], got[head.name]) for head in graph.heads),
    ]


def _located(engine: Engine, graph: Graph, label: int | str, sample: np.ndarray) -> Mismatch | None:
    """The first node, in order, whose tensor differs on `sample` (1, *shape); None if it is not in a node."""
    expected = simulate(graph, sample, tensor_names(graph))
    traced = engine.trace(sample)
    for node in graph.body:
        if (traced[node.name] != expected[node.name]).any():
            return _difference(label, node.name, expected[node.name][0], traced[node.name][0])
    return None


def _difference(label: int | str, layer: str, expected: np.ndarray, got: np.ndarray) -> Mismatch:
    index = tuple(int(axis[0]) for axis in np.nonzero(expected != got))
    return Mismatch(label, layer, index, int(expected[index]), int(got[index]))
