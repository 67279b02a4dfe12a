# SPDX-License-Identifier: MIT
"""compile, calibrate, simulate, run, inspect, report and demo as they are typed."""

from __future__ import annotations

import csv
import errno
import json
import os
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from networks import IMAGE, READINGS, model_of

from qnn.engines.engine import CrashError
from qnn.modelfile import save_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the digits, trained for a moment, and its build beside it."""
    from qnn.calibration import calibrate
    from qnn.compiler import compile_model, write_build
    from qnn.data import load
    from qnn.training import TrainOptions, train

    folder = tmp_path_factory.mktemp("trained")
    result = train(load("digits"), "dense 16 relu, dense 10", TrainOptions(epochs=4), folder / "digits.qnn")
    assert result.model is not None
    scales = calibrate(result.model, result.model.samples)
    write_build(compile_model(result.model, scales, "digits"), folder / "build")
    return folder


def test_compile_with_nothing_but_a_model(trained: Path, tmp_path: Path, qnn: Run) -> None:
    build = tmp_path / "build"
    code, out, err = qnn("compile", str(trained / "digits.qnn"), "--bits", "8", "-o", str(build), "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["name"] == "digits"
    flash = document["flash"]
    assert flash["weights"] == 64 * 16 + 160 + 4 * 26
    # Nine bytes a channel and the lowest weight, ten for softmax, one a channel where a factor needs a prescale.
    assert flash["tables"] in (10 * 26 + 10, 10 * 26 + 10 + 10)
    assert flash["total"] == flash["weights"] + flash["tables"] + flash["structs"]
    assert document["ram"] == {"scratch": 16 + 10 * 16, "tensors": 16, "workspace": 10 * 16, "constants": 0}
    assert document["macs"] == 64 * 16 + 160
    assert Path(document["header"]) == build / "digits.h"
    names = {path.name for path in build.iterdir()}
    assert names == {"digits.h", "example.c", "manifest.json", "model.qnn", "scales.json"}
    for name in names:  # the fixture's build came from the same model
        assert (build / name).read_bytes() == (trained / "build" / name).read_bytes()


def test_compile_with_edited_scales(trained: Path, tmp_path: Path, qnn: Run) -> None:
    model, scales = str(trained / "digits.qnn"), tmp_path / "scales.json"
    assert qnn("calibrate", model, "--method", "minmax", "-o", str(scales))[0] == 0
    document = json.loads(scales.read_text())
    relu = next(item for item in document["tensors"] if item["name"] == "relu1")
    relu["high"] = 2 * relu["high"]
    scales.write_text(json.dumps(document))
    code, _, _ = qnn("compile", model, "--scales", str(scales), "-o", str(tmp_path / "b"), "--name", "wide")
    assert code == 0
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert manifest["nodes"][0]["scale"] == float(np.float32(relu["high"] / 255))


def test_calibrate_on_data_uses_the_training_part(trained: Path, tmp_path: Path, qnn: Run) -> None:
    out = tmp_path / "scales.json"
    words = ("calibrate", str(trained / "digits.qnn"), "--data", "digits", "-o", str(out), "--json")
    code, text, _ = qnn(*words)
    assert code == 0
    assert json.loads(text)["samples"] == 1294
    assert json.loads(qnn(*words, "--part", "validation")[1])["samples"] == 144


def test_simulate_scores_the_test_part(trained: Path, tmp_path: Path, qnn: Run) -> None:
    predictions = tmp_path / "answers.csv"
    words = ("simulate", str(trained / "build"), "--data", "digits")
    code, out, _ = qnn(*words, "--predictions", str(predictions), "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["metric"], document["samples"]) == ("accuracy", 359)
    assert document["value"] > 0.8
    rows = list(csv.DictReader(predictions.read_text().splitlines()))
    assert len(rows) == 359
    assert {row["class"] for row in rows} == set("0123456789")
    assert json.loads(qnn(*words, "--part", "all", "--json")[1])["samples"] == 1797
    assert json.loads(qnn("simulate", str(trained / "build" / "model.qnn"), "--json")[1]) == document


def test_run_on_values_files_and_pictures(trained: Path, tmp_path: Path, qnn: Run) -> None:
    from PIL import Image

    from qnn.data import load

    data = load("digits")
    sample = data.x[data.test[0]]
    values = [str(value) for value in sample.reshape(-1).tolist()]
    build = str(trained / "build")
    code, out, _ = qnn("run", build, *values, "--json")
    (result,) = json.loads(out)["results"]
    assert code == 0
    assert result["index"] == int(np.argmax(result["outputs"]))
    assert abs(sum(result["probabilities"].values()) - 1) < 1e-3
    (tmp_path / "one.csv").write_text(",".join(values) + "\n" + ",".join(values) + "\n")
    assert json.loads(qnn("run", build, str(tmp_path / "one.csv"), "--json")[1])["results"] == [result, result]
    Image.fromarray(sample[:, :, 0]).save(tmp_path / "one.png")
    assert json.loads(qnn("run", build, str(tmp_path / "one.png"), "--json")[1])["results"] == [result]
    assert qnn("run", build, *values)[1].startswith(result["class"])


def test_run_reads_standard_input_and_gives_values(tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    save_model(model_of(READINGS), tmp_path / "readings.qnn")
    assert qnn("compile", str(tmp_path / "readings.qnn"), "-o", str(tmp_path / "b"))[0] == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1,2,3,4,5\n-5,4,3,2,1\n")))
    code, out, _ = qnn("run", str(tmp_path / "b"), "-", "--json")
    results = json.loads(out)["results"]
    assert code == 0
    assert len(results) == 2
    assert set(results[0]["values"]) == {"y0", "y1"}
    assert json.loads(qnn("run", str(tmp_path / "b"), "--json", "--", "-5", "4", "3", "2", "1")[1])["results"] == [
        results[1]
    ]


@pytest.mark.parametrize("name", ["digits.qnn", "build", "build/model.qnn", "build/scales.json", "build/manifest.json"])
def test_inspect_reads_every_file(trained: Path, qnn: Run, name: str) -> None:
    code, out, err = qnn("inspect", str(trained / name))
    assert (code, err) == (0, "")
    assert "dense1" in out
    assert json.loads(qnn("inspect", str(trained / name), "--json")[1])


class Page(HTMLParser):
    """Counts what a page holds and collects what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = 0
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tables += tag == "table"
        self.loads += [str(value) for name, value in attrs if name in ("src", "href")]


def test_report(trained: Path, tmp_path: Path, qnn: Run) -> None:
    page = tmp_path / "report.html"
    words = ("report", str(trained / "digits.qnn"), "--data", "digits", "--bits", "8", "-o", str(page))
    code, out, err = qnn(*words, "--json")
    document = json.loads(out)
    (row,) = document["rows"]
    assert (code, err) == (0, "")
    assert document["float"]["samples"] == 359
    assert row["bits"] == 8
    assert row["mismatches"] == 0
    assert abs(row["accuracy"] - document["float"]["accuracy"]) <= 0.012
    parts = ("weights_bytes", "tables_bytes", "structs_bytes", "code_bytes")
    assert row["flash_bytes"] == sum(row[part] for part in parts)
    assert row["ram_bytes"] == row["scratch_bytes"] + row["stack_bytes"]
    assert 2 * row["macs"] < row["instructions"] < 10 * row["macs"]
    assert json.loads(page.with_suffix(".json").read_text()) == document
    (line,) = csv.DictReader(page.with_suffix(".csv").read_text().splitlines())
    assert float(line["accuracy"]) == row["accuracy"]
    parsed = Page()
    parsed.feed(page.read_text())
    assert parsed.tables == 8
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in parsed.loads)
    assert qnn("inspect", str(page.with_suffix(".json")))[1].count("%") == 2


def test_report_without_an_rv32_compiler_says_null(trained: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qnn.report.measure.targets_here", lambda: ("host",))
    code, out, _ = qnn("report", str(trained / "digits.qnn"), "--json")
    (row,) = json.loads(out)["rows"]
    assert code == 0
    assert row["flash_bytes"] is row["ram_bytes"] is row["instructions"] is None
    assert row["mismatches"] == 0
    assert "n/a" in qnn("report", str(trained / "digits.qnn"))[1]


REPORT = {
    "float": {"accuracy": 1.0, "parameters": 3},
    "rows": [
        {"bits": "mixed", "accuracy": 1.0}
        | dict.fromkeys(
            (
                *("weights_bytes", "tables_bytes", "structs_bytes", "code_bytes", "flash_bytes"),
                *("scratch_bytes", "stack_bytes"),
            ),
            1,
        )
        | dict.fromkeys(("ram_bytes", "macs", "instructions", "instructions_max", "mismatches", "saturated"))
        | dict.fromkeys(("cycles_ram", "cycles_flash"))
    ],
}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rows": [], "float": {}}, "parameters"),
        ({"float": []}, "float"),
        ({"float": {"rmse": None, "parameters": 3}}, "rmse"),
        ({"float": {"rmse": 1, "parameters": "3"}}, "parameters"),
        ({"rows": {}}, "rows"),
        ({"rows": [1]}, "item"),
        ({"rows": [{}]}, "rmse"),
        ({"rows": [{"accuracy": 0.5}]}, "bits"),
        ({"rows": [{**REPORT["rows"][0], "macs": "many"}]}, "macs"),
        ({"rows": [{**REPORT["rows"][0], "bits": 8.5}]}, "bits"),
        ({"rows": [{k: v for k, v in REPORT["rows"][0].items() if k != "saturated"}]}, "saturated"),
    ],
)
def test_inspect_refuses_a_malformed_report(tmp_path: Path, qnn: Run, change: dict[str, object], field: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(REPORT))
    assert qnn("inspect", str(path))[0] == 0
    path.write_text(json.dumps(REPORT | change))
    code, out, err = qnn("inspect", str(path))
    assert (code, out) == (2, "")
    assert f"report.json: its field '{field}' is not" in err


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """RV32 code that crashes while its instructions are counted, after every value agreed."""
    pytest.importorskip("unicorn")

    def measure(*_: object) -> None:
        raise CrashError("it fell over")

    monkeypatch.setattr("qnn.engines.unicorn_engine.UnicornEngine.measure", measure)


@pytest.mark.usefixtures("crashing")
def test_a_crash_is_no_zero_mismatches_in_a_report(trained: Path, tmp_path: Path, qnn: Run) -> None:
    words = ("report", str(trained / "digits.qnn"), "-o", str(tmp_path / "r.html"))
    code, out, err = qnn(*words, "--json")
    (row,) = json.loads(out)["rows"]
    assert code == 1
    assert err == "qnn: rv32: it fell over\n"
    assert (row["mismatches"], row["crash"]) == (None, "rv32: it fell over")
    targets = row["targets"]
    assert (targets["rv32"]["mismatches"], targets["rv32"]["crash"]) == (None, "it fell over")
    assert (targets["host"]["mismatches"], targets["host"]["crash"]) == (0, None)
    assert "crashed: it fell over" in (tmp_path / "r.html").read_text()
    assert "crashed" in qnn(*words)[1]
    assert "crashed" in qnn("inspect", str(tmp_path / "r.json"))[1]


@pytest.mark.usefixtures("crashing")
def test_a_crash_fails_the_demo(tmp_path: Path, qnn: Run) -> None:
    code, out, err = qnn("demo", "--net", "dense 10", "-o", str(tmp_path / "demo"))
    assert code == 1
    assert err == "qnn: rv32: it fell over\n"
    assert any("mismatches" in line and "crashed" in line for line in out.splitlines())


def test_the_demo_warns_of_a_missing_rv32_compiler(tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qnn.report.measure.targets_here", lambda: ("host",))
    code, _, err = qnn("demo", "--net", "dense 10", "-o", str(tmp_path / "demo"))
    assert code == 0
    assert "no RV32 compiler" in err


def test_demo_is_the_whole_road(tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = qnn("demo", "--net", "dense 12 relu, dense 10")
    assert code == 0
    for line in ("float accuracy", "int8 accuracy", "weights", "code", "RAM", "instructions", "mismatches"):
        assert line in out
    assert (tmp_path / "demo" / "digits.qnn").is_file()
    assert (tmp_path / "demo" / "build" / "digits.h").is_file()


BAD = (
    (("compile", "missing.qnn"), "missing.qnn: no such file"),
    (("compile", "."), ".: is a folder; name a file in it"),
    (("compile", "empty.qnn"), "empty.qnn: is empty"),
    (("compile", "text.qnn"), "text.qnn: is not a .qnn file"),
    (("compile", "MODEL", "--bits", "9"), "--bits 9"),
    (("compile", "MODEL", "--name", "int"), "is a keyword"),
    (("compile", "MODEL", "--name", "a b"), "is not a C identifier"),
    (("compile", "MODEL", "--scales", "missing.json"), "missing.json: no such file"),
    (("compile", "MODEL", "--method", "guess"), "use one of minmax"),
    (("compile", "MODEL", "--data", "nowhere"), "nowhere"),
    (("compile", "MODEL", "--max-memory", "much"), "--max-memory"),
    (("calibrate", "BUILD/model.qnn"), "not a float one"),
    (("calibrate", "MODEL", "--part", "some"), "use one of train"),
    (("simulate", "MODEL"), "is a float model"),
    (("simulate", "nothing"), "no such file"),
    (("simulate", "BUILD", "--data", "random:5"), "no labels"),
    (("simulate", "BUILD", "--data", "thermistor"), "thermistor"),
    (("run", "BUILD", "1", "2", "3"), "VALUES"),
    (("run", "BUILD", "text.png"), "text.png"),
    (("run", "BUILD", "missing.png"), "missing.png: no such file"),
    (("inspect", "text.json"), "text.json: is not JSON"),
    (("inspect", "nan.json"), "nan.json: is not JSON (NaN is no number)"),
    (("inspect", "list.json"), "list.json: is not a file of qnn"),
    (("inspect", "other.json"), "other.json: is not a scales file"),
    (("report", "MODEL", "--bits", "8,9"), "--bits 9"),
    (("report", "MODEL", "--data", "random:10"), "no labels"),
    (("demo", "nothing.csv"), "nothing.csv"),
    (("demo", "--net", "conv 3"), "conv"),
)


@pytest.mark.parametrize(("words", "problem"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_line_and_exit_2(
    trained: Path, tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    contents = {"empty.qnn": "", "text.qnn": "hello", "text.png": "hello", "text.json": "{", "list.json": "[]"}
    contents["nan.json"] = '{"a": NaN}'
    for name, content in {**contents, "other.json": "{}"}.items():
        (tmp_path / name).write_text(content)
    before = sorted(tmp_path.iterdir())
    places = {"MODEL": str(trained / "digits.qnn"), "BUILD": str(trained / "build")}
    filled = [word.replace("MODEL", places["MODEL"]).replace("BUILD", places["BUILD"]) for word in words]
    code, out, err = qnn(*filled)
    assert code == 2
    assert out == ""
    assert err.startswith("qnn: ")
    assert err.count("\n") == 1
    assert problem in err
    assert sorted(path for path in tmp_path.iterdir() if path.name != "demo") == before


def test_unknown_options_are_usage_errors(qnn: Run) -> None:
    assert qnn("compile", "--nonsense")[0] == 2
    assert qnn("nonsense")[0] == 2


@pytest.mark.parametrize("command", ["demo", "train", "calibrate", "compile", "simulate", "run", "verify", "report"])
def test_help_has_an_example(qnn: Run, command: str) -> None:
    code, out, _ = qnn(command, "--help")
    assert code == 0
    assert f"Example: qnn {command}" in out


def test_a_full_disk_leaves_the_old_build_untouched(
    trained: Path, tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, model = tmp_path / "build", str(trained / "digits.qnn")
    assert qnn("compile", model, "-o", str(build))[0] == 0
    before = {path.name: path.read_bytes() for path in build.iterdir()}
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = qnn("compile", model, "-o", str(build), "--name", "other")
    assert code == 2
    assert "No space left on device" in err
    assert err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in build.iterdir()} == before


def test_an_unwritable_place_is_one_line(trained: Path, tmp_path: Path, qnn: Run) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = qnn("compile", str(trained / "digits.qnn"), "-o", str(tmp_path / "file" / "build"))
    assert code == 2
    assert err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_name_in_the_way_changes_nothing(trained: Path, tmp_path: Path, qnn: Run) -> None:
    """manifest.json is a folder: none of the other files may be written either."""
    (tmp_path / "build" / "manifest.json").mkdir(parents=True)
    code, _, err = qnn("compile", str(trained / "digits.qnn"), "-o", str(tmp_path / "build"))
    assert code == 2
    assert "manifest.json" in err
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["manifest.json"]


def test_quiet_prints_nothing(trained: Path, tmp_path: Path, qnn: Run) -> None:
    assert qnn("compile", str(trained / "digits.qnn"), "-o", str(tmp_path / "b"), "--quiet") == (0, "", "")
    assert qnn("simulate", str(tmp_path / "b"), "-q") == (0, "", "")


def test_image_networks_are_named_after_their_file(tmp_path: Path, qnn: Run) -> None:
    save_model(model_of(IMAGE), tmp_path / "my net-2.qnn")
    assert qnn("compile", str(tmp_path / "my net-2.qnn"), "-o", str(tmp_path / "b"))[0] == 0
    assert (tmp_path / "b" / "my_net_2.h").is_file()
