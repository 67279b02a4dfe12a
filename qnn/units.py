# SPDX-License-Identifier: MIT
"""The decimal units that a user wants values in: --unit 0.001, or --unit co=0.1,benzene=0.01 by target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qnn.check import check
from qnn.columnwise import assigned, unit_decimals
from qnn.errors import QnnError
from qnn.fixedpoint import INT32_MAX, INT32_MIN
from qnn.graph import VALUE, Graph
from qnn.heads import fits_int32, rescale_to
from qnn.model import Model
from qnn.ops.rescale import Rescale
from qnn.schema import Schema

OPTION = "--unit"
FARTHEST = 18  # decimals on either side of 1


def wanted_units(text: str | None, schema: Schema) -> tuple[int | None, ...]:
    """Of each target the decimals of its unit in `text`, None where nothing is said; () without a text.

    Raises QnnError for what is no power of ten or no target, and for a classifier.
    """
    if text is None:
        return ()
    if schema.task != "regression":
        raise QnnError(OPTION, "is of values, and a classifier has none", "leave it out")
    words = [word for word in text.split(",") if word.strip()]
    units = assigned(words, schema.targets, OPTION)
    return tuple(None if unit is None else unit_decimals(unit, OPTION) for unit in units)


def in_units(graph: Graph, model: Model, wanted: Sequence[int | None]) -> Graph:
    """`graph`, made from `model`, whose values leave in units of 10**-wanted; None leaves a target's unit as it is.

    Raises QnnError where a unit is so fine that values leave int32, or so coarse that all of them would be equal.
    """
    if all(unit is None for unit in wanted):
        return graph
    node, kind = graph.node(VALUE), graph.type_of(graph.output)
    if not isinstance(node.op, Rescale):
        raise TypeError("the value head is a rescale")
    decimals = [int(old) if unit is None else unit for unit, old in zip(wanted, node.op.decimals, strict=True)]
    scales, offsets = model.normalization.target_scale, model.normalization.target_offset
    for name, unit, scale, offset in zip(graph.schema.targets, decimals, scales, offsets, strict=True):
        _check(name, unit, kind.scale * float(scale), float(offset))
    op = rescale_to(model, kind, decimals)
    nodes = tuple(replace(other, op=op) if other is node else other for other in graph.nodes)
    return check(replace(graph, nodes=nodes))


def _check(name: str, decimals: int, step: float, offset: float) -> None:
    """Raises QnnError unless the output's steps, each of `step`, are integers in that unit that mean something."""
    most, least = FARTHEST, -FARTHEST
    while most > least and not fits_int32(step, offset, most):
        most -= 1
    while least < most and step * 10.0**least * (1 << 15) < 1:
        least += 1
    if decimals > most:
        problem = f"{unit_text(decimals)} is too fine for {name!r}: its values leave {INT32_MIN}..{INT32_MAX}"
        raise QnnError(OPTION, problem, f"use {unit_text(most)} or a coarser one")
    if decimals < least:
        problem = f"{unit_text(decimals)} is too coarse for {name!r}: all its values would be the same"
        raise QnnError(OPTION, problem, f"use {unit_text(least)} or a finer one")


def unit_text(decimals: int) -> str:
    """0.001 of 3 decimals, 1 of 0, 100 of -2; 1e-9 where zeros would have to be counted."""
    if abs(decimals) > 6:
        return f"1e{-decimals}"
    return f"{10.0**-decimals:.{max(decimals, 0)}f}"
