# SPDX-License-Identifier: MIT
"""What the drawings share: axes with round numbers, and their elements as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qnn.report.html import safe

LETTER = 0.57  # width of a letter of the page's font, by its size, roughly
LOGARITHMIC_FROM = 12.0  # highest by lowest value
ROUND = (1, 2, 2.5, 5, 10)


def drawing(width: int, height: float, name: str, content: str) -> str:
    """An inline drawing that scales, with a name for those who do not see it."""
    return f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{safe(name)}">{content}</svg>'


def text(x: float, y: float, content: str, anchor: str = "start", kind: str = "") -> str:
    """A text whose baseline is at y."""
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    marked = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.4g}" y="{y:.4g}"{side}{marked}>{safe(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A line."""
    return f'<line x1="{x1:.4g}" y1="{y1:.4g}" x2="{x2:.4g}" y2="{y2:.4g}" class="{kind}"/>'


def box(x: float, y: float, width: float, height: float, kind: str, title: str = "") -> str:
    """A rectangle; `title` is shown where the mouse rests on it."""
    told = f"<title>{safe(title)}</title>" if title else ""
    return f'<rect x="{x:.4g}" y="{y:.4g}" width="{width:.4g}" height="{height:.4g}" class="{kind}">{told}</rect>'


@dataclass(frozen=True)
class Axis:
    """Values low..high, drawn from `start` to `end`; the ticks are among them."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Where a value is drawn."""
        low, high, here = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, value))
        return self.start + (here - low) / (high - low) * (self.end - self.start)


def axis(values: Sequence[float], start: float, end: float, ticks: int, bends: bool = False) -> Axis:
    """An Axis with some room around the values, at least one.

    bends: it may be logarithmic, where all values are positive and far apart.
    """
    low, high = min(values), max(values)
    if bends and low > 0 and high / low >= LOGARITHMIC_FROM:
        low, high = low / 1.25, high * 1.25
        return Axis(low, high, start, end, _powers(low, high), logarithmic=True)
    room = (high - low) * 0.09 or abs(high) * 0.01 or 1.0
    least = low - room if low < 0 else max(low - room, 0.0)
    return Axis(least, high + room, start, end, _steps(least, high + room, ticks))


def _steps(low: float, high: float, count: int) -> tuple[float, ...]:
    """Round numbers in low..high, `count` of them or fewer."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in ROUND if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return tuple(index * step for index in range(first, math.floor(high / step + 1e-9) + 1))


def _powers(low: float, high: float) -> tuple[float, ...]:
    """1, 2 and 5 times powers of ten within low..high; only powers where these are many."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [factor * 10.0**exponent for exponent in exponents for factor in (1, 2, 5)]
    found = [value for value in fine if low <= value <= high]
    return tuple(found if len(found) <= 7 else found[1::3])


def short_number(value: float, largest: float) -> str:
    """As it is where the largest beside it is below 100,000, else in thousands (k), millions (M) or more (G)."""
    for size, unit, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e5, 1e3, "k")):
        if largest >= size:
            return f"{value / unit:.4g}{letter}"
    return f"{value:,.5g}"
