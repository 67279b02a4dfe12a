# SPDX-License-Identifier: MIT
"""qnn compile --constant-time: every call retires the same number of RV32 instructions for every input.

The graphs are random ones, taken until every operator and every kernel file is among them. Each is measured with gcc
-O2 and with one of the other compilers and levels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from choicegraphs import MAKERS, steady_graph
from conftest import Run
from graphs import edge_samples
from networks import BINARY, BYTES, IMAGE, Example, model_of, samples_of
from test_budgets import compiler_of
from test_differential import write_graph

from qnn.calibration import calibrate
from qnn.compiler import compile_model
from qnn.emitter.header import header_text
from qnn.emitter.runtime import renamed, runtime_folder
from qnn.engines.image import Images
from qnn.engines.interface import interface_of
from qnn.engines.job import pack
from qnn.engines.measure import count_instructions
from qnn.engines.unicorn_engine import model_calls
from qnn.graph import Graph
from qnn.graphfile import graph_bytes, load_graph
from qnn.memory import plan_memory
from qnn.modelfile import save_model
from qnn.ops import OPS
from qnn.ops.choices import SIZE, Choices
from qnn.simulator import simulate, tensor_names
from qnn.toolchain import GCC, ZIG

MOST_SEEDS, MOST_MACS, SAMPLES, DIFFERENT = 400, 30_000, 9, 5
OTHERS = ((ZIG, "-O2"), (GCC, "-O3"), (ZIG, "-O3"), (GCC, "-Os"), (ZIG, "-Os"))
STEADY = Choices(constant_time=True)
SPARSE = Example("sparse", "dense 40 relu, dense 10", (200,), "uint8", 10)


def kernel_files() -> set[str]:
    """The files of c_runtime/ with a part for constant time, but for those that no kernel is in."""
    texts = {path.name: path.read_text() for path in runtime_folder().glob("qnn_*.h")}
    return {name for name, text in texts.items() if "#ifdef QNN_CONSTANT_TIME" in text} - {
        "qnn_base.h",
        "qnn_requantize.h",
    }


def what_varies(graph: Graph, x: np.ndarray) -> set[str]:
    """The operators and the kernel files of the nodes that give at least DIFFERENT results for the raw samples x."""
    values = simulate(graph, x, keep=tensor_names(graph))
    found = set[str]()
    for node, kernel in zip(graph.nodes, graph.kernels, strict=True):
        results = np.unique(values[node.name].reshape(len(x), -1), axis=0)
        if len(results) >= min(DIFFERENT, node.type.high - node.type.low + 1):
            found |= {node.op.kind, kernel.header}
    return found


def candidates() -> Iterator[tuple[Graph, np.ndarray]]:
    """Two small models, then random graphs, each with raw samples."""
    for example in (BINARY, BYTES):
        model = model_of(example)
        graph = compile_model(model, calibrate(model, model.samples), "net", choices=STEADY).graph
        yield graph, samples_of(example, SAMPLES)
    for seed in range(MOST_SEEDS):
        rng = np.random.default_rng(seed)
        graph = steady_graph(rng)
        if sum(node.op.macs(graph.types_of(node), node.type) for node in graph.nodes) <= MOST_MACS:
            yield graph, edge_samples(rng, graph, SAMPLES)


@cache
def measured() -> tuple[tuple[Graph, np.ndarray], ...]:
    """Graphs with every operator and every kernel file, each with raw samples for which those give different values."""
    left, found = {op.kind for op in OPS} | kernel_files(), []
    for graph, x in candidates():
        new = what_varies(graph, x) & left
        if new:
            left -= new
            found.append((graph, x))
        if not left:
            break
    return tuple(found)


def counts_of(folder: Path, graph: Graph, x: np.ndarray, kind: str, level: str) -> list[tuple[str, set[int]]]:
    """Each function of the header, and the numbers of instructions that it retires on the raw samples x."""
    interface = interface_of(graph)
    jobs = [pack(interface, x[i : i + 1], misalign=0, order="<") for i in range(len(x))]
    with closing(Images(folder, interface, compiler_of(kind), level)) as images:
        image = images.image()
        calls = zip(*(model_calls(image, job) for job in jobs), strict=True)
        return [(call[0].function, set(count_instructions(image, zip(jobs, call, strict=True)))) for call in calls]


def test_every_operator_and_kernel_is_measured() -> None:
    reached = set[str]().union(*(what_varies(*found) for found in measured()))
    assert {op.kind for op in OPS} <= reached
    assert kernel_files() <= reached


@pytest.mark.parametrize("index", range(len(measured())))
def test_every_input_takes_the_same_instructions(tmp_path: Path, index: int) -> None:
    graph, x = measured()[index]
    folder = write_graph(graph, tmp_path)
    for kind, level in ((GCC, "-O2"), OTHERS[index % len(OTHERS)]):
        for function, counts in counts_of(folder, graph, x, kind, level):
            assert len(counts) == 1, f"{function} by {kind} {level}: {sorted(counts)}\n{graph}"


BREAKAGES = (
    ("return qnn_larger(qnn_smaller(q, high), low);", "return q < low ? low : q > high ? high : q;"),
    ("QNN_HIDE(mask);", ""),
    ("for (c = 0; c < 30; c++) {", "for (c = 0; c < 30 && total < (int32_t)1 << 30; c++) {"),
    ("distance = (distance - width) & ~inside;", "if (inside) { return height; } distance -= width;"),
    ("*y = (uint8_t)qnn_larger(*x, *y);", "if (*x > *y) { *y = *x; }"),
)


@pytest.mark.parametrize(("good", "bad"), BREAKAGES)
def test_a_branch_is_noticed(tmp_path: Path, good: str, bad: str) -> None:
    good, bad = renamed(good, "net"), renamed(bad, "net")
    for graph, x in measured():
        text = header_text(graph, plan_memory(graph))
        if good in text:
            (tmp_path / "net.h").write_text(text.replace(good, bad))
            if any(len(counts) > 1 for _, counts in counts_of(tmp_path, graph, x, GCC, "-O2")):
                return
    raise AssertionError("no graph notices it")


def test_zeros_are_not_skipped() -> None:
    model = replace(model_of(SPARSE), samples=np.zeros((8, 200), np.uint8))
    scales = calibrate(model_of(SPARSE), model_of(SPARSE).samples)
    kernels = {}
    for choices in (Choices(), STEADY):
        build = compile_model(model, scales, "net", choices=choices)
        kernels[choices] = build.manifest["nodes"][0]
    assert kernels[Choices()]["kernel"] == "qnn_dense_dual_sparse_u8_u8"
    assert kernels[STEADY]["kernel"] == "qnn_dense_dual_u8_u8"
    assert kernels[STEADY]["reason"].endswith("none of which is skipped in constant time")


def test_it_is_told_everywhere(tmp_path: Path, qnn: Run) -> None:
    save_model(model_of(IMAGE), tmp_path / "image.qnn")
    build = tmp_path / "build"
    code, out, _ = qnn(
        "compile", str(tmp_path / "image.qnn"), "--constant-time", "--optimize", "size", "-o", str(build)
    )
    assert code == 0
    assert "timing: constant: the same instructions for every input" in " ".join(out.split())
    assert "timing   constant: the same instructions for every input" in (build / "image.h").read_text()
    assert json.loads((build / "manifest.json").read_text())["constant_time"] is True
    assert load_graph(build / "model.qnn").choices == Choices(optimize=SIZE, constant_time=True)
    code, out, _ = qnn("inspect", str(build))
    assert code == 0
    assert "timing: constant" in " ".join(out.split())


def test_without_it_nothing_changes() -> None:
    for make in MAKERS:
        graph = make(np.random.default_rng(3))
        text = header_text(graph, plan_memory(graph))
        assert "net_mask" not in text
        assert "CONSTANT_TIME" not in text
        assert b"constant_time" not in graph_bytes(graph)
