# SPDX-License-Identifier: MIT
"""qnn report: the rows that are asked for, what is kept of them, and what is told where one cannot be made."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run

from qnn import toolchain
from qnn.calibration import calibrate
from qnn.cli.reportrun import choices_of
from qnn.compiler import compile_model
from qnn.data import load
from qnn.errors import QnnError
from qnn.graphfile import graph_bytes
from qnn.model import Model
from qnn.modelfile import model_bytes
from qnn.ops.choices import Choices
from qnn.progress import Progress
from qnn.report import tools
from qnn.report.comparisons import comparisons
from qnn.report.job import Task, run_task
from qnn.report.jobs import RowJob, TrainJob
from qnn.report.tools import tools_here
from qnn.report.variant import Axes, Variant
from qnn.toolchain import GCC, Compiler
from qnn.training import TrainOptions, train
from qnn.verification import TargetResult, Verification
from qnn.widths import widths_named

NET = "dense 8 relu, dense"


@pytest.fixture(scope="module")
def model() -> Model:
    """A network for the digits, trained for a moment."""
    found = train(load("digits"), NET, TrainOptions(epochs=2)).model
    assert found is not None
    return found


@pytest.fixture
def folder(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the model in it; in this process no C is compiled and run, which other tests see to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("qnn.report.measure.verify", verified)
    (tmp_path / "m.qnn").write_bytes(model_bytes(model))
    return tmp_path


def verified(build: Path, x: np.ndarray, targets: Sequence[str], progress: Progress) -> Verification:
    """As if the C of a build agreed."""
    assert (build / "model.qnn").is_file()
    return Verification("m", len(x), len(x), len(x), False, (TargetResult("host", "", "gcc 1"),))


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that were run, in order."""
    found: list[str] = []

    def noted(task: Task, progress: Progress) -> dict[str, Any]:
        found.append(task.job.title)
        return run_task(task, progress)

    monkeypatch.setattr("qnn.report.running.run_task", noted)
    return found


def rows_of(document: str) -> list[dict[str, Any]]:
    return json.loads(document)["rows"]


def test_every_combination_that_can_differ(folder: Path, qnn: Run, titles: list[str]) -> None:
    """Rounding changes nothing at 8 bits, so there is one row for it; each row says what it is."""
    words = ("m.qnn", "--bits", "4,8", "--method", "minmax,mse", "--rounding", "nearest,gptq", "--equalize", "off")
    code, out, _ = qnn("report", *words, "--bias-correction", "off,on", "-j1", "-o", "r", "--json")
    assert code == 0
    rows = rows_of(out)
    kinds = [tuple(row[key] for key in ("bits", "method", "rounding", "bias_correction")) for row in rows]
    four = [(4, method, how, on) for method in ("minmax", "mse") for how in ("nearest", "gptq") for on in (False, True)]
    assert kinds == [*four, (8, "minmax", None, None), (8, "mse", None, None)]
    assert len({row["label"] for row in rows}) == len(rows) == 10
    assert rows[0]["label"] == "4 bits, minmax, nearest, biases as they are"
    assert {row["network"] for row in rows} == {"m"}
    assert all(row["mismatches"] == 0 and row["equalize"] == "off" for row in rows)
    assert len(titles) == 11
    with (folder / "r.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [line["rounding"] for line in lines] == [*["nearest", "nearest", "gptq", "gptq"] * 2, "", ""]
    document = json.loads((folder / "r.json").read_text())
    assert document["command"].startswith("qnn report m.qnn --bits 4,8 --method minmax,mse")
    assert {"qnn", "source", "numpy", "host compiler", "rv32 compiler"} <= document["versions"].keys()
    (network,) = document["networks"]
    assert (network["name"], network["seed"], network["float"]) == ("m", None, document["float"])
    shown = qnn("inspect", "r.json")[1]
    assert "8 bits, mse" in shown
    assert "best for its" in shown


def test_a_report_goes_on_where_it_was(folder: Path, qnn: Run, titles: list[str], model: Model) -> None:
    words = ("report", "m.qnn", "--bits", "8,16", "-j1", "-o", "r.html")
    assert qnn(*words)[0] == 0
    first = [(folder / name).read_text() for name in ("r.json", "r.html", "r.csv")]
    assert titles == ["m, float", "m, 8 bits", "m, 16 bits"]
    assert len(list((folder / "r.work").iterdir())) == 3
    out = qnn(*words)[1]
    assert "kept from r.work (--fresh computes anew): float; 8 bits; 16 bits\n" in out
    assert [(folder / name).read_text() for name in ("r.json", "r.html", "r.csv")] == first
    assert len(titles) == 3
    (folder / "n.qnn").write_bytes((folder / "m.qnn").read_bytes())
    assert qnn("report", "n.qnn", "--bits", "16,4", "-j1", "-o", "r.html")[0] == 0
    assert titles[3:] == ["n, 16 bits", "n, 4 bits"], "another C prefix; the float network is the same"
    assert qnn(*words, "--fresh")[0] == 0
    assert len(titles) == 8
    other = replace(model, nodes=tuple(_doubled(node) for node in model.nodes))
    (folder / "m.qnn").write_bytes(model_bytes(other))
    assert qnn(*words)[0] == 0
    assert len(titles) == 11, "nothing of the model that was there is taken"


def _doubled(node: Any) -> Any:
    return replace(node, parameters=tuple(2 * array for array in node.parameters))


def test_ctrl_c_keeps_what_is_done(folder: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch, titles: list[str]) -> None:
    run = RowJob.run

    def stop(job: RowJob, content: bytes, progress: Progress) -> dict[str, Any]:
        if job.variant.bits == "16":
            raise KeyboardInterrupt
        return run(job, content, progress)

    monkeypatch.setattr(RowJob, "run", stop)
    words = ("report", "m.qnn", "--bits", "8,16", "-j1", "-o", "r")
    code, _, err = qnn(*words, "-q")
    assert (code, err) == (130, "qnn: stopped; finished jobs are in r.work: the same command goes on\n")
    assert not (folder / "r.json").exists()
    monkeypatch.setattr(RowJob, "run", run)
    assert qnn(*words)[0] == 0
    assert titles == ["m, float", "m, 8 bits", "m, 16 bits", "m, 16 bits"]
    monkeypatch.setattr(RowJob, "run", stop)
    assert qnn("report", "m.qnn", "--bits", "16", "-j1", "-q")[::2] == (130, "qnn: stopped\n")


def test_a_row_that_fails_is_told_and_others_go_on(folder: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RowJob.run

    def fail(job: RowJob, content: bytes, progress: Progress) -> dict[str, Any]:
        if job.variant.bits != "8":
            raise QnnError("a layer", "is too narrow", "use more bits")
        return run(job, content, progress)

    monkeypatch.setattr(RowJob, "run", fail)
    code, out, err = qnn("report", "m.qnn", "--bits", "4,8", "-j1", "-o", "r")
    assert (code, err.splitlines()[-1]) == (1, "qnn: 4 bits: a layer: is too narrow; use more bits")
    assert "no row: 4 bits: a layer: is too narrow" in out
    document = json.loads((folder / "r.json").read_text())
    assert [row["bits"] for row in document["rows"]] == [8]
    (failed,) = document["failed"]
    assert (failed["label"], failed["bits"], failed["reason"]) == ("4 bits", 4, "a layer: is too narrow; use more bits")
    with (folder / "r.csv").open() as stream:
        assert [(line["bits"], line["failed"]) for line in csv.DictReader(stream)] == [
            ("8", ""),
            ("4", failed["reason"]),
        ]
    assert qnn("inspect", "r.json")[0] == 0
    code, out, err = qnn("report", "m.qnn", "--bits", "4", "-j1", "-o", "s", "-q")
    assert (code, out, err) == (2, "", "qnn: a layer: is too narrow; use more bits\n")
    assert not (folder / "s.json").exists()


def test_several_networks_and_seeds_by_several_processes(folder: Path, qnn: Run) -> None:
    """Trained, kept beside the report, and measured as files would be, by real compilers."""
    words = ("digits", "--net", NET, "--net", "mlp-16", "--seeds", "1", "--epochs", "1", "--bits", "8")
    code, out, err = qnn("report", *words, "-j2", "-o", "r")
    assert code == 0
    assert {"started: mlp-16, 8 bits", f"started: train {NET}, seed 1"} <= set(err.splitlines())
    assert re.search(r"^ended 4 of 4: [^\n]+ \(\d+\.\d s\)$", err, re.MULTILINE)
    assert "mlp-16, float" in out
    document = json.loads((folder / "r.json").read_text())
    wanted = [(NET, 1), ("mlp-16", 1)]
    assert all(row["targets"]["host"]["mismatches"] == 0 for row in document["rows"])
    assert [(row["network"], row["seed"]) for row in document["rows"]] == wanted
    assert [(network["name"], network["seed"]) for network in document["networks"]] == wanted
    trained = "r.work/mlp_16-seed1.qnn"
    code, out, err = qnn("report", trained, "--json", "-j1")
    assert (code, err) == (0, "")
    assert json.loads(out)["float"] == document["networks"][1]["float"]
    code, out, err = qnn("report", "m.qnn", trained, "--bits", "8", "--json", "-j1")
    assert [row["label"] for row in rows_of(out)] == ["m, 8 bits", "mlp_16-seed1, 8 bits"]
    seeds = ("report", *words[:3], "--epochs", "1", "--seeds", "0,1", "-j1", "-o", "s")
    err = qnn(*seeds)[2]
    names = [f"{NET}, seed 0, float", "seed 0, 8 bits", f"{NET}, seed 1, float", "seed 1, 8 bits"]
    assert [line for line in err.splitlines() if "train" not in line and line.startswith("started")] == [
        f"started: {name}" for name in names
    ]
    err = qnn(*seeds)[2]
    assert err.splitlines()[2:] == [f"kept {index} of 4: {name}" for index, name in enumerate(names, 1)]
    code, out, err = qnn(*seeds, "--json")
    assert ([row["label"] for row in rows_of(out)], err) == (names[1::2], "")


def test_networks_trained_for_few_bits(folder: Path, qnn: Run, titles: list[str]) -> None:
    """The float network is trained once, and is what quantization-aware training begins with."""
    words = ("report", "digits", "--net", NET, "--epochs", "1", "--bits", "trained,8", "-j1", "-o", "r", "-q")
    assert qnn(*words, "--qat", "4", "--qat", "first=8,4")[0] == 0
    rows = json.loads((folder / "r.json").read_text())["rows"]
    names = (NET, *(f"{NET}, qat {widths}" for widths in ("4", "first=8,4")))
    assert [(row["network"], row["bits"]) for row in rows] == [
        (names[0], 8),
        *((name, bits) for name in names[1:] for bits in ("trained", 8)),
    ]
    assert [title for title in titles if title.startswith("train")] == [f"train {name}, seed 0" for name in names]
    assert {row["seed"] for row in rows} == {0}
    assert rows[1]["rounding"] is None
    assert len(list((folder / "r.work").glob("*-seed0.qnn"))) == 3
    assert qnn(*words, "--qat", "4")[0] == 0
    assert len([title for title in titles if title.startswith("train")]) == 3
    assert "names no width of weights" in qnn("report", "digits", "--qat", "9")[2]


def test_a_network_that_cannot_be_trained(folder: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(job: TrainJob, content: bytes, progress: Progress) -> dict[str, Any]:
        raise QnnError("loss", "is not finite", "use a smaller --rate")

    monkeypatch.setattr(TrainJob, "run", fail)
    code, _, err = qnn("report", "digits", "--seeds", "3", "--epochs", "1", "-j1", "-q")
    assert (code, err) == (2, "qnn: loss: is not finite; use a smaller --rate\n")


def test_a_model_that_was_quantized_elsewhere(folder: Path, qnn: Run, model: Model) -> None:
    """It has a page, but no float network, and nothing of it can be quantized."""
    graph = compile_model(model, calibrate(model, model.samples), "q").graph
    (folder / "q.qnn").write_bytes(graph_bytes(graph))
    code, out, err = qnn("report", "q.qnn", "-o", "r", "--optimize", "speed,size", "-j1", "--json")
    assert (code, err) == (0, "")
    document = json.loads((folder / "r.json").read_text())
    assert "float" not in document
    assert [row["label"] for row in document["rows"]] == ["as imported, speed", "as imported, size"]
    assert "as imported" in (folder / "r.html").read_text()
    assert "as imported, size" in qnn("inspect", "r.json")[1]
    for words in (("--bits", "4"), ("--method", "mse", "--rounding", "gptq")):
        code, _, err = qnn("report", "q.qnn", *words)
        named = " and ".join(words[::2])
        assert (code, f"q.qnn: is quantized already; {named} cannot change that; leave them out" in err) == (2, True)
    code, out, err = qnn("report", "q.qnn", "m.qnn", "--bits", "8", "--json", "-j1")
    assert [row["network"] for row in rows_of(out)] == ["q", "m"]


def test_options_that_change_no_row_are_told(folder: Path, qnn: Run) -> None:
    for words, told in (
        (
            ("8", "--pack", "on", "--clipping", "off", "--method", "mse"),
            "--clipping and --pack change nothing in this row",
        ),
        (("16,w16a8", "--rounding", "nearest"), "--rounding changes nothing in any of these rows"),
        (("8,w4a8", "--rounding", "nearest"), ""),
    ):
        code, _, err = qnn("report", "m.qnn", "-j1", "--bits", *words)
        assert (code, [line for line in err.splitlines() if line.startswith("warning: --")]) == (
            0,
            [f"warning: {told}"] if told else [],
        )


def test_a_quantized_model_is_measured_as_its_c_was_made() -> None:
    choices = Choices(optimize="size", constant_time=True, pack="off")
    assert list(choices_of(choices, Axes())) == [choices]
    assert list(choices_of(choices, Axes(optimize=("speed",)))) == [replace(choices, optimize="speed")]


def test_weights_of_their_own_and_packing_are_axes(folder: Path, qnn: Run, model: Model) -> None:
    """Plain widths may stand together; packing makes no row of its own where weights have 8 bits."""
    words = ("--weight-bits", "3,8", "--weight-bits", "first=8,ternary", "--pack", "on,off", "-j1", "-o", "r", "--json")
    code, out, _ = qnn("report", "m.qnn", *words)
    assert code == 0
    rows = rows_of(out)
    assert [(row["bits"], row["weight_bits"], row["pack"]) for row in rows] == [
        (8, "3", "on"),
        (8, "3", "off"),
        (8, "8", None),
        (8, "first=8,ternary", "on"),
        (8, "first=8,ternary", "off"),
    ]
    assert rows[0]["label"] == "8 bits, weights of 3, pack on"
    assert rows[2]["label"] == "8 bits, weights of 8"
    weights = [row["weights_bytes"] for row in rows]
    assert weights[0] < weights[1] < weights[4] < weights[2]
    assert rows[0]["accuracy"] == rows[1]["accuracy"]
    found = [line[:4] for line in comparisons(rows, "accuracy")]
    assert ("pack", "pack on", "pack off", "weights of 3") in found
    assert ("weight bits", "weights of 3", "weights of 8", "pack on") in found
    graph = compile_model(model, calibrate(model, model.samples), "q", widths=widths_named("w3a8")).graph
    (folder / "q.qnn").write_bytes(graph_bytes(graph))
    rows = rows_of(qnn("report", "q.qnn", "--pack", "off,on", "-j1", "--json")[1])
    assert [row["label"] for row in rows] == ["as imported, pack off", "as imported, pack on"]
    assert [row["weights_bytes"] for row in rows] == weights[1::-1]


def test_a_model_without_samples_is_calibrated_on_the_data(folder: Path, qnn: Run, model: Model) -> None:
    bare = replace(model, samples=model.samples[:0], labels=None)
    (folder / "bare.qnn").write_bytes(model_bytes(bare))
    code, out, _ = qnn("report", "bare.qnn", "--data", "digits", "--bits", "8,4", "-j1", "-o", "r")
    assert code == 0
    assert "bare carries no samples: it is calibrated on digits (train)" in out
    rows = json.loads((folder / "r.json").read_text())["rows"]
    assert all(row["fidelity"]["samples"] == 512 for row in rows)
    assert rows[0]["accuracy"] > 0.5


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("m.qnn", "--bits", ""), '--bits "": names nothing'),
        (("m.qnn", "--bits", "8,"), '--bits "8,": names nothing, or has a comma too much'),
        (("m.qnn", "--method", "guess"), "--method guess: 'guess' is not a choice; use some of minmax"),
        (("m.qnn", "--bias-correction", "maybe"), "use some of on, off"),
        (("m.qnn", "--weight-bits", "4,9"), "--weight-bits 4,9: '9' names no width of weights"),
        (("m.qnn", "--weight-bits", "first=8,4,3"), "names two widths for all layers"),
        (("m.qnn", "--weight-bits", "dense9=4"), "'dense9' is no layer with weights; use first, last, dense1, dense2"),
        (("m.qnn", "--weight-bits", "4", "--bits", "w4a8,mixed"), "--weight-bits: says what --bits w4a8 says as well"),
        (("m.qnn", "--pack", "tight"), "--pack tight: 'tight' is not a choice; use some of auto, on, off"),
        (("m.qnn", "--bits", "trained"), "no network was trained for few bits"),
        (("digits",), "digits: is data, not a model; say --net, --seeds, --epochs or --qat"),
        (("digits", "m.qnn", "--seeds", "0"), "trains on one data set, not 2"),
        (("digits", "--seeds", "0", "--data", "digits"), "--data: networks are trained and scored on digits"),
        (("digits", "--seeds", "a"), "--seeds a: names no seeds"),
        (("digits", "--net", "dense 3 rel"), "did you mean 'relu'"),
        (("m.qnn", "other.qnn"), "would be scored on thermistor (test), the first on digits"),
        (("m.qnn", "-o", "taken"), "taken.work: is there and is not a folder"),
        (("m.qnn", "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"), "--jobs: the cluster's workers run the jobs"),
        (("m.qnn", "--fresh"), "--fresh: without -o nothing is kept"),
        (("m.qnn", "--scales", "s.json", "--method", "mse"), "--method: the ranges are those of --scales"),
    ],
)
def test_what_cannot_be_is_one_line(
    folder: Path, qnn: Run, words: tuple[str, ...], problem: str, thermometer: bytes
) -> None:
    (folder / "other.qnn").write_bytes(thermometer)
    (folder / "taken.work").touch()
    code, out, err = qnn("report", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert problem in err


def test_a_columns_new_name_is_another_training(folder: Path, qnn: Run, titles: list[str]) -> None:
    """What is kept was trained under the old name, which the model would ask for."""
    rows = "".join(f"{i % 7},{i % 5},{i % 2}\n" for i in range(60))
    words = ("report", "d.csv", "--net", "dense 2", "--epochs", "1", "--bits", "8", "-o", "r", "-j1", "--quiet")
    for header in ("a,b,y\n", "c,b,y\n"):
        (folder / "d.csv").write_text(header + rows)
        assert qnn(*words)[0] == 0
    assert [title.startswith("train") for title in titles].count(True) == 2


@pytest.fixture(scope="module")
def thermometer() -> bytes:
    found = train(load("thermistor"), "dense 4 relu, dense", TrainOptions(epochs=1)).model
    assert found is not None
    return model_bytes(found)


def test_what_is_named_twice_is_made_once(folder: Path, qnn: Run) -> None:
    code, out, _ = qnn("report", "m.qnn", "m.qnn", "--bits", "8,8", "-j1")
    assert code == 0
    assert "--bits 8,8: what is named twice is made once" in out
    assert out.count("8 bits") == 1 + out.count("8 bits: ")


def test_variants_without_effect_are_one(model: Model) -> None:
    axes = Axes(("8", "w4a8", "mixed", "trained"), rounding=("nearest", "gptq"), equalize=("on", "off"))
    found = axes.of(model, given_ranges=True)
    assert found == (
        Variant("8", None, None, None, None, None, None, pack=None),
        Variant("w4a8", None, None, None, "nearest"),
        Variant("w4a8", None, None, None, "gptq"),
        Variant("mixed", None, None, None, "nearest"),
        Variant("mixed", None, None, None, "gptq"),
    )
    assert len(axes.of(model, given_ranges=False)) == 10
    parts = Axes(("8", "mixed", "w4a8"), weight_bits=("4", "first=8,last=8,4")).of(model, given_ranges=True)
    assert [(one.bits, one.weight_bits, one.pack) for one in parts] == [
        ("8", "4", "auto"),
        ("8", "first=8,last=8,4", None),
        ("mixed", None, "auto"),
        ("w4a8", None, "auto"),
    ]
    methods = Axes(("16", "w16a8"), method=("minmax", "mse")).of(model, given_ranges=False)
    assert [(one.bits, one.method) for one in methods] == [("16", None), ("w16a8", "minmax"), ("w16a8", "mse")]
    assert Axes().of(model, given_ranges=False) == (
        Variant("8", rounding=None, bias_correction=None, clipping=None, pack=None),
    )


def test_clipping_is_an_axis(folder: Path, qnn: Run) -> None:
    """It changes the row, is told, and is none where weights have 8 bits."""
    words = ("m.qnn", "--bits", "w4a8,8", "--clipping", "off,mse", "--rounding", "nearest", "--bias-correction", "off")
    code, out, _ = qnn("report", *words, "-j1", "-o", "r", "--json")
    assert code == 0
    rows = rows_of(out)
    assert [(row["bits"], row["clipping"]) for row in rows] == [("w4a8", "off"), ("w4a8", "mse"), (8, None)]
    assert [row["label"] for row in rows] == ["w4a8 bits, not clipped", "w4a8 bits, clipped by mse", "8 bits"]
    assert rows[0]["fidelity"]["sqnr_db"] < rows[1]["fidelity"]["sqnr_db"]
    assert ("clipping", "not clipped", "clipped by mse") in [line[:3] for line in comparisons(rows, "accuracy")]
    assert qnn("report", "m.qnn", "--clipping", "some")[2].endswith("use some of mse, off, with commas\n")


def test_results_depend_on_flags_and_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = Compiler(GCC, ("gcc",), "12.2.0")
    for command, told in ((("gcc",), "gcc 12.2.0"), (("gcc", "-fno-inline"), "gcc 12.2.0 -fno-inline")):
        monkeypatch.setattr(toolchain, "host_compiler", lambda command=command: replace(plain, command=command))
        assert tools_here().host_compiler == told
    for name in ("a.py", "table.json"):
        before = tools.source_of((tmp_path,))
        (tmp_path / name).write_text("[]")
        assert tools.source_of((tmp_path,)) != before
