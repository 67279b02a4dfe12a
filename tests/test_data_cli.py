# SPDX-License-Identifier: MIT
"""qnn data, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run


def test_list(qnn: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QNN_DATA", str(tmp_path))
    monkeypatch.setattr("qnn.data.builtin.cache_folder", lambda: tmp_path)
    code, out, _ = qnn("data", "list")
    assert code == 0
    assert all(word in out for word in ("digits", "thermistor", "mnist", "8x8x1", "70,000"))
    code, out, _ = qnn("data", "list", "--json")
    rows = {row["name"]: row for row in json.loads(out)["data"]}
    assert rows["mnist"]["where"] is None
    assert rows["digits"]["where"] == "shipped"


def test_show_digits(qnn: Run) -> None:
    code, out, err = qnn("data", "show", "digits")
    assert (code, err) == (0, "")
    assert "1,797 samples of 8x8x1 uint8 (1,294 train, 144 validation, 359 test); classification: 10 classes" in out
    assert "%%" in out


def test_show_a_file_with_options(qnn: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = "".join(f"d{i};{i / 4:.2f};5;{-i};{i / 8}\n".replace(".", ",") for i in range(40))
    path.write_text("day;a;b;c;t\n" + rows + "d;1;5;;3\n")
    code, out, err = qnn("data", "show", str(path))
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "--drop-columns day" in err
    code, out, err = qnn(
        "data", "show", str(path), "--drop-columns", "day", "--drop-missing", "--label", "a,t", "--json"
    )
    assert code == 0
    shown = json.loads(out)
    assert shown["task"] == "regression"
    assert [entry["name"] for entry in shown["targets"]] == ["a", "t"]
    assert shown["inputs"][1] == {
        "name": "c",
        "decimals": 0,
        "low": -39.0,
        "high": 0.0,
        "mean": -19.5,
        "constant": False,
    }
    assert shown["inputs"][0]["constant"] is True
    assert sum(shown["parts"].values()) == shown["samples"] == 40
    assert "1 of 41 rows" in err
    assert "without influence: b" in err


def test_show_what_is_not_there(qnn: Run) -> None:
    code, out, err = qnn("data", "show", "nothing.csv")
    assert (code, out) == (2, "")
    assert (
        err
        == "qnn: nothing.csv: no such file or data set; name a file, a folder, or one of digits, thermistor, mnist\n"
    )


def test_fetch_without_network(qnn: Run, tmp_path: Path) -> None:
    code, out, err = qnn("data", "fetch", "mnist", "--data-dir", str(tmp_path), "--mirror", "http://127.0.0.1:1/")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "check the network" in err
    assert list(tmp_path.iterdir()) == []
    code, _, err = qnn("data", "fetch", "digits")
    assert code == 2
    assert "come with qnn" in err


def test_every_command_has_an_example(qnn: Run) -> None:
    for name in ("list", "show", "fetch"):
        code, out, _ = qnn("data", name, "--help")
        assert code == 0
        assert f"Example: qnn data {name}" in out
