# SPDX-License-Identifier: MIT
"""Accuracy, or rmse, against what it costs; the rows that no other row beats are joined by a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qnn.report.cells import metric_text
from qnn.report.figures.places import FONT, Area, Spot, common, line_areas, names, text_area
from qnn.report.figures.svg import LETTER, Axis, axis, drawing, line, short_number, text
from qnn.report.html import figure, safe

WIDTH, HEIGHT = 372, 260
LEFT, RIGHT, TOP, BOTTOM = 48, WIDTH - 20, 20, HEIGHT - 40
ROOM = (LEFT, 0, WIDTH, BOTTOM)  # for names
COVERED = 40  # square units, which a name of a line may hide
TITLE = (0, 0, 130, TOP - 4)  # where the axis says what it counts
MOST_LABELS = 12  # points, above which only those of the front are named


@dataclass(frozen=True)
class Point:
    """A row: its name, cost and score, whether it is on the front and whether its C is exact."""

    name: str
    cost: float
    score: float
    front: bool
    exact: bool


@dataclass(frozen=True)
class Line:
    """A score that costs nothing here: that of the float network, or of what needs none."""

    name: str
    score: float


Placed = tuple[float, float, Point]  # where a point is drawn


def pareto(metric: str, points: Sequence[Point], lines: Sequence[Line], cost: str) -> str:
    """A figure of the points, "" where there are none. metric: accuracy or rmse; cost: what is paid, in which unit."""
    if not points:
        return ""
    scores = [*(point.score for point in points), *(one.score for one in lines)]
    percent = 100.0 if metric == "accuracy" else 1.0
    across = axis([point.cost for point in points], LEFT, RIGHT, 5, bends=True)
    up = axis([score * percent for score in scores], BOTTOM, TOP, 5, bends=metric != "accuracy")
    score_name = "accuracy, %" if metric == "accuracy" else "rmse (less is better)"
    placed = [(across.at(point.cost), up.at(point.score * percent), point) for point in points]
    dashed = [(up.at(one.score * percent), one) for one in lines]
    parts = [*_grid(across, up, cost, score_name), *_marks(placed, dashed, metric, cost)]
    best = max(points, key=lambda point: point.score if metric == "accuracy" else -point.score)
    count = "one row" if len(points) == 1 else f"{len(points)} rows"
    told = f"{metric} against {cost}, {count}; best: {best.name} with {metric_text(metric, best.score)}"
    named = ", ".join(_told(line, metric) for line in lines)
    caption = f"{'Accuracy' if metric == 'accuracy' else 'The rmse'} against {cost}{named and '; dashed: ' + named}."
    return figure(drawing(WIDTH, HEIGHT, f"Plot of {told}", "".join(parts)), caption, "plot")


def points_of(rows: Sequence[Mapping[str, Any]], front: str, metric: str, key: str) -> list[Point]:
    """The Points of a report's rows whose cost, under `key`, is known. front: its name in the rows."""
    return [
        Point(row["label"], float(row[key]), float(row[metric]), front in row["pareto"], row["mismatches"] == 0)
        for row in rows
        if row[key] is not None and metric in row
    ]


def _grid(across: Axis, up: Axis, cost: str, score: str) -> list[str]:
    parts = [line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis")]
    for value in up.ticks:
        parts += [line(LEFT, up.at(value), RIGHT, up.at(value), "grid")]
        parts += [text(LEFT - 6, up.at(value) + 4, f"{value:.6g}", "end")]
    for value in across.ticks:
        parts += [line(across.at(value), BOTTOM, across.at(value), BOTTOM + 4, "axis")]
        parts += [text(across.at(value), BOTTOM + 17, short_number(value, across.ticks[-1]), "middle")]
    scale = ", logarithmic" if across.logarithmic else ""
    return [*parts, text(RIGHT, HEIGHT - 6, cost + scale, "end", "soft"), text(2, TOP - 9, score, kind="soft")]


def _marks(placed: Sequence[Placed], dashed: Sequence[tuple[float, Line]], metric: str, cost: str) -> list[str]:
    """The points, the front and the dashed lines at their heights, with names where there is room for them."""
    best, others = ([found for found in placed if found[2].front is front] for front in (True, False))
    front = sorted((x, y) for x, y, _ in best)
    crossed = line_areas(front) + [area for y, _ in dashed for area in line_areas([(LEFT, y), (RIGHT, y)])]
    taken: list[Area] = [(x - 5, y - 5, x + 5, y + 5) for x, y, _ in placed] + [TITLE]
    told = (*best, *others) if len(placed) <= MOST_LABELS else best  # in this order they find room
    named = names([(x, y, point.name) for x, y, point in told], ROOM, taken, crossed)
    parts = [_line(one, y, metric, taken) for y, one in dashed]
    parts.append(_front(front))
    parts += [_mark(x, y, point, metric, cost) for x, y, point in (*others, *best)]
    return parts + named


def _line(one: Line, y: float, metric: str, taken: list[Area]) -> str:
    """A dashed line with its name where that covers the least of other things, and none where it covers much.

    Its place is taken then.
    """
    told = _told(one, metric)
    width = len(told) * FONT * LETTER
    room = RIGHT - width - LEFT
    places = [(RIGHT - width - room * step / 8, base) for base in (y - 4, y + 3 + FONT) for step in range(9)]
    covered = [sum(common(text_area(x, base, width), other) for other in taken) for x, base in places]
    x, base = places[covered.index(min(covered))]
    named = min(covered) <= COVERED
    taken += [text_area(x, base, width)] if named else []
    return line(LEFT, y, RIGHT, y, "float") + (text(x, base, told, kind="soft halo") if named else "")


def _told(one: Line, metric: str) -> str:
    return f"{one.name} {metric_text(metric, one.score)}"


def _front(spots: Sequence[Spot]) -> str:
    """The line through those that no other row beats."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    return f'<polyline points="{path}" class="front"/>' if len(spots) > 1 else ""


def _mark(x: float, y: float, point: Point, metric: str, cost: str) -> str:
    """A filled dot on the front, a ring elsewhere, a cross where the C differs."""
    wrong = "" if point.exact else "; its C is not exact"
    told = (
        f"<title>{safe(f'{point.name}: {metric_text(metric, point.score)}, {point.cost:,.0f} {cost}{wrong}')}</title>"
    )
    if not point.exact:
        path = f"M{x - 4:.1f} {y - 4:.1f}l8 8m0-8l-8 8"
        return f'<path d="{path}" class="inexact">{told}</path>'
    kind, radius = ("best", 5) if point.front else ("other", 4)
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}">{told}</circle>'
