# SPDX-License-Identifier: MIT
"""Accuracy, or rmse, against what it costs; the rows that no other row beats are joined by a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qnn.report.cells import metric_text
from qnn.report.figures.svg import LETTER, Axis, axis, drawing, line, short_number, text
from qnn.report.html import figure, safe

WIDTH, HEIGHT = 360, 260
LEFT, RIGHT, TOP, BOTTOM = 48, WIDTH - 8, 20, HEIGHT - 40
FONT, GAP = 11, 8  # of a label; from a point to it
MOST_LABELS = 12  # points, above which only those of the front are named
Area = tuple[float, float, float, float]  # left, top, right, bottom


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


def pareto(metric: str, points: Sequence[Point], lines: Sequence[Line], cost: str) -> str:
    """A figure of the points, "" where there are none. metric: accuracy or rmse; cost: what is paid, in which unit."""
    if not points:
        return ""
    scores = [*(point.score for point in points), *(one.score for one in lines)]
    percent = 100.0 if metric == "accuracy" else 1.0
    across = axis([point.cost for point in points], LEFT, RIGHT, 5, bends=True)
    up = axis([score * percent for score in scores], BOTTOM, TOP, 5, bends=metric != "accuracy")
    score_name = "accuracy, %" if metric == "accuracy" else "rmse (less is better)"
    parts = [*_grid(across, up, cost, score_name)]
    placed = [(across.at(point.cost), up.at(point.score * percent), point) for point in points]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y, _ in placed]
    parts += [_line(one, up.at(one.score * percent), metric, taken) for one in lines]
    parts.append(_front(placed))
    parts += [_mark(x, y, point, metric, cost) for x, y, point in sorted(placed, key=lambda found: found[2].front)]
    parts += _labels(placed, taken)
    best = max(points, key=lambda point: point.score if metric == "accuracy" else -point.score)
    count = "one row" if len(points) == 1 else f"{len(points)} rows"
    told = f"{metric} against {cost}, {count}; best: {best.name} with {metric_text(metric, best.score)}"
    caption = f"{'Accuracy' if metric == 'accuracy' else 'The rmse'} against {cost}."
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
        parts += [text(across.at(value), BOTTOM + 17, short_number(value), "middle")]
    scale = ", logarithmic" if across.logarithmic else ""
    return [*parts, text(RIGHT, HEIGHT - 6, cost + scale, "end", "soft"), text(2, TOP - 9, score, kind="soft")]


def _line(one: Line, y: float, metric: str, taken: list[Area]) -> str:
    """A dashed line with its name, at an end of it where there is room; the name's place is taken then."""
    told = f"{one.name} {metric_text(metric, one.score)}"
    width = len(told) * FONT * LETTER
    places = [(x, base) for base in (y - 4, y + 4 + FONT) for x in (RIGHT - width, LEFT + 2)]
    areas = [(x, base - FONT, x + width, base + 2) for x, base in places]
    free = [not any(_meet(area, other) for other in taken) and area[3] < BOTTOM for area in areas]
    best = free.index(True) if True in free else 0
    taken.append(areas[best])
    return line(LEFT, y, RIGHT, y, "float") + text(*places[best], told, kind="soft halo")


def _front(placed: Sequence[tuple[float, float, Point]]) -> str:
    """The line through those that no other row beats."""
    found = sorted((x, y) for x, y, point in placed if point.front)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in found)
    return f'<polyline points="{path}" class="front"/>' if len(found) > 1 else ""


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


def _labels(placed: Sequence[tuple[float, float, Point]], taken: list[Area]) -> list[str]:
    """The names of the points, those of the front first, as far as there is room beside, above or below them.

    taken: where other things are; the names' places are added.
    """
    parts = []
    shown = placed if len(placed) <= MOST_LABELS else [found for found in placed if found[2].front]
    for x, y, point in sorted(shown, key=lambda found: not found[2].front):
        width = len(point.name) * FONT * LETTER
        places = (
            (x + GAP, y + 4, "start", x + GAP),
            (x - GAP, y + 4, "end", x - GAP - width),
            (x, y - GAP, "middle", x - width / 2),
            (x, y + GAP + FONT, "middle", x - width / 2),
            (x + GAP, y - GAP, "start", x + GAP),
            (x - GAP, y - GAP, "end", x - GAP - width),
            (x + GAP, y + GAP + FONT, "start", x + GAP),
            (x - GAP, y + GAP + FONT, "end", x - GAP - width),
        )
        for at, base, anchor, left in places:
            area = (left, base - FONT, left + width, base + 2)
            inside = area[0] >= LEFT and area[2] <= WIDTH and area[1] >= TOP and area[3] <= BOTTOM
            if inside and not any(_meet(area, other) for other in taken):
                taken.append(area)
                parts.append(text(at, base, point.name, anchor, "halo"))
                break
    return parts


def _meet(one: Area, other: Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
