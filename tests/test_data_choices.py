# SPDX-License-Identifier: MIT
"""Which columns are inputs, in which decimal unit, and a split in the order of time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Run

from qnn.columnwise import assigned, unit_decimals
from qnn.data import LoadOptions, load
from qnn.data.split import split_rows
from qnn.errors import QnnError
from qnn.schema import DataRecord

AIR = """Date;S1(CO);S2(NOx);T;RH;CO(GT);;
d;1360;1046;13,6;48,9;2,6;;
d;-200;955;13,3;47,7;2;;
d;1402;939;11,9;54,0;2,2;;
d;1376;948;11,0;60,0;2,2;;
d;1272;836;11,25;59,6;1,6;;
;;;;;;;
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "air.csv"
    path.write_text(AIR)
    return path


READ = LoadOptions(label=("CO(GT)",), missing=("-200",), drop_missing=True)


def options(**changes: object) -> LoadOptions:
    return LoadOptions(**{**vars(READ), **changes})  # type: ignore[arg-type]


def test_inputs_are_chosen_by_name_and_pattern(table: Path) -> None:
    data = load(table, options(inputs=("S*", "T")))
    assert [feature.name for feature in data.schema.features] == ["S1(CO)", "S2(NOx)", "T"]
    assert len(data.x) == 4
    again = load(table, LoadOptions().like(data.record), schema=data.schema)
    np.testing.assert_array_equal(again.x, data.x)
    assert again.record.sha256 == data.record.sha256


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (("S1(C0)",), "no column 'S1(C0)' (--inputs); did you mean 'S1(CO)'?"),
        (("Q*",), "no column 'Q*' (--inputs)"),
        (("CO(GT)",), "inputs and a label are needed"),
    ],
)
def test_inputs_that_are_not_there(table: Path, inputs: tuple[str, ...], text: str) -> None:
    with pytest.raises(QnnError) as caught:
        load(table, options(inputs=inputs))
    assert text in str(caught.value)


def test_the_unit_of_inputs_is_found_or_given(table: Path) -> None:
    found = load(table, options(inputs=("T", "RH")))
    assert [feature.decimals for feature in found.schema.features] == [2, 1]
    assert found.x[:, 0].tolist() == [1360, 1330, 1190, 1100, 1125]
    given = load(table, options(inputs=("T", "RH"), input_units=("T=1", "0.001")))
    assert [feature.decimals for feature in given.schema.features] == [0, 3]
    assert given.x[:, 0].tolist() == [14, 13, 12, 11, 11]
    assert given.x[:, 1].tolist() == [48900, 47700, 54000, 60000, 59600]
    again = load(table, LoadOptions().like(given.record), schema=given.schema)
    np.testing.assert_array_equal(again.x, given.x)


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (("0.002",), "'0.002' is not a decimal unit"),
        (("-0.01",), "'-0.01' is not a decimal unit"),
        (("10",), "'10' is not a decimal unit"),
        (("x",), "'x' is not a decimal unit"),
        (("nan",), "'nan' is not a decimal unit"),
        (("U=1",), "there is no column 'U'"),
        (("T=1", "T=0.1"), "names the column 'T' twice"),
        (("1", "0.1"), "says 1 and 0.1 of all columns"),
        (("T=1e-9",), "1e-9 is too fine for column 'T'"),
    ],
)
def test_units_that_cannot_be(table: Path, units: tuple[str, ...], text: str) -> None:
    with pytest.raises(QnnError) as caught:
        load(table, options(inputs=("T", "RH"), input_units=units))
    assert text in str(caught.value)
    assert caught.value.remedy


def test_words_for_columns() -> None:
    assert assigned(("a=1", "0.1"), ("a", "b"), "--x") == ("1", "0.1")
    assert assigned(("a=b=1",), ("a=b", "c"), "--x") == ("1", None)
    assert [unit_decimals(text, "--x") for text in ("1", "0.001", "1e-3", "100", "1.0")] == [0, 3, 3, -2, 0]


@pytest.mark.parametrize(
    ("count", "given_test", "parts"), [(20, 0, (14, 2, 4)), (20, 5, (13, 2, 5)), (2, 0, (1, 0, 1)), (1, 0, (1, 0, 0))]
)
def test_a_chronological_split_keeps_the_order(count: int, given_test: int, parts: tuple[int, int, int]) -> None:
    record = DataRecord("x", "", 7, 0.1, 0.2, split="chronological")
    found = split_rows(count, given_test, record)
    assert tuple(map(len, found)) == parts
    assert np.concatenate(found).tolist() == list(range(count))


def test_a_split_is_remembered(table: Path) -> None:
    data = load(table, options(inputs=("S*",), split="chronological", validation_fraction=0.3, test_fraction=0.25))
    assert (data.train.tolist(), data.validation.tolist(), data.test.tolist()) == ([0, 1], [2], [3])
    again = load(table, LoadOptions().like(data.record), schema=data.schema)
    assert again.test.tolist() == [3]
    with pytest.raises(QnnError, match="--split"):
        options(split="alphabetical")


def test_as_typed(table: Path, qnn: Run) -> None:
    code, out, err = qnn(
        *("data", "show", str(table), "--target", "CO(GT)", "--inputs", "S*,T", "--missing", "-200", "--drop-missing"),
        *("--split", "chronological", "--input-unit", "0.1"),
    )
    assert code == 0
    assert "4 samples of 3 int32" in out
    assert "left out 1 of 5 rows" in err
    code, _, err = qnn("data", "show", "digits", "--inputs", "a")
    assert (code, err.count("\n")) == (2, 1)
