# SPDX-License-Identifier: MIT
"""How weights and activations are spread, with the range that the integers reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from qnn.report.figures.svg import drawing, line, text
from qnn.report.html import figure

WIDTH, HEIGHT, FLOOR, MARGIN = 150, 76, 60, 3


def histograms(row: Mapping[str, Any]) -> tuple[str, str]:
    """Figures of the weights, in steps, and of the activations; "" where there are none."""
    found = row.get("histograms") or {}
    weights = "".join(_figure(one) for one in found.get("weights", ()))
    reals = "".join(_figure(one) for one in found.get("activations", ()))
    return _group(weights), _group(reals)


def _group(figures: str) -> str:
    return f'<div class="small">{figures}</div>\n' if figures else ""


def _figure(one: Mapping[str, Any]) -> str:
    counts, low, high = one["counts"], one["low"], one["high"]
    scale = (WIDTH - 2 * MARGIN) / (high - low)
    ends = [MARGIN + (end - low) * scale for end in one["clip"]]
    most = math.sqrt(max([1, *counts]))
    width = (WIDTH - 2 * MARGIN) / len(counts)
    steps = "".join(f"V{FLOOR - (FLOOR - 8) * math.sqrt(count) / most:.3g}h{width:.4g}" for count in counts)
    parts = [f'<path d="M{MARGIN} {FLOOR}{steps}V{FLOOR}z" class="counts"/>', line(0, FLOOR, WIDTH, FLOOR, "axis")]
    parts += [line(x, 4, x, FLOOR, "clip") for x in ends]
    # The labels of two ends stay apart: the lower is left of its line's place at most, the upper right of it.
    texts = [_number(end) for end in one["clip"]]
    parts += [text(min(max(ends[0], 1), WIDTH / 2 - 4), HEIGHT - 3, texts[0], "start", "soft")]
    parts += [text(max(min(ends[1], WIDTH - 1), WIDTH / 2 + 4), HEIGHT - 3, texts[1], "end", "soft")]
    told = _told(one)
    return figure(
        drawing(WIDTH, HEIGHT, f"Histogram of {one['name']}: {told}", "".join(parts)), f"{one['name']}: {told}"
    )


def _told(one: Mapping[str, Any]) -> str:
    """The steps, what is clipped, what is 0."""
    total = max(one["total"], 1)
    parts = [f"{one['levels']:,} steps" if one["levels"] > 1 else "one step"]
    parts += [f"{_percent(one['outside'] / total)} clipped" if one["outside"] else "none clipped"]
    parts += [f"{_percent(one['zeros'] / total)} are 0"] if one["zeros"] else []
    return ", ".join(parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _percent(part: float) -> str:
    return f"{100 * part:.2g} %" if part < 0.0995 else f"{100 * part:.0f} %"
