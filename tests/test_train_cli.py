# SPDX-License-Identifier: MIT
"""qnn train as it is typed: what it prints, what it leaves behind, its exit codes."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qnn.training.loop
from qnn.cli import main
from qnn.modelfile import load_model
from qnn.training.state import Epoch

CSV = "a,b,constant,label\n" + "".join(
    f"{i % 50},{i * 7 % 50},4,{'high' if i % 50 > 25 else 'low'}\n" for i in range(300)
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text(CSV)
    (tmp_path / "folder").mkdir()
    return tmp_path


def qnn_train(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of `qnn train words`."""
    monkeypatch.setattr(sys, "argv", ["qnn", "train", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_table_and_lines(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert qnn_train(monkeypatch, "data.csv", "--net", "dense 8 relu, dense", "-o", "m.qnn", "--epochs", "5") == 0
    out, err = capsys.readouterr()
    assert "classification, 2 classes" in out
    assert out.count("epoch ") == 5
    assert "m.qnn: dense 8 relu, dense 1" in out
    assert "test samples" in out
    assert "33" in out  # 3 * 8 + 8 weights and biases, then 8 + 1
    assert "constant" in err
    assert load_model(folder / "m.qnn").net == "dense 8 relu, dense 1"
    assert sorted(p.name for p in folder.iterdir()) == ["data.csv", "folder", "m.qnn"]


def test_json_is_all_that_is_printed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert qnn_train(monkeypatch, "data.csv", "--json", "--epochs", "20", "--seed", "3") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["metric"] == "accuracy"
    assert document["test"]["samples"] == 60
    assert document["test"]["value"] > 0.9
    assert document["validation"]["samples"] == 24
    assert document["epochs"] == len(document["history"]) == 20
    assert document["options"]["seed"] == 3
    assert document["stopped"] is False
    assert document["model"] == "model.qnn"


def test_quiet_prints_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert qnn_train(monkeypatch, "data.csv", "--quiet", "--epochs", "2") == 0
    assert capsys.readouterr() == ("", "")


def test_regression_reports_its_unit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("data.csv", "--label", "a", "--drop-columns", "label", "--task", "regression", "--epochs", "3", "--json")
    assert qnn_train(monkeypatch, *words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["task"] == "regression"
    assert document["metric"] == "rmse"
    assert 0 < document["test"]["value"] < 50


def test_ctrl_c_keeps_the_best_and_says_how_to_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("data.csv", "--net", "dense 8 relu, dense", "-o", "m.qnn", "--epochs", "6")
    assert qnn_train(monkeypatch, *words[:3], "-o", "whole.qnn", "--epochs", "6") == 0
    real = qnn.training.loop.close_epoch

    def press(*arguments: Any) -> Epoch:
        epoch = real(*arguments)
        if epoch.number == 3:
            signal.raise_signal(signal.SIGINT)
        return epoch

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(qnn.training.loop, "close_epoch", press)
        capsys.readouterr()
        assert qnn_train(monkeypatch, *words) == 130
    assert signal.getsignal(signal.SIGINT) is before
    out = capsys.readouterr().out
    again = 'qnn train data.csv --net "dense 8 relu, dense" -o m.qnn --epochs 6 --resume'
    assert f"the best model so far is in m.qnn; to go on: {again}" in out
    load_model(folder / "m.qnn")
    assert (folder / "m.resume.qnn").exists()
    assert qnn_train(monkeypatch, "data.csv", "-o", "m.qnn", "--resume") == 0
    assert (folder / "m.qnn").read_bytes() == (folder / "whole.qnn").read_bytes()
    assert not (folder / "m.resume.qnn").exists()


def test_ctrl_c_before_the_first_epoch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = qnn.training.loop.run_epoch

    def press(*arguments: Any) -> float | None:
        signal.raise_signal(signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(qnn.training.loop, "run_epoch", press)
    assert qnn_train(monkeypatch, "data.csv", "-o", "m.qnn", "--json") == 130
    document = json.loads(capsys.readouterr().out)
    assert document["model"] is None
    assert document["stopped"] is True
    assert document["resume"] == "qnn train data.csv -o m.qnn --json --resume"
    assert [p.name for p in folder.glob("*.qnn")] == ["m.resume.qnn"]


def test_a_second_ctrl_c_ends_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press(*_: Any) -> float | None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("was not interrupted")

    monkeypatch.setattr(qnn.training.loop, "run_epoch", press)
    assert qnn_train(monkeypatch, "data.csv") == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("data.csv", "--net", "dens 8 relu, dense"), "did you mean 'dense'"),
        (("data.csv", "--net", "dense 8 relu, dense 5"), '"dense 1" or "dense 2"'),
        (("data.csv", "--schedule", "cosin"), "--schedule cosin: is unknown"),
        (("data.csv", "--momentum", "1.5"), "--momentum 1.5: is outside"),
        (("data.csv", "--shift", "2"), "cannot be changed"),
        (("nothing.csv",), "nothing.csv"),
        (("data.csv", "--resume"), "nothing to resume"),
        (("data.csv", "-o", "data.csv/m.qnn"), "cannot be written"),
        (("data.csv", "-o", "."), "is a folder"),
        (("data.csv", "-o", ".", "--resume"), "is a folder"),
        (("data.csv", "-o", "folder"), "is a folder"),
        (("data.csv", "--label", "nobody"), "nobody"),
        (("random:50",), "nothing to learn from"),
        (("data.csv", "--validation", "1.5"), "--validation"),
        (("data.csv", "--rate", "100", "--optimizer", "sgd", "--schedule", "constant"), "diverged"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    assert qnn_train(monkeypatch, *words, "--quiet") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_failed_training_leaves_what_was_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert qnn_train(monkeypatch, "data.csv", "--epochs", "1") == 0
    before = (folder / "model.qnn").read_bytes()
    assert qnn_train(monkeypatch, "data.csv", "--net", "dense x") == 2
    assert qnn_train(monkeypatch, "data.csv", "--resume") == 2
    assert (folder / "model.qnn").read_bytes() == before


def test_digits_need_no_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shipped handwritten digits reach 96 % with every default."""
    monkeypatch.chdir(tmp_path)
    assert qnn_train(monkeypatch, "digits", "--json") == 0
    assert json.loads(capsys.readouterr().out)["test"]["value"] >= 0.96
    model = load_model(tmp_path / "model.qnn")
    assert model.normalization.scale == 1 / 16
    assert model.samples.shape == (512, 8, 8, 1)


def test_mnist_learns_in_two_epochs(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("mnist", "--data-dir", str(data_dir), "--net", "dense 64 relu, dense 10", "--epochs", "2", "--json")
    assert qnn_train(monkeypatch, *words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["test"]["samples"] == 10_000
    assert document["test"]["value"] > 0.965
    assert document["parameters"] == 50_890
    assert np.float64(load_model(tmp_path / "model.qnn").normalization.scale) == 1 / 255
