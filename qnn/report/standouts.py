# SPDX-License-Identifier: MIT
"""The rows of a report that most people look for: the best, the smallest and the fastest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LOSS, FLASH, INSTRUCTIONS = "loss", "flash_bytes", "instructions"
ORDERS = (
    ("best", (LOSS, FLASH, INSTRUCTIONS)),
    ("smallest", (FLASH, LOSS, INSTRUCTIONS)),
    ("fastest", (INSTRUCTIONS, LOSS, FLASH)),
)
"""What a row stands out by, and by what else where rows are equal in that."""
UNKNOWN = float("inf")


def standouts(rows: Sequence[Mapping[str, Any]], metric: str) -> dict[int, list[str]]:
    """Which rows, by their places, stand out by which of ORDERS, in its order; none without rows.

    Rows whose C differs from the simulator, or was not compared, do so only where all are such; none does by a cost
    that nobody knows.
    """
    found: dict[int, list[str]] = {}
    for name, order in ORDERS:
        ranks = [(row["mismatches"] != 0, *(_figure(row, key, metric) for key in order)) for row in rows]
        known = [index for index, rank in enumerate(ranks) if rank[1] != UNKNOWN]
        if known:
            found.setdefault(min(known, key=ranks.__getitem__), []).append(name)
    return found


def best_row(rows: Sequence[Mapping[str, Any]], metric: str) -> int | None:
    """The place of the best row; None without rows."""
    return next(iter(standouts(rows, metric)), None)


def _figure(row: Mapping[str, Any], key: str, metric: str) -> float:
    """Less is better."""
    if key == LOSS:
        return -float(row[metric]) if metric == "accuracy" else float(row[metric])
    return UNKNOWN if row[key] is None else float(row[key])
