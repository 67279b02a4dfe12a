# SPDX-License-Identifier: MIT
"""The options that say how the C is made, not what it computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from qnn.ops.choices import MEMORIES, Weights, parse_weights

WeightsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        help=f"Where constants live: {', '.join(MEMORIES)} (auto: in RAM what fits an ESP32-C3), or LAYER=MEMORY for "
        "single layers; more than once, or with commas.",
    ),
]


def weights_of(words: Sequence[str] | None) -> Weights | None:
    """What --weights says; None where it was not given. Raises QnnError for what is no memory."""
    return parse_weights(",".join(words)) if words else None
