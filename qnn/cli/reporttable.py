# SPDX-License-Identifier: MIT
"""A report on the terminal: a table, and accuracy by flash in characters."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from qnn.cli.console import Output
from qnn.cli.plot import Point, plot
from qnn.report.cells import (
    SUMMARY_COLUMNS,
    TARGET_FIGURES,
    baseline_cells,
    float_cells,
    metric_text,
    mismatches_text,
    number_text,
    summary_cells,
    target_texts,
)
from qnn.report.labels import float_names
from qnn.report.pareto import points

SHOWN_TARGETS = 8
MOST_COLUMNS = 5  # rows of the report that stand side by side; more stand one below the other
LIST_COLUMNS = ("row", "score", "weights B", "flash B", "RAM B", "instructions", "mismatches", "best for its")
EXPENDABLE = ("weights B", "RAM B", "best for its", "instructions", "flash B")  # of these, what is missed least first
FLASH = "flash_bytes"
WIDEST_PLOT, FILE_WIDTH = 100, 80

Part = Mapping[str, Any]
Column = tuple[str, ...]  # its head, then its cells


def show_report(output: Output, title: str, document: Part) -> None:
    """The table of a report: a column for each row while there are few, else a line; then the plot."""
    networks = document.get("networks") or [document]
    named = zip(float_names(networks), networks, strict=True)
    references = [(name, network["float"]) for name, network in named if "float" in network]
    baselines = [network["baseline"] for network in networks[:1] if "baseline" in network]
    rows = [(name_of(row), row) for row in document["rows"]]
    if len(rows) <= MOST_COLUMNS and len(networks) == 1:
        _show_columns(output, title, baselines, references, rows)
    else:
        _show_lines(output, title, baselines, references, rows)
    show_plot(output, document["rows"])
    for failed in document.get("failed", ()):
        output.say(f"no row: {failed['label']}: {failed['reason']}")


def name_of(row: Part) -> str:
    """What a row is called; older reports have no names."""
    return str(row.get("label") or f"{row['bits']} bits")


def _show_columns(
    output: Output,
    title: str,
    baselines: Sequence[Part],
    references: Sequence[tuple[str, Part]],
    rows: Sequence[tuple[str, Part]],
) -> None:
    """A column for the baseline, for float and for each row; several tables where there is no room for one."""
    columns = [
        *(baseline_cells(part) for part in baselines),
        *(float_cells(part) for _, part in references),
        *(summary_cells(row) for _, row in rows),
    ]
    lines = list(zip(SUMMARY_COLUMNS, *columns, strict=True))[1:]
    shown = [*baselines, *(part for _, part in references), *(row for _, row in rows)]
    parts = [part.get("per_target") or [] for part in shown]
    if {len(part) for part in parts} == {len(parts[0])}:
        for targets in list(zip(*parts, strict=True))[:SHOWN_TARGETS]:
            told = zip(TARGET_FIGURES, *(target_texts(target) for target in targets), strict=True)
            lines += [(f"{figure} of {targets[0]['name']}", *texts) for figure, *texts in told]
    names = (*(part["name"] for part in baselines), *(name for name, _ in references), *(name for name, _ in rows))
    figures, *others = zip(("", *names), *lines, strict=True)
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


def _show_lines(
    output: Output,
    title: str,
    baselines: Sequence[Part],
    references: Sequence[tuple[str, Part]],
    rows: Sequence[tuple[str, Part]],
) -> None:
    """A line for the baseline, for each float network and for each row."""
    empty = ("",) * (len(LIST_COLUMNS) - 2)
    lines = [(str(part["name"]), _score(part), *empty) for part in baselines]
    lines += [(name, _score(part), *empty) for name, part in references]
    for name, row in rows:
        figures = (number_text(row[key]) for key in ("weights_bytes", FLASH, "ram_bytes", "instructions"))
        lines.append((name, _score(row), *figures, mismatches_text(row), ", ".join(row.get("pareto", ()))))
    missed = output.table(title, LIST_COLUMNS, lines, EXPENDABLE)
    if missed:
        output.say(f"no room for: {', '.join(missed)} (a wider terminal, --json and the files of -o have them)")


def show_plot(output: Output, rows: Sequence[Part]) -> None:
    """Score by flash, where at least two rows tell both; the rows that no other beats have letters."""
    placed = [(row, point) for row, point in zip(rows, points(rows, FLASH), strict=True) if point is not None]
    if len(placed) < 2:
        return
    metric = "accuracy" if "accuracy" in placed[0][0] else "rmse"
    found = [Point(cost, -loss, name_of(row), "flash" in row.get("pareto", ())) for row, (cost, loss) in placed]
    least, largest = min(point.y for point in found), max(point.y for point in found)
    texts = (metric_text(metric, abs(least)), metric_text(metric, abs(largest)))
    width = min(Console().width, WIDEST_PLOT) if sys.stdout.isatty() else FILE_WIDTH
    output.say(f"{metric} by flash (up is better); letters: no other is as good for less")
    for line in plot(found, width, "bytes of flash", texts):
        output.say(line)


def _score(part: Part) -> str:
    metric = "accuracy" if "accuracy" in part else "rmse"
    return metric_text(metric, part[metric])
