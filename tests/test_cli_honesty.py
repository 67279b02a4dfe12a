# SPDX-License-Identifier: MIT
"""What a command could quietly ignore it says: other scales, changed data, options without effect."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from networks import BYTES, READINGS, model_of

from qnn.modelfile import save_model

CSV = "a,b,label\n" + "".join(f"{i % 50},{i * 7 % 50},{'high' if i % 50 > 25 else 'low'}\n" for i in range(200))


def drop(document: dict[str, Any]) -> None:
    del document["tensors"][1]


def double(document: dict[str, Any]) -> None:
    document["tensors"].append(document["tensors"][0])


def rename(document: dict[str, Any]) -> None:
    document["tensors"].append(document["tensors"][0] | {"name": "dense9"})


def shorten(document: dict[str, Any]) -> None:
    document["input_low"] = [0]


def enlarge(document: dict[str, Any]) -> None:
    document["tensors"][1]["high"] = 1e300


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (drop, "has no range for the tensor 'leaky_relu1' of this model"),
        (double, "names the tensor 'dense1' twice"),
        (rename, "names 'dense9', which is no tensor of this model"),
        (shorten, "'input_low' has 1 numbers; this model needs 5"),
        (enlarge, "tensor 'leaky_relu1': its field 'high' is out of range"),
    ],
)
def test_scales_fit_their_model_exactly(
    tmp_path: Path, qnn: Run, edit: Callable[[dict[str, Any]], None], problem: str
) -> None:
    model, scales = tmp_path / "m.qnn", tmp_path / "scales.json"
    save_model(model_of(READINGS), model)
    assert qnn("calibrate", str(model), "-o", str(scales))[0] == 0
    document = json.loads(scales.read_text())
    edit(document)
    scales.write_text(json.dumps(document))
    code, _, err = qnn("compile", str(model), "--scales", str(scales), "-o", str(tmp_path / "b"))
    assert (code, err.count("\n")) == (2, 1)
    assert f"{scales}: {problem}" in err


def test_calibrate_says_which_numbers_count(tmp_path: Path, qnn: Run) -> None:
    save_model(model_of(BYTES), tmp_path / "m.qnn")
    _, out, _ = qnn("calibrate", str(tmp_path / "m.qnn"), "-o", str(tmp_path / "scales.json"))
    lines = [line for line in out.splitlines() if "dense" in line]
    assert ["minimum, maximum" in line for line in lines] == [False, False, True]


def test_changed_training_data_is_said(tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text(CSV)
    assert qnn("train", "data.csv", "--epochs", "1")[0] == 0
    assert qnn("compile", "model.qnn")[0] == 0
    assert qnn("simulate", "build")[2] == ""
    (tmp_path / "data.csv").write_text(CSV + "3,3,low\n")
    code, out, err = qnn("simulate", "build")
    assert code == 0
    assert err == (
        "warning: data.csv: changed since training: all rows are used, and training rows may be among them\n"
    )
    assert "201 samples" in out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("digits", "--label", "foo"), "--label: digits has fixed inputs and labels"),
        (("thermistor", "--drop-columns", "x1"), "--drop-columns: thermistor has fixed inputs and labels"),
        (("digits", "--task", "regression"), "--task: digits is for classification"),
        (("thermistor", "--task", "classification"), "--task: thermistor is for regression"),
    ],
)
def test_built_in_data_have_their_labels(
    tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = qnn("train", *words)
    assert (code, err.count("\n")) == (2, 1)
    assert problem in err


def test_a_coarse_network_is_warned_of(tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("train", "thermistor", "--net", "dense 16 relu, dense 1", "--epochs", "60", "-o", "t.qnn")
    assert qnn(*words, "--quiet")[0] == 0
    scales = json.loads(qnn("calibrate", "t.qnn", "--json")[1])["scales"]
    document = json.loads(Path(scales).read_text())
    for tensor in document["tensors"][:-1]:
        tensor["low"], tensor["high"] = 40 * tensor["low"], 40 * tensor["high"]
    Path(scales).write_text(json.dumps(document))
    code, out, err = qnn("compile", "t.qnn", "--scales", scales)
    assert code == 0
    assert "the answers differ by" in out
    assert "8 bits are coarse for this network" in err
    code, out, err = qnn("report", "t.qnn", "--scales", scales, "-o", "r")
    assert code == 0
    assert "warning: t.qnn: 8 bits raise the rmse from" in err
    for text in ("rmse of temperature", "R2 of temperature"):
        assert text in out
    document = json.loads((tmp_path / "r.json").read_text())
    (target,) = document["rows"][0]["per_target"]
    assert target["rmse"] == document["rows"][0]["rmse"]
    assert -9 < target["r2"] < document["float"]["per_target"][0]["r2"] <= 1
    page = (tmp_path / "r.html").read_text()
    for text in (
        "dense 16 relu, dense 1",
        "qnn report t.qnn --scales scales.json -o r",
        "numpy",
        "this machine",
        ">float<",
        "Saturated",
    ):
        assert text in page


def test_a_good_network_is_not_warned_of(tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert qnn("train", "digits", "--net", "dense 16 relu, dense 10", "--epochs", "10", "--quiet")[0] == 0
    code, out, err = qnn("compile", "model.qnn", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)["fidelity"]
    assert found["sqnr_db"] > 25
    assert found["changed"] <= 0.01
    assert found["difference"] is None


def test_simulate_names_the_test_file(tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text(CSV)
    (tmp_path / "other.csv").write_text(CSV[:400].rpartition("\n")[0] + "\n")
    assert qnn("train", "data.csv", "--test-file", "other.csv", "--epochs", "1")[0] == 0
    assert qnn("compile", "model.qnn")[0] == 0
    assert "samples of other.csv (test)" in qnn("simulate", "build")[1]
