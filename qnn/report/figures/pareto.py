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
Area = tuple[float, float, float, float]  # left, top, right, bottom
FONT, GAP = 11, 8  # of a label; from a point to it
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
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y, _ in placed] + [TITLE]
    on_front = [found for found in placed if found[2].front]
    names = _labels(on_front, taken)  # first, so that there is room for them
    parts += [_line(one, up.at(one.score * percent), metric, taken) for one in lines]
    parts.append(_front(placed))
    parts += [_mark(x, y, point, metric, cost) for x, y, point in sorted(placed, key=lambda found: found[2].front)]
    others = [found for found in placed if not found[2].front] if len(placed) <= MOST_LABELS else []
    parts += [*names, *_labels(others, taken)]
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


def _line(one: Line, y: float, metric: str, taken: list[Area]) -> str:
    """A dashed line with its name where that covers the least of other things, and none where it covers much.

    Its place is taken then.
    """
    told = _told(one, metric)
    width = len(told) * FONT * LETTER
    room = RIGHT - width - LEFT
    places = [(RIGHT - width - room * step / 8, base) for base in (y - 4, y + 3 + FONT) for step in range(9)]
    covered = [sum(_common(_area(x, base, width), other) for other in taken) for x, base in places]
    x, base = places[covered.index(min(covered))]
    named = min(covered) <= COVERED
    taken += [_area(x, base, width)] if named else []
    return line(LEFT, y, RIGHT, y, "float") + (text(x, base, told, kind="soft halo") if named else "")


def _told(one: Line, metric: str) -> str:
    return f"{one.name} {metric_text(metric, one.score)}"


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
    """The names of the points, as far as there is room beside, above or below them.

    taken: where other things are; the names' places are added.
    """
    parts = []
    for x, y, point in placed:
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
            area = _area(left, base, width)
            inside = area[0] >= LEFT and area[2] <= WIDTH and area[1] >= 0 and area[3] <= BOTTOM
            if inside and not any(_common(area, other) for other in taken):
                taken.append(area)
                parts.append(text(at, base, point.name, anchor, "halo"))
                break
    return parts


def _area(left: float, base: float, width: float) -> Area:
    """Where a text on that base line is."""
    return (left, base - FONT + 2, left + width, base + 2)


def _common(one: Area, other: Area) -> float:
    """How much of both is the same."""
    width, height = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0
