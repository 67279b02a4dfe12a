# SPDX-License-Identifier: MIT
"""What the rows of a report are called: by what they differ in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qnn.fidelity import widths_text
from qnn.precision import UNCLIPPED

Text = Callable[[Any], str]
DIMENSIONS: tuple[tuple[str, Text], ...] = (
    ("network", str),
    ("seed", lambda seed: f"seed {seed}"),
    ("bits", lambda bits: bits if bits == AS_IMPORTED else widths_text(str(bits))),
    ("weight_bits", lambda bits: f"{bits} weights" if bits == "ternary" else f"weights of {bits}"),
    ("method", str),
    ("equalize", lambda choice: f"equalize {choice}"),
    ("rounding", str),
    ("bias_correction", lambda on: "biases corrected" if on else "biases as they are"),
    ("clipping", lambda choice: "not clipped" if choice == UNCLIPPED else f"clipped by {choice}"),
    ("optimize", str),
    ("pack", lambda choice: f"pack {choice}"),
    ("constant_time", lambda on: "constant time" if on else "any time"),
)
"""Keys of a row, and how their values are told where rows differ in them."""
WIDTHS = ("bits", "weight_bits")
AS_IMPORTED = "as imported"


def float_names(networks: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the float networks of a report are called: by name where there are several, and seed where these differ."""
    if len(networks) == 1:
        return ["float"]
    seeds = len({network.get("seed") for network in networks}) > 1
    named = (
        f"{network.get('name', '')}, seed {network['seed']}"
        if seeds and network.get("seed") is not None
        else str(network.get("name", ""))
        for network in networks
    )
    return [f"{name}, float" for name in named]


def labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A short name for each row, all different where the rows are: widths, and whatever else is not the same for all.

    Where a choice changes nothing (null) it is not told. What has no bits, a network that failed, goes by its name.
    """
    told = [key for key, _ in DIMENSIONS if key in WIDTHS or len({row.get(key) for row in rows} - {None}) > 1]
    return [
        ", ".join(text(row[key]) for key, text in DIMENSIONS if key in told and row.get(key) is not None)
        or str(row.get("network"))
        for row in rows
    ]
