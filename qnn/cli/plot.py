# SPDX-License-Identifier: MIT
"""Points on a terminal: a plot in characters."""

from __future__ import annotations

import math
import string
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

LOG_FROM = 5.0  # the ratio of the largest to the least x from which the axis is logarithmic
MARKS = string.ascii_letters
OTHER, OTHERS = ".", ":"  # one point without a letter at its place, and several
HEIGHT = 12


@dataclass(frozen=True)
class Point:
    """A point and what it is called; the places of marked ones get a letter."""

    x: float
    y: float
    name: str
    marked: bool


def plot(points: Sequence[Point], width: int, unit: str, texts: tuple[str, str]) -> list[str]:
    """Lines of at most `width` characters: the points, an axis in `unit` below, and which letter is which point.

    texts: of the least and the largest y, for the axis on the left. Points at one place share its character, and the
    legend names them all where that is a letter.
    """
    margin = max(map(len, texts)) + 1
    columns = max(8, width - margin - 2)
    cells = _cells(points, columns)
    grid = [[" "] * columns for _ in range(HEIGHT)]
    for cell in cells:
        grid[HEIGHT - 1 - cell.y][cell.x] = cell.mark
    sides = {0: texts[1], HEIGHT - 1: texts[0]}
    lines = [f"{sides.get(row, ''):>{margin}}|{''.join(marks).rstrip()}" for row, marks in enumerate(grid)]
    low, high = (f"{value:,.0f}" for value in (min(p.x for p in points), max(p.x for p in points)))
    gap = columns - len(low) - len(high) - len(unit)
    lines += [" " * margin + "+" + "-" * columns]
    lines += [" " * (margin + 1) + f"{low}{unit:^{max(gap + len(unit), len(unit) + 2)}}{high}"]
    return [*lines, *_legend(cells, width)]


@dataclass(frozen=True)
class _Cell:
    """A place in the grid, from its lower left, that one or more points have: its mark and the names of marked ones.

    others: how many have no name here.
    """

    x: int
    y: int
    mark: str
    names: tuple[str, ...]
    others: int

    @property
    def told(self) -> str:
        """The mark and all that is there, for the legend."""
        more = (f"{self.others} other{'s' if self.others > 1 else ''}",) if self.others else ()
        return f"{self.mark} {' & '.join((*self.names, *more))}"


def _cells(points: Sequence[Point], columns: int) -> list[_Cell]:
    """The places that points have, in order; the first ones of marked points get letters, as long as there are some."""
    points = sorted(points, key=lambda point: (point.x, point.y))
    xs, ys = _places([p.x for p in points], columns, logarithmic=True), _places([p.y for p in points], HEIGHT)
    places: dict[tuple[int, int], list[Point]] = {}
    for point, place in zip(points, zip(xs, ys, strict=True), strict=True):
        places.setdefault(place, []).append(point)
    marks, cells = iter(MARKS), []
    for (x, y), found in places.items():
        names = tuple(point.name for point in found if point.marked)
        letter = next(marks, None) if names else None
        if letter is None:
            letter, names = OTHERS if len(found) > 1 else OTHER, ()
        cells.append(_Cell(x, y, letter, names, len(found) - len(names)))
    return cells


def _places(values: Sequence[float], count: int, logarithmic: bool = False) -> list[int]:
    """Of each value its place among `count` ones."""
    low, high = min(values), max(values)
    if logarithmic and low > 0 and high / low >= LOG_FROM:
        values, low, high = [math.log(value) for value in values], math.log(low), math.log(high)
    span = high - low
    return [round((value - low) / span * (count - 1)) if span > 0 else count // 2 for value in values]


def _legend(cells: Sequence[_Cell], width: int) -> list[str]:
    """What the marks mean, as many on a line as fit."""
    marks = {cell.mark for cell in cells}
    parts = [cell.told for cell in cells if cell.names]
    parts += [f"{mark} {text}" for mark, text in ((OTHER, "another"), (OTHERS, "several others")) if mark in marks]
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + 3 + len(part) > width:
            lines.append("")
        lines[-1] += f"   {part}" if lines[-1] else part
    return [shown for line in lines for shown in textwrap.wrap(line, width, subsequent_indent="  ")]
