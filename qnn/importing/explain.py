# SPDX-License-Identifier: MIT
"""What became of each operator of an imported file."""

from __future__ import annotations

from dataclasses import dataclass

KEPT, FOLDED, DROPPED = "kept", "folded", "dropped"


@dataclass(frozen=True)
class Fate:
    """One operator: its place and kind in the file, the name of its result there, what became of it and why.

    nodes: the nodes that it became, in the integer graph or float model.
    """

    index: int
    operator: str
    result: str
    fate: str
    nodes: tuple[str, ...]
    note: str
