# SPDX-License-Identifier: MIT
"""qnn compile --optimize: which kernels it chooses, where it says so, and that no result depends on it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from networks import BINARY, BYTES, IMAGE, READINGS, Example, model_of, samples_of

from qnn.calibration import calibrate
from qnn.compiler import Build, build_graph, compile_model, write_build
from qnn.emitter.notes import graph_hash
from qnn.engines.image import measure_object
from qnn.engines.interface import interface_of
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.errors import QnnError
from qnn.graphfile import graph_bytes, load_graph, save_graph
from qnn.modelfile import save_model
from qnn.ops.choices import BALANCED, GOALS, SIZE, SPEED, Choices
from qnn.simulator import simulate
from qnn.toolchain import rv32_compiler

CNN = Example("cnn", "conv 3x3 6 same relu, depthwise 3x3 relu, conv 1x1 9, gap, dense 10", (9, 7, 3), "uint8", 10)
DEEP = Example("deep", "dense 60 relu, dense 9 relu, dense 4", (300,), "uint8", 4)


def build_of(example: Example, goal: str) -> Build:
    """The build of a network with random weights."""
    model = model_of(example)
    return compile_model(model, calibrate(model, model.samples), example.name, choices=Choices(optimize=goal))


@pytest.mark.parametrize("goal", [BALANCED, SIZE])
@pytest.mark.parametrize("example", [BYTES, READINGS, BINARY, CNN, DEEP], ids=lambda example: example.name)
def test_rv32_gives_the_bits_of_speed(tmp_path: Path, example: Example, goal: str) -> None:
    speed, build = build_of(example, SPEED), build_of(example, goal)
    assert graph_hash(build.graph) == graph_hash(speed.graph)
    x = samples_of(example, 12)
    expected = simulate(speed.graph, x)
    write_build(build, tmp_path)
    with closing(UnicornEngine(tmp_path, interface_of(build.graph))) as engine:
        got = engine.run(x)
    for name, values in expected.items():
        assert name not in got or (got[name] == values).all()


@pytest.mark.parametrize("example", [BYTES, READINGS, CNN, DEEP], ids=lambda example: example.name)
def test_less_code_the_more_it_counts(tmp_path: Path, example: Example) -> None:
    sizes = []
    for goal in GOALS:
        write_build(build_of(example, goal), tmp_path / goal)
        sizes.append(measure_object(tmp_path / goal, example.name, rv32_compiler()).code)
    speed, balanced, size = sizes
    assert size < balanced
    assert size < 0.75 * speed


def test_what_is_chosen_and_why() -> None:
    kernels = {goal: {node["name"]: node for node in build_of(DEEP, goal).manifest["nodes"]} for goal in GOALS}
    assert kernels[SPEED]["dense2"]["kernel"].startswith("qnn_dense_dual")
    assert kernels[BALANCED]["dense1"]["kernel"] == kernels[SPEED]["dense1"]["kernel"]
    assert kernels[BALANCED]["dense1"]["reason"] == kernels[SPEED]["dense1"]["reason"]
    little = kernels[BALANCED]["dense3"]
    assert (little["kernel"], little["reason"]) == (
        "qnn_dense_least",
        f"balanced: {36 / (300 * 60 + 540 + 36):.1%} of the multiplications: little code",
    )
    assert {kernels[SIZE][f"dense{i}"]["kernel"] for i in (1, 2, 3)} == {"qnn_dense_least"}
    assert kernels[SIZE]["dense1"]["reason"] == "optimized for size: little code"
    conv = {node["name"]: node["kernel"] for node in build_of(CNN, SIZE).manifest["nodes"]}
    filters = ("conv2d1", "depthwise_conv2d1", "conv2d2")
    assert {conv[name] for name in filters} == {"qnn_filters_least"}
    assert build_of(CNN, SIZE).manifest["ram"]["workspace"] == 0


def test_it_is_told_everywhere(tmp_path: Path, qnn: Run) -> None:
    save_model(model_of(IMAGE), tmp_path / "image.qnn")
    build = tmp_path / "build"
    code, out, _ = qnn("compile", str(tmp_path / "image.qnn"), "--optimize", "size", "-o", str(build))
    assert code == 0
    assert "made for size: kernels of the least code" in " ".join(out.split())
    header = (build / "image.h").read_text()
    assert "made     for size: kernels of the least code, shared by all layers" in header
    assert "; optimized for size: little code" in header
    assert json.loads((build / "manifest.json").read_text())["optimize"] == SIZE
    code, out, err = qnn("inspect", str(build))
    assert (code, err) == (0, "")
    assert "qnn_dense_least" in out
    assert "made for size" in out
    assert load_graph(build / "model.qnn").choices == Choices(optimize=SIZE)


def test_the_report_measures_it(qnn: Run, tmp_path: Path) -> None:
    model = str(Path("calibration/digits/model.qnn").resolve())
    rows = []
    for goal in (SPEED, SIZE):
        code, out, _ = qnn("report", model, "--data", "digits", "--optimize", goal, "--json")
        assert code == 0
        rows.append(json.loads(out)["rows"][0])
    speed, size = rows
    assert size["code_bytes"] <= 500 < speed["code_bytes"]
    assert size["mismatches"] == 0
    assert size["accuracy"] == speed["accuracy"]
    assert {node["reason"] for node in size["nodes"] if node["macs"]} == {"optimized for size: little code"}


def test_a_quantized_model_is_compiled_anew(qnn: Run, tmp_path: Path) -> None:
    graph = build_of(IMAGE, BALANCED).graph
    save_graph(graph, tmp_path / "model.qnn")
    for word, expected in (((), BALANCED), (("--optimize", "size"), SIZE), (("--optimize", "speed"), SPEED)):
        code, out, _ = qnn("compile", str(tmp_path / "model.qnn"), "-o", str(tmp_path / "b"), "--json", *word)
        assert (code, json.loads(out)["optimize"]) == (0, expected)


def test_speed_leaves_no_mark() -> None:
    graph = build_of(IMAGE, SPEED).graph
    assert b"optimize" not in graph_bytes(graph)
    assert "made  " not in dict(build_graph(graph, None, None).files)["image.h"].decode()


def test_unknown_goals_are_refused(qnn: Run, tmp_path: Path) -> None:
    model = tmp_path / "image.qnn"
    save_model(model_of(IMAGE), model)
    code, _, err = qnn("compile", str(model), "--optimize", "fast")
    assert (code, err) == (2, "qnn: --optimize: 'fast' is nothing to optimize for; use speed, balanced, size\n")
    code, _, err = qnn("report", "--data", "digits", str(model), "--optimize", "fast")
    problem = "qnn: --optimize fast: 'fast' is not a choice; use some of speed, balanced, size, with commas\n"
    assert (code, err) == (2, problem)
    save_graph(replace(build_of(IMAGE, SPEED).graph, choices=Choices(optimize="fast")), model)
    with pytest.raises(QnnError, match="nothing to optimize for"):
        load_graph(model)
