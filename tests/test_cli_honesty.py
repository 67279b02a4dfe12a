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
