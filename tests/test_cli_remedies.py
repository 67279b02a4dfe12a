# SPDX-License-Identifier: MIT
"""Mistakes as they are made at a keyboard: one line that names the thing itself and a way that works."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import Run

from qnn.data.options import megabytes

CSV = "a,b,label\n" + "".join(f"{i % 50},{i * 7 % 50},{'high' if i % 50 > 25 else 'low'}\n" for i in range(200))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a model of it and its build."""
    from qnn.calibration import calibrate
    from qnn.compiler import compile_model, write_build
    from qnn.data import load
    from qnn.training import TrainOptions, train

    folder = tmp_path_factory.mktemp("remedies")
    (folder / "text.csv").write_text(CSV)
    (folder / "title.csv").write_text("# readings of May\n" + CSV)
    (folder / "other.csv").write_text("c,d,label\n1,2,low\n2,3,high\n")
    (folder / "scales.json").write_text("{}")
    before = Path.cwd()
    os.chdir(folder)
    try:
        model = train(load("text.csv"), "dense 2", TrainOptions(epochs=1), "model.qnn").model
    finally:
        os.chdir(before)
    assert model is not None
    write_build(compile_model(model, calibrate(model, model.samples), "b"), folder / "b")
    return folder


MISTAKES = (
    (("verify", "text.csv"), "text.csv: is a file, not a build folder; name the folder that qnn compile -o wrote"),
    (("compile", "model.qnn", "-o", "text.csv"), "text.csv: is a file, not a folder"),
    (("compile", "scales.json"), "scales.json: is not a float model; name the file that qnn train -o wrote"),
    (("train", "mnist", "--data-dir", "nosuchdir"), "mnist: is not on this machine (not in nosuchdir, "),
    (("train", "digits", "--max-memory", "10KB"), "more than the 10.0 kB allowed"),
    (("train", "title.csv"), "line 1 has 1 field, the others 3: '# readings of May'; remove it if it is a title"),
    (("train", "model.qnn"), "model.qnn: is a model, not data"),
    (("train", "text.csv", "--test-file", "other.csv"), "other.csv: lacks the columns 'a', 'b', which text.csv has"),
    (("run", "b", "nosuch.csv"), "nosuch.csv: no such file"),
    (("nonsense",), "qnn: no such command 'nonsense'"),
    (("simulat", "b"), "did you mean 'simulate'"),
    (("compile",), "compile: missing argument 'model'; see qnn compile --help"),
    (("compile", "--nonsense"), "compile: no such option: --nonsense"),
    (("train", "text.csv", "--epochs", "many"), "train: invalid value for '--epochs'"),
    (("data", "shw"), "data: no such command 'shw'"),
)


@pytest.mark.parametrize(("words", "problem"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_mistakes_name_the_thing_and_a_way(
    made: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], problem: str
) -> None:
    monkeypatch.chdir(made)
    monkeypatch.delenv("QNN_DATA", raising=False)
    monkeypatch.setattr("qnn.data.builtin.cache_folder", lambda: made / "cache")
    code, out, err = qnn(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert problem.lower() in err.lower()


def test_the_training_data_seen_from_another_folder(
    made: Path, tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = qnn("simulate", str(made / "b"))
    assert code == 2
    assert "text.csv: the training data is not there" in err
    assert "name it with --data" in err
    assert qnn("simulate", str(made / "b"), "--data", str(made / "text.csv"))[0] == 0


def test_the_version_is_told(qnn: Run) -> None:
    assert qnn("--version") == (0, f"qnn {version('qnn')}\n", "")


@pytest.mark.parametrize(("count", "text"), [(7, "7 bytes"), (10_000, "10.0 kB"), (50_000_000, "50.0 MB")])
def test_amounts_of_memory(count: int, text: str) -> None:
    assert megabytes(count) == text


def test_ctrl_c_while_importing_is_one_line(tmp_path: Path) -> None:
    """A module numpy that is interrupted stands for Ctrl-C in the first moment."""
    (tmp_path / "numpy.py").write_text("raise KeyboardInterrupt\n")
    done = subprocess.run(
        [sys.executable, "-m", "qnn", "doctor"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "qnn: stopped\n")


def test_an_unfinished_training_is_inspected_and_kept(
    tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qnn.data import load
    from qnn.training import TrainOptions, read_unfinished, train

    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.csv").write_text(CSV)
    seen: list[object] = []
    train(
        load("text.csv"),
        "dense 2",
        TrainOptions(epochs=9),
        "m.qnn",
        observer=seen.append,
        should_stop=lambda: len(seen) == 3,
    )
    code, out, err = qnn("inspect", "m.resume.qnn")
    assert (code, err) == (0, "")
    assert "3 of 9 epochs" in out
    assert "qnn train text.csv -o m.qnn --resume" in out
    before = (tmp_path / "m.resume.qnn").read_bytes()
    code, _, err = qnn("train", "text.csv", "-o", "m.qnn", "--resume", "--epochs", "2")
    assert code == 0
    assert "warning: 3 epochs are done, more than --epochs 2" in err
    assert (tmp_path / "m.resume.qnn").read_bytes() == before
    assert read_unfinished(tmp_path / "m.qnn").options.epochs == 9
    assert qnn("train", "text.csv", "-o", "m.qnn", "--resume", "--quiet") == (0, "", "")
    assert not (tmp_path / "m.resume.qnn").exists()
