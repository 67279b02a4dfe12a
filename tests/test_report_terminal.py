# SPDX-License-Identifier: MIT
"""What a report tells on the terminal: how far it is, what rows are called, where they lie; and where its files go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qnn.cli.console import Output
from qnn.cli.jobsbar import watching
from qnn.cli.plot import MARKS, Point, plot
from qnn.errors import QnnError
from qnn.fidelity import widths_text
from qnn.report.files import report_files, report_named, work_folder
from qnn.report.labels import labels
from qnn.report.pareto import on_fronts


def test_where_a_report_goes(tmp_path: Path) -> None:
    def places(text: str) -> list[str]:
        return [str(path.relative_to(tmp_path)) for path, _ in report_files(report_named(f"{tmp_path}/{text}"))]

    assert places("r.html") == places("r.json") == places("r.csv") == places("r") == ["r.html", "r.json", "r.csv"]
    assert places("r.HTML") == places("r")
    assert [places(name)[0] for name in ("v1.2", "m.v2", "m.qat4")] == ["v1.2.html", "m.v2.html", "m.qat4.html"]
    assert places("there/")[0] == places("there/report.csv")[0] == "there/report.html"
    (tmp_path / "here").mkdir()
    assert places("here")[0] == "here/report.html"
    assert work_folder(report_named(f"{tmp_path}/there/")) == tmp_path / "there" / "report.work"
    for name, more in (("r.pdf", ", which any .* PDF"), ("r.work", ""), ("r.qnn", "")):
        with pytest.raises(QnnError, match=f"{name}: a report is .html, .*; name it .*r.html{more}$"):
            places(name)


def test_names_that_look_like_markup_are_shown_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, for rich
    output = Output(json=False, quiet=False)
    with output.progress("[/x]/d.csv") as progress:
        progress(1, 2, "[/b]")
    with watching(output, "report", ["[/y].qnn", "[z].qnn", "c"]) as watcher:
        watcher.spared(2)
        watcher.started(0)
        watcher.moved(0, 1, 2, "[/w]")
        watcher.ended(1, final=True)  # of which nobody knew that it began
    err = capsys.readouterr().err
    assert all(text in err for text in ("[/x]/d.csv", "[/b]", "[/y].qnn", "[/w]"))


def test_who_waits_behind_a_pipe_hears_of_every_job(capsys: pytest.CaptureFixture[str]) -> None:
    for output in (Output(), Output(json=True), Output(quiet=True)):
        with watching(output, "report", ["[a]", "b", "c"]) as watcher:
            watcher.spared(2)
            watcher.started(0)
            watcher.moved(0, 1, 2, "far")
            watcher.ended(0, final=False)
            watcher.ended(1, final=True)
    heard = ["kept 1 of 3: c", "started: [a]", "lost, to be tried again: [a]", "ended 2 of 3: b"]
    assert capsys.readouterr() == ("", "\n".join([*heard, ""]))


def test_fronts() -> None:
    """Equal rows are both on it; what is not exact, or has no figure, is on none and beats none."""
    rows: list[dict[str, Any]] = [
        {"accuracy": 0.9, "flash_bytes": 100, "instructions": 50, "mismatches": 0},
        {"accuracy": 0.9, "flash_bytes": 100, "instructions": 60, "mismatches": 0},
        {"accuracy": 0.8, "flash_bytes": 120, "instructions": 10, "mismatches": 0},
        {"accuracy": 0.99, "flash_bytes": 10, "instructions": 1, "mismatches": 1},
        {"accuracy": 0.95, "flash_bytes": None, "instructions": None, "mismatches": 0},
    ]
    assert on_fronts(rows) == [["flash", "instructions"], ["flash"], ["instructions"], [], []]
    errors = [{"rmse": error, "flash_bytes": 10, "instructions": None, "mismatches": 0} for error in (2.0, 1.0)]
    assert on_fronts(errors) == [[], ["flash"]]


def test_labels_tell_what_differs() -> None:
    rows = [{"network": "a", "bits": 8, "rounding": None}, {"network": "a", "bits": 4, "rounding": "gptq"}]
    assert labels(rows) == ["8 bits", "4 bits"]
    assert labels([*rows, {"network": "a", "bits": 4, "rounding": "nearest"}])[1:] == [
        "4 bits, gptq",
        "4 bits, nearest",
    ]
    assert labels([{"network": "a", "seed": 1}]) == ["a"]
    assert labels([{"bits": "mixed"}, {"bits": "trained"}]) == ["mixed widths", "the trained widths"]
    assert widths_text("w4a8") == "w4a8 bits"


def test_a_plot_has_its_points_in_their_places() -> None:
    points = [Point(1000, 0.9, "small", True), Point(2000, 0.95, "good", True), Point(1500, 0.8, "bad", False)]
    lines = plot(points, 60, "bytes", ("80 %", "95 %"))
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith(" 95 %|")
    assert lines[0].endswith("b")
    assert sum("a" in line for line in lines[:12]) == 1
    assert "." in lines[11]
    assert "a small   b good   . another" in lines[-1]
    many = [Point(1 + x, x % 7, f"p{x}", True) for x in range(len(MARKS) + 3)]
    assert ". another" in plot(many, 100, "bytes", ("0", "1"))[-1]


def test_points_at_one_place_of_a_plot_share_a_letter_that_names_both() -> None:
    points = [Point(1000, 0.9, "one", True), Point(1001, 0.9, "two", True), Point(1001, 0.9, "third", False)]
    points += [Point(2000, 0.8, name, False) for name in ("fourth", "fifth")]
    lines = plot(points, 60, "bytes", ("80 %", "90 %"))
    assert [sum(line.count(mark) for line in lines[:12]) for mark in ("a", "b", ":")] == [1, 0, 1]
    assert lines[-1] == "a one & two & 1 other   : several others"
    assert plot(points[:1] * 2, 10, "bytes", ("1", "1"))[-2:] == ["a one &", "  one"]
