# SPDX-License-Identifier: MIT
"""Residuals of a regression as plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, MARGIN = 320, 200, 34


def residual_plots(parts: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> str:
    """HTML: a plot for each target and part (a title and its `residuals`); those of a target share their axes."""
    figures = []
    for index in range(len(parts[0][1]) if parts else 0):
        series = [(title, found[index]) for title, found in parts if index < len(found)]
        values = [value for _, one in series for value in one["values"]]
        largest = max((abs(error) for _, one in series for error in one["errors"]), default=0.0) or 1.0
        ends = (min(values), max(values)) if min(values) < max(values) else (min(values) - 1, max(values) + 1)
        figures += [_plot(f"{one['target']}, {title}", one, ends, largest) for title, one in series]
    return f'<h2>Residuals</h2>\n<div class="plots">{"".join(figures)}</div>' if figures else ""


def _plot(title: str, one: Mapping[str, Any], ends: tuple[float, float], largest: float) -> str:
    low, high = ends
    right, middle, half = WIDTH - MARGIN, HEIGHT / 2, HEIGHT / 2 - MARGIN
    dots = "".join(
        f'<circle cx="{MARGIN + (value - low) / (high - low) * (right - MARGIN):.1f}" '
        f'cy="{middle - error / largest * half:.1f}" r="1.5"/>'
        for value, error in zip(one["values"], one["errors"], strict=True)
    )
    texts = (
        (MARGIN, MARGIN - 8, "start", f"+{largest:.3g}"),
        (MARGIN, HEIGHT - MARGIN + 14, "start", f"-{largest:.3g}"),
        (MARGIN, middle - 4, "start", f"{low:.4g}"),
        (right, middle - 4, "end", f"{high:.4g}"),
    )
    marks = "".join(f'<text x="{x}" y="{y:g}" text-anchor="{side}">{text}</text>' for x, y, side, text in texts)
    label = escape(f"Residuals of {title}: error (up) by right value", quote=True)
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f'<line x1="{MARGIN}" x2="{right}" y1="{middle:g}" y2="{middle:g}"/>{dots}{marks}</svg>'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )
