# SPDX-License-Identifier: MIT
"""The options that say how the C is made, not what it computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from qnn.cli.console import Output
from qnn.graph import Graph
from qnn.ops.choices import GOALS, MEMORIES, OFF, ON, Choices, Weights, check_goal, check_pack, parse_weights

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


ConstantTimeOption = Annotated[
    bool,
    typer.Option("--constant-time", help="The same instructions for every input: no zeros skipped, no such branch."),
]


PackOption = Annotated[
    str | None,
    typer.Option(
        "--pack",
        help="Where weights of 2 to 6 bits are stored in so many: auto (if nothing is said), where flash gets smaller "
        "with it, code included; on, wherever they take less; off, nowhere: in 4 or 8.",
    ),
]


def chosen(choices: Choices, optimize: str | None, constant_time: bool, pack: str | None = None) -> Choices:
    """`choices` with what --optimize, --constant-time and --pack say, where they are given.

    Raises QnnError for what is nothing to optimize for, and for no way to store weights.
    """
    goal = choices.optimize if optimize is None else check_goal(optimize, "--optimize")
    way = choices.pack if pack is None else check_pack(pack, "--pack")
    return replace(choices, optimize=goal, constant_time=constant_time or choices.constant_time, pack=way)


def tell_idle_pack(output: Output, graph: Graph, pack: str | None) -> None:
    """Say it where --pack was given, on or off, and no weights of the graph would be stored in other ways by it."""
    if pack not in (ON, OFF):
        return
    made = (replace(graph, choices=replace(graph.choices, pack=way)) for way in (ON, OFF))
    packed, loose = ([(kernel.header, kernel.function) for kernel in one.kernels] for one in made)
    if packed == loose:
        output.warn(f"--pack {pack} changes nothing: no layer's weights would take fewer bytes packed")


def weights_of(words: Sequence[str] | None) -> Weights | None:
    """What --weights says; None where it was not given. Raises QnnError for what is no memory."""
    return parse_weights(",".join(words)) if words else None
