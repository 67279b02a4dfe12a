# SPDX-License-Identifier: MIT
"""The options that say how the C is made, not what it computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from qnn.ops.choices import GOALS, MEMORIES, Choices, Weights, check_goal, parse_weights

WeightsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        help=f"Where constants live: {', '.join(MEMORIES)} (auto: in RAM what fits an ESP32-C3), or LAYER=MEMORY for "
        "single layers; more than once, or with commas.",
    ),
]
OptimizeOption = Annotated[
    str | None,
    typer.Option(
        "--optimize",
        help=f"What kernels are chosen for: {', '.join(GOALS)} (speed if nothing is said); every bit stays the same.",
    ),
]


def with_goal(choices: Choices, optimize: str | None) -> Choices:
    """`choices` with what --optimize says, where it is given. Raises QnnError for what is no goal."""
    return choices if optimize is None else replace(choices, optimize=check_goal(optimize, "--optimize"))


def weights_of(words: Sequence[str] | None) -> Weights | None:
    """What --weights says; None where it was not given. Raises QnnError for what is no memory."""
    return parse_weights(",".join(words)) if words else None
