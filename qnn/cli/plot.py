# SPDX-License-Identifier: MIT
"""Points on a terminal: a plot in characters."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass

LOG_FROM = 5.0  # the ratio of the largest to the least x from which the axis is logarithmic
MARKS = string.ascii_letters
OTHER = "."
HEIGHT = 12


@dataclass(frozen=True)
class Point:
    """A point and what it is called; marked ones get a letter of their own."""

    x: float
    y: float
    name: str
    marked: bool


def plot(points: Sequence[Point], width: int, unit: str, texts: tuple[str, str]) -> list[str]:
    """Lines of at most `width` characters: the points, an axis in `unit` below, and which letter is which point.

    texts: of the least and the largest y, for the axis on the left. Points at one place share one character, a letter
    where one of them is marked.
    """
    margin = max(map(len, texts)) + 1
    columns = max(8, width - margin - 2)
    named = [point for point in sorted(points, key=lambda p: (p.x, p.y)) if point.marked][: len(MARKS)]
    letters = {id(point): MARKS[index] for index, point in enumerate(named)}
    grid = [[" "] * columns for _ in range(HEIGHT)]
    xs, ys = _places([p.x for p in points], columns, logarithmic=True), _places([p.y for p in points], HEIGHT)
    for point, x, y in sorted(zip(points, xs, ys, strict=True), key=lambda item: id(item[0]) in letters):
        grid[HEIGHT - 1 - y][x] = letters.get(id(point), OTHER)
    sides = {0: texts[1], HEIGHT - 1: texts[0]}
    lines = [f"{sides.get(row, ''):>{margin}}|{''.join(cells).rstrip()}" for row, cells in enumerate(grid)]
    low, high = (f"{value:,.0f}" for value in (min(p.x for p in points), max(p.x for p in points)))
    gap = columns - len(low) - len(high) - len(unit)
    lines += [" " * margin + "+" + "-" * columns]
    lines += [" " * (margin + 1) + f"{low}{unit:^{max(gap + len(unit), len(unit) + 2)}}{high}"]
    return [*lines, *_legend([(letters[id(p)], p.name) for p in named], len(named) < len(points), width)]


def _places(values: Sequence[float], count: int, logarithmic: bool = False) -> list[int]:
    """Of each value its place among `count` ones."""
    low, high = min(values), max(values)
    if logarithmic and low > 0 and high / low >= LOG_FROM:
        values, low, high = [math.log(value) for value in values], math.log(low), math.log(high)
    span = high - low
    return [round((value - low) / span * (count - 1)) if span > 0 else count // 2 for value in values]


def _legend(named: Sequence[tuple[str, str]], others: bool, width: int) -> list[str]:
    """What the letters mean, as many on a line as fit."""
    parts = [f"{mark} {name}" for mark, name in named] + ([f"{OTHER} the others"] if others else [])
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + 3 + len(part) > width:
            lines.append("")
        lines[-1] += f"   {part}" if lines[-1] else part
    return lines
