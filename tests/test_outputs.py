# SPDX-License-Identifier: MIT
"""What a command may replace: its own kind of file, never the user's own, never what it reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import Run
from networks import BYTES, model_of

from qnn.modelfile import load_model, save_model

CSV = "a,b,label\n" + "".join(f"{i % 50},{i * 7 % 50},{'high' if i % 50 > 25 else 'low'}\n" for i in range(200))


@pytest.fixture
def folder(tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a user's readings, a model of them, its build, and files of the user's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readings.csv").write_text(CSV)
    assert qnn("train", "readings.csv", "--net", "dense 4 relu, dense 2", "--epochs", "2", "-o", "model.qnn")[0] == 0
    assert qnn("compile", "model.qnn", "-o", "build")[0] == 0
    for name in ("notes.json", "page.html", "scales.json", "code.h", "answers.csv"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    for name in ("example.c", "manifest.json", "report.html"):
        (tmp_path / f"mine-{name}").mkdir()
        (tmp_path / f"mine-{name}" / name).write_text("int main(void);\n")
    return tmp_path


CLASHES = (
    (("report", "model.qnn", "-o", "readings.html"), "readings.csv: is there and is not the CSV of a report"),
    (("report", "model.qnn", "-o", "notes"), "notes.json: is there and is not the JSON of a report"),
    (("report", "model.qnn", "-o", "page"), "page.html: is there and is not the page of a report"),
    (("report", "model.qnn", "-o", "r.pdf"), "r.pdf: a report is .html, .json and .csv, not .pdf; name it r.html"),
    (("report", "model.qnn", "-o", "mine-report.html"), "report.html: is there and is not the page of a report"),
    (("compile", "model.qnn", "-o", "."), "model.qnn: is what this command reads"),
    (("compile", "build/../model.qnn", "-o", "."), "model.qnn: is what this command reads"),
    (("compile", "model.qnn", "-o", "mine-example.c"), "example.c: is there and is not the example of a build"),
    (("compile", "model.qnn", "-o", "mine-manifest.json"), "is there and is not the manifest of a build"),
    (("train", "readings.csv", "-o", "readings.csv"), "readings.csv: is there and is not a float model"),
    (("train", "readings.csv", "-o", "build/model.qnn"), "is there and is not a float model"),
    (("calibrate", "model.qnn", "-o", "model.qnn"), "model.qnn: is there and is not a scales file"),
    (("calibrate", "model.qnn"), "scales.json: is there and is not a scales file"),
    (("simulate", "build", "--predictions", "readings.csv"), "is there and is not a file of predictions"),
)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("words", "problem"), CLASHES, ids=[" ".join(words) for words, _ in CLASHES])
def test_nothing_of_the_users_is_replaced(folder: Path, qnn: Run, words: tuple[str, ...], problem: str) -> None:
    before = contents(folder)
    code, out, err = qnn(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert problem in err
    assert contents(folder) == before


def test_what_qnn_wrote_is_replaced(folder: Path, qnn: Run) -> None:
    (folder / "scales.json").unlink()
    (folder / "empty.csv").touch()
    for _ in range(2):
        assert qnn("compile", "model.qnn", "-o", "build")[0] == 0
        assert qnn("calibrate", "model.qnn")[0] == 0
        assert qnn("simulate", "build", "--predictions", "empty.csv")[0] == 0
        code, out, _ = qnn("report", "model.qnn", "-o", "r.json")
        assert code == 0
        assert "wrote r.html, r.json, r.csv" in out
    assert sorted(path.name for path in folder.glob("r.*")) == ["r.csv", "r.html", "r.json", "r.work"]
    assert json.loads((folder / "r.json").read_text())["rows"]


def test_predictions_of_values_are_known_again(tmp_path: Path) -> None:
    from qnn.cli.simulate import PREDICTIONS

    path = tmp_path / "p.csv"
    for text, known in (('sample,"y0","y1"\n0,1.0,2.0\n', True), ("sample,class\n", True), ("sample,a\n0,1\n", False)):
        path.write_text(text)
        assert PREDICTIONS.holds(path) is known


def test_a_header_under_another_name_goes(folder: Path, qnn: Run) -> None:
    shutil.copy(folder / "code.h", folder / "build" / "code.h")
    code, out, _ = qnn("compile", "model.qnn", "-o", "build", "--name", "other")
    assert code == 0
    assert f"removed {Path('build') / 'model.h'}" in out
    assert sorted(path.name for path in (folder / "build").glob("*.h")) == ["code.h", "other.h"]
    (folder / "build" / "other.h").write_text("// mine now\n")
    assert qnn("compile", "model.qnn", "-o", "build", "--name", "third")[0] == 0
    assert (folder / "build" / "other.h").read_text() == "// mine now\n"


def test_train_keeps_the_model_that_was_there(folder: Path, qnn: Run) -> None:
    before = (folder / "model.qnn").read_bytes()
    words = ("train", "readings.csv", "--net", "dense 3 relu, dense 2", "--epochs", "1", "-o", "model.qnn")
    code, out, _ = qnn(*words)
    assert code == 0
    assert "model.previous.qnn" in out
    assert (folder / "model.previous.qnn").read_bytes() == before
    assert load_model(folder / "model.qnn").net == "dense 3 relu, dense 2"
    (folder / "model.previous.qnn").write_text("mine")
    assert qnn(*words)[0] == 2
    assert (folder / "model.previous.qnn").read_text() == "mine"


def test_a_large_file_of_another_kind_is_not_read_whole(tmp_path: Path, qnn: Run) -> None:
    save_model(model_of(BYTES), tmp_path / "m.qnn")
    with (tmp_path / "scales.json").open("wb") as stream:
        stream.truncate(3 << 30)
    code, _, err = qnn("calibrate", str(tmp_path / "m.qnn"), "-o", str(tmp_path / "scales.json"))
    assert code == 2
    assert "is not a scales file" in err
