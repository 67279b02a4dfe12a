# SPDX-License-Identifier: MIT
"""Residuals of a regression as plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qnn.report.figures.svg import drawing, line, text
from qnn.report.html import figure

WIDTH, HEIGHT, MARGIN = 320, 170, 30


def residual_plots(parts: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> str:
    """A plot for each target and part (a title and its `residuals`), "" without; those of a target share their axes."""
    figures = []
    for index in range(len(parts[0][1]) if parts else 0):
        series = [(title, found[index]) for title, found in parts if index < len(found)]
        values = [value for _, one in series for value in one["values"]]
        largest = max((abs(error) for _, one in series for error in one["errors"]), default=0.0) or 1.0
        ends = (min(values), max(values)) if min(values) < max(values) else (min(values) - 1, max(values) + 1)
        figures += [_plot(f"{one['target']}, {title}", one, ends, largest) for title, one in series]
    return f'<div class="plots">{"".join(figures)}</div>\n' if figures else ""


def _plot(title: str, one: Mapping[str, Any], ends: tuple[float, float], largest: float) -> str:
    low, high = ends
    right, middle, half = WIDTH - MARGIN, HEIGHT / 2, HEIGHT / 2 - MARGIN
    # A line without length that has round ends is a dot, in a quarter of the bytes of a circle.
    dots = "".join(
        f"M{MARGIN + (value - low) / (high - low) * (right - MARGIN):.1f} {middle - error / largest * half:.1f}h0"
        for value, error in zip(one["values"], one["errors"], strict=True)
    )
    parts = (
        line(MARGIN, middle, right, middle, "axis"),
        f'<path d="{dots}" class="dots"/>',
        text(MARGIN, MARGIN - 10, f"+{largest:.3g}"),
        text(MARGIN, HEIGHT - MARGIN + 20, f"-{largest:.3g}"),
        text(MARGIN, middle + 14, f"{low:.4g}", kind="halo"),
        text(right, middle + 14, f"{high:.4g}", "end", "halo"),
    )
    name = f"Residuals of {title}: error (up) by right value"
    return figure(drawing(WIDTH, HEIGHT, name, "".join(parts)), title)
