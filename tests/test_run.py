# SPDX-License-Identifier: MIT
"""qnn run: exactly the model's inputs, in the data's unit or raw; what saturates, is missing or no number is said."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from conftest import Run

# Two inputs of one decimal, one whole one; -200 means missing.
ROWS = "".join(f"{i % 90 / 10:.1f},{-(i * 7 % 50) / 10:.1f},{i % 13},{(i % 90) / 4:.2f}\n" for i in range(300))
CSV = "warm,cold,count,power\n" + ROWS


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The build of a regression on CSV."""
    from qnn.calibration import calibrate
    from qnn.compiler import compile_model, write_build
    from qnn.data import LoadOptions, load
    from qnn.training import TrainOptions, train

    folder = tmp_path_factory.mktemp("run")
    (folder / "data.csv").write_text(CSV)
    data = load(str(folder / "data.csv"), LoadOptions(label=("power",), missing=("-200",)))
    model = train(data, "dense 4 relu, dense 1", TrainOptions(epochs=2)).model
    assert model is not None
    write_build(compile_model(model, calibrate(model, model.samples), "b"), folder / "b")
    return str(folder / "b")


def outputs(qnn: Run, *words: str) -> list[list[int]]:
    code, out, err = qnn("run", *words, "--json")
    assert (code, err) == (0, "")
    return [result["outputs"] for result in json.loads(out)["results"]]


def test_values_are_in_the_unit_of_the_data_or_raw(build: str, qnn: Run) -> None:
    decimal = outputs(qnn, build, "2.5", "-1.5", "3")
    assert outputs(qnn, build, "25", "-15", "3", "--raw") == decimal
    assert outputs(qnn, build, "--raw", "25", "-15", "3") == decimal
    assert outputs(qnn, build, "2.5,-1.5,3") == decimal
    assert outputs(qnn, build, "2.5", "-1.0", "3") != decimal


def test_a_negative_value_needs_no_dashes(build: str, qnn: Run) -> None:
    assert outputs(qnn, build, "-0.0", "-1.5", "3") == outputs(qnn, build, "0", "-1.5", "3")


def test_readings_beyond_the_range_are_named(build: str, qnn: Run) -> None:
    code, out, err = qnn("run", build, "99.5", "-1.5", "3", "--json")
    assert code == 0
    assert err == "warning: saturated: feature warm is outside 0.0..8.9\n"
    assert json.loads(out)["saturated"] == [{"feature": "warm", "rows": [0]}]
    assert qnn("run", build, "99.5", "-1.5", "3", "--quiet")[2] == ""


BAD = (
    (("1", "2"), "VALUES: has 2 values a sample; the model reads 3; give exactly those: warm, cold, count"),
    (("1", "2", "3", "4"), "VALUES: has 4 values a sample; the model reads 3"),
    (("1", "2", "3.5"), "input 'count' holds fractions"),
    (("1", "2", "x"), "x: is not a number"),
    (("1", "2", "--jsno"), "--jsno: no such option"),
    (("--jsno",), "--jsno: no such option"),
    (("nosuch.csv",), "nosuch.csv: no such file"),
    (("a.csv", "b.csv"), "a.csv: is not a number; give numbers, or one file"),
    (("empty",), "empty: holds no IDX files"),
    (("wide.csv",), "the model reads the columns warm, cold, count"),
    (("gap.csv",), "first in line 3"),
    (("gap.csv",), "leave out those rows with --drop-missing"),
)


@pytest.mark.parametrize(("words", "problem"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_line(
    build: str, tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "wide.csv").write_text("1,2,3,4,5,6\n")
    (tmp_path / "gap.csv").write_text("warm,cold,count\n1,-1,2\n-200,-1,2\n3,-1,2\n")
    code, out, err = qnn("run", build, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert problem in err
    assert "--drop-columns" not in err


def test_rows_with_the_missing_marker_are_left_out(build: str, tmp_path: Path, qnn: Run) -> None:
    (tmp_path / "gap.csv").write_text("warm,cold,count\n1,-1,2\n-200,-1,2\n3,-1,2\n")
    whole = outputs(qnn, build, "1", "-1", "2") + outputs(qnn, build, "3", "-1", "2")
    assert outputs(qnn, build, str(tmp_path / "gap.csv"), "--drop-missing") == whole


@pytest.mark.parametrize(("text", "code"), [("1,-2,3,4\n", 2), ("1,-2,3\n", 0), (CSV, 0), ("1\n2\n3\n", 2)])
def test_rows_on_standard_input_are_the_inputs_alone(
    build: str, qnn: Run, monkeypatch: pytest.MonkeyPatch, text: str, code: int
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert qnn("run", build, "-")[0] == code


def test_the_training_file_itself_is_run_without_its_labels(build: str, qnn: Run) -> None:
    assert len(outputs(qnn, build, str(Path(build).parent / "data.csv"))) == 300
