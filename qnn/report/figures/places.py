# SPDX-License-Identifier: MIT
"""Where the names of points in a plot find room."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from qnn.report.figures.svg import LETTER, text

Area = tuple[float, float, float, float]  # left, top, right, bottom
Spot = tuple[float, float]  # x, y
FONT, GAP = 11, 8  # of a name; from a point to it
GRAIN = 4  # of the areas that a line is made of


def names(
    placed: Sequence[tuple[float, float, str]], within: Area, taken: list[Area], lines: Sequence[Area]
) -> list[str]:
    """The names of points as texts, as far as there is room `within`, beside, above or below them.

    taken: where other things are; the names' places are added. lines: what a name covers only if it must.
    """
    parts = []
    for x, y, name in placed:
        width = len(name) * FONT * LETTER
        free = [
            (at, base, anchor, area)
            for at, base, anchor, area in _around(x, y, width)
            if _inside(area, within) and not any(common(area, other) for other in taken)
        ]
        if free:
            at, base, anchor, area = min(free, key=lambda place: sum(common(place[3], one) for one in lines))
            taken.append(area)
            parts.append(text(at, base, name, anchor, "halo"))
    return parts


def _around(x: float, y: float, width: float) -> Iterator[tuple[float, float, str, Area]]:
    """Where a name of that width may begin, its base line, its anchor and what it takes; the best places first."""
    right, left, middle = (x + GAP, "start", x + GAP), (x - GAP, "end", x - GAP - width), (x, "middle", x - width / 2)
    above, beside, below = y - GAP, y + 4, y + GAP + FONT
    corners = ((right, above), (left, above), (right, below), (left, below))
    for (at, anchor, start), base in ((right, beside), (left, beside), (middle, above), (middle, below), *corners):
        yield at, base, anchor, text_area(start, base, width)


def text_area(left: float, base: float, width: float) -> Area:
    """Where a text on that base line is."""
    return (left, base - FONT + 2, left + width, base + 2)


def line_areas(spots: Sequence[Spot]) -> list[Area]:
    """Areas along the line through these spots."""
    found = []
    for (x1, y1), (x2, y2) in itertools.pairwise(spots):
        steps = max(1, math.ceil(math.hypot(x2 - x1, y2 - y1) / GRAIN))
        for step in range(steps):
            x, y = x1 + (x2 - x1) * (step + 0.5) / steps, y1 + (y2 - y1) * (step + 0.5) / steps
            found.append((x - GRAIN / 2, y - GRAIN / 2, x + GRAIN / 2, y + GRAIN / 2))
    return found


def common(one: Area, other: Area) -> float:
    """How much of both is the same, in square units."""
    width, height = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0


def _inside(one: Area, other: Area) -> bool:
    return one[0] >= other[0] and one[1] >= other[1] and one[2] <= other[2] and one[3] <= other[3]
