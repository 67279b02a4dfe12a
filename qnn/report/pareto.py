# SPDX-License-Identifier: MIT
"""Rows that no other row beats: as good for less, or better for as much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

COSTS = (("flash", "flash_bytes"), ("instructions", "instructions"))
"""What is paid, and the key of a row that tells how much."""


def on_fronts(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Of each row the names of COSTS on whose Pareto front it lies, against its score.

    Rows whose C differs from the simulator, or whose cost nobody knows, lie on none and beat none.
    """
    return [[name for name, key in COSTS if _unbeaten(row, rows, key)] for row in rows]


def points(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float] | None]:
    """Of each row its cost and its loss (less is better), None where it takes no part."""
    return [_point(row, key) for row in rows]


def _unbeaten(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    mine = _point(row, key)
    if mine is None:
        return False
    others = [point for point in points(rows, key) if point is not None and point != mine]
    return not any(cost <= mine[0] and loss <= mine[1] for cost, loss in others)


def _point(row: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    cost = row.get(key)
    if cost is None or row.get("mismatches") != 0:
        return None
    return float(cost), -float(row["accuracy"]) if "accuracy" in row else float(row["rmse"])
