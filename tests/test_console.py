# SPDX-License-Identifier: MIT
"""Tables on a narrow terminal: nothing is wider than it, and no number is torn."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from qnn.cli import console, reporttable
from qnn.cli.console import Output, typed
from qnn.cli.reporttable import show_report
from qnn.report.cells import metric_text, number_text
from qnn.report.csvfile import FIGURES

COLUMNS = ("node", "operator", "output", "MACs", "weights B", "tables B", "accumulator, proven")
ROWS = [
    ("dense1", "dense", "uint8[64]", "50,176", "50,432", "640", "-268,622 .. 307,015"),
    ("probabilities", "softmax", "uint16[10]", "0", "0", "10", ""),
]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_numbers_are_never_torn(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "FILE_WIDTH", width)
    Output().table(
        "a title that may be as long as it likes, wherever the table ends, since it is no part of it", COLUMNS, ROWS
    )
    title, *lines = capsys.readouterr().out.splitlines()
    assert title.endswith("no part of it")
    assert max(map(len, lines)) <= width
    for row in ROWS:
        for cell in row[3:]:
            assert any(cell in line for line in lines)
    if width >= 80:
        assert any("softmax" in line and "10" in line for line in lines)


@pytest.mark.parametrize("width", [*range(39, 44), 60, 80, *range(84, 102, 3), 140])
@pytest.mark.parametrize("count", [3, 12])
def test_a_report_fits_and_tells_what_it_leaves_out(
    width: int, count: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of few rows every figure is there, in several tables; of many the names, scores and whether they are exact."""
    monkeypatch.setattr(console, "FILE_WIDTH", width)
    document = json.loads((Path(__file__).parent / "models" / "report.json").read_text())
    rows = [row | {"label": f"cnn, {index} bits, nearest"} for index, row in enumerate(document["rows"][:1] * count)]
    monkeypatch.setattr(reporttable, "show_plot", lambda output, rows: None)
    show_report(Output(), "title", {"rows": rows})
    told = capsys.readouterr().out.splitlines()
    note = " ".join(line for line in told if line.startswith("no room for: weights B"))
    lines = "\n".join(line for line in told if line != note)
    assert max(map(len, lines.splitlines())) <= width
    assert bool(note) == (count == 12 and width < 92)
    assert lines.count(metric_text("accuracy", rows[0]["accuracy"])) == lines.count("nearest") == count
    for column, key in (("instructions", "instructions"), ("flash B", "flash_bytes"), ("RAM B", "ram_bytes")):
        found = re.findall(rf"(?<![\d,]){number_text(rows[0][key])}(?![\d,])", lines)
        assert len(found) == (0 if column in note else count), column
    if count == 12 and "best" not in note:
        assert len(re.findall(r"flash, +\n[^\n]* instructions\b|flash, instructions\b", lines)) == count
    if count == 3:
        shown = [key for key in FIGURES if rows[0].get(key) and key != "instructions_max"]
        assert all(lines.count(number_text(rows[0][key])) >= count for key in shown)


def test_what_was_typed_can_be_typed_again() -> None:
    assert (
        typed(["train", "a b.csv", "--net", "dense 3", "--label", ""])
        == 'qnn train "a b.csv" --net "dense 3" --label ""'
    )
