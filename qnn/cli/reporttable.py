# SPDX-License-Identifier: MIT
"""A report on the terminal: a table, and accuracy by flash in characters."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from qnn.cli.console import Output
from qnn.cli.plot import Point, plot
from qnn.report.cells import SUMMARY_COLUMNS, TARGET_FIGURES, metric_in, metric_text, target_texts
from qnn.report.pareto import points
from qnn.report.parts import Part, parts_of, rows_of

SHOWN_TARGETS = 8
MOST_COLUMNS = 5  # rows of the report that stand side by side; more stand one below the other
LISTED = ("score", "weights B", "flash B", "RAM B", "instructions", "mismatches")  # of the figures, where rows are many
EXPENDABLE = ("weights B", "RAM B", "best for its", "instructions", "flash B")  # of these, what is missed least first
FLASH = "flash_bytes"
WIDEST_PLOT, FILE_WIDTH = 100, 80

Column = tuple[str, ...]  # its head, then its cells


def show_report(output: Output, title: str, document: Mapping[str, Any]) -> None:
    """The table of a report: a column for each row while there are few, else a line; then the plot."""
    rows = rows_of(document)
    if len(rows) <= MOST_COLUMNS and len(document.get("networks", ())) < 2:
        _show_columns(output, title, parts_of(document))
    else:
        _show_lines(output, title, parts_of(document))
    show_plot(output, rows)
    for failed in document.get("failed", ()):
        output.say(f"no row: {failed['label']}: {failed['reason']}")


def _show_columns(output: Output, title: str, parts: Sequence[Part]) -> None:
    """A column for each part; several tables where there is no room for one."""
    lines = list(zip(SUMMARY_COLUMNS, *(part.cells for part in parts), strict=True))
    targets = [part.json.get("per_target") or [] for part in parts]
    if {len(found) for found in targets} == {len(targets[0])}:
        for same in list(zip(*targets, strict=True))[:SHOWN_TARGETS]:
            told = zip(TARGET_FIGURES, *(target_texts(target) for target in same), strict=True)
            lines += [(f"{figure} of {same[0]['name']}", *texts) for figure, *texts in told]
    figures, *others = zip(("", *(part.name for part in parts)), *lines, strict=True)
    for group in _groups(output, figures, others):
        head, *cells = zip(figures, *group, strict=True)
        output.table(title if group[0] is others[0] else f"{title}, continued", head, cells)


def _groups(output: Output, first: Column, columns: Sequence[Column]) -> Iterator[list[Column]]:
    """As many of the columns at a time as there is room for behind the first, at least one."""
    group: list[Column] = []
    for column in columns:
        head, *lines = zip(first, *group, column, strict=True)
        if group and not output.fits(head, lines):
            yield group
            group = []
        group.append(column)
    yield group


def _show_lines(output: Output, title: str, parts: Sequence[Part]) -> None:
    """A line for each part."""
    chosen = [SUMMARY_COLUMNS.index(column) for column in LISTED]
    lines = [
        (part.name, *(part.cells[index] for index in chosen), ", ".join(part.json.get("pareto", ()))) for part in parts
    ]
    missed = output.table(title, ("row", *LISTED, "best for its"), lines, EXPENDABLE)
    if missed:
        output.say(f"no room for: {', '.join(missed)} (a wider terminal, --json and the files of -o have them)")


def show_plot(output: Output, rows: Sequence[Part]) -> None:
    """Score by flash, where at least two rows tell both; the rows that no other beats have letters."""
    placed = zip(rows, points([row.json for row in rows], FLASH), strict=True)
    found = [
        Point(place[0], -place[1], row.name, "flash" in row.json.get("pareto", ()))
        for row, place in placed
        if place is not None
    ]
    if len(found) < 2:
        return
    metric = metric_in(rows[0].json)
    least, largest = min(point.y for point in found), max(point.y for point in found)
    texts = (metric_text(metric, abs(least)), metric_text(metric, abs(largest)))
    width = min(Console().width, WIDEST_PLOT) if sys.stdout.isatty() else FILE_WIDTH
    output.say(f"{metric} by flash (up is better); letters: no other is as good for less")
    for line in plot(found, width, "bytes of flash", texts):
        output.say(line)
