# SPDX-License-Identifier: MIT
"""Tables on a narrow terminal: nothing is wider than it, and no number is torn."""

from __future__ import annotations

import pytest

from qnn.cli import console
from qnn.cli.console import Output, typed

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


def test_what_was_typed_can_be_typed_again() -> None:
    assert (
        typed(["train", "a b.csv", "--net", "dense 3", "--label", ""])
        == 'qnn train "a b.csv" --net "dense 3" --label ""'
    )
