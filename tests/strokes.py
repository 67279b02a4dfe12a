# SPDX-License-Identifier: MIT
"""How a hand draws the ten digits: strokes of points in a square from 0 to 1."""

from __future__ import annotations

import math

Point = tuple[float, float]
Stroke = tuple[Point, ...]


def arc(x: float, y: float, wide: float, tall: float, start: float, end: float) -> Stroke:
    """Part of an ellipse around x, y with these half axes, from start to end degrees (0 right, 90 down)."""
    angles = [math.radians(start + (end - start) * step / 16) for step in range(17)]
    return tuple((x + wide * math.cos(angle), y + tall * math.sin(angle)) for angle in angles)


DIGITS: tuple[tuple[Stroke, ...], ...] = (
    (arc(0.5, 0.5, 0.2, 0.34, -90, 270),),
    (((0.5, 0.15), (0.5, 0.85)),),
    ((*arc(0.5, 0.32, 0.2, 0.17, -170, 40), (0.3, 0.84), (0.74, 0.84)),),
    ((*arc(0.47, 0.32, 0.19, 0.17, -150, 90), *arc(0.47, 0.67, 0.22, 0.18, -90, 150)),),
    (((0.42, 0.15), (0.28, 0.55), (0.72, 0.55)), ((0.64, 0.3), (0.62, 0.86))),
    (((0.7, 0.16), (0.38, 0.16), (0.35, 0.46), *arc(0.48, 0.64, 0.22, 0.2, -110, 140)),),
    (((0.6, 0.14), (0.4, 0.45), *arc(0.5, 0.66, 0.18, 0.18, 200, 560)),),
    (((0.27, 0.18), (0.72, 0.18), (0.45, 0.86)),),
    (arc(0.5, 0.32, 0.16, 0.16, 90, 450), arc(0.5, 0.67, 0.2, 0.19, -90, 270)),
    ((*arc(0.5, 0.33, 0.17, 0.17, 0, -360), (0.67, 0.33), (0.6, 0.86)),),
)
