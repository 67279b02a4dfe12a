# SPDX-License-Identifier: MIT
"""The memory plan: which bytes of the scratch memory each tensor needs, and from which layer to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qnn.report.figures.svg import LETTER, Axis, box, drawing, line, text
from qnn.report.html import figure

WIDTH, RIGHT, TOP, LINE = 340, 336, 18, 18
FONT, LONGEST = 11, 13  # of a layer's name, in letters
COLOURS = 6  # of the style sheet, from c1 to c6


def memory_plan(row: Mapping[str, Any]) -> str:
    """The figure of a row, "" where it needs no scratch memory. Layers run from the top to the bottom."""
    places, scratch = row.get("memory_plan") or (), row["scratch_bytes"]
    if not places:
        return ""
    nodes = [node["name"] for node in row["nodes"]]
    order = {name: index for index, name in enumerate(nodes)}
    shown = nodes[: max(order[place["last_node"]] for place in places) + 1]
    left = 8 + min(max(map(len, shown)), LONGEST) * FONT * LETTER
    across = Axis(0, scratch, left, RIGHT, ())
    parts = [text(left, 12, "0", kind="soft"), text(RIGHT, 12, f"{scratch:,} bytes", "end", "soft")]
    for index, name in enumerate(shown):
        y = TOP + index * LINE
        parts += [text(0, y + 13, _cut(name, LONGEST)), line(left, y, RIGHT, y, "grid")]
    colours = _colours(places)
    for place in places:
        first, last = order[place["first_node"]], order[place["last_node"]]
        x, y = across.at(place["offset"]), TOP + first * LINE
        width = max(across.at(_end(place)) - x, 1.0)
        parts.append(box(x, y + 1, width, (last - first + 1) * LINE - 2, colours[id(place)], _told(place)))
        there = [
            one for one in places if one is not place and order[one["first_node"]] <= first <= order[one["last_node"]]
        ]
        parts.append(_name(place, there, across, y + 13))
    height = TOP + len(shown) * LINE
    name = f"Memory plan: {scratch:,} bytes of scratch memory, {len(shown)} layers, {len(places)} places"
    caption = (
        "Scratch memory. Down: the layers in the order in which they run; across: bytes. What a layer writes begins in "
        "its line; grey: workspace of a kernel."
    )
    return figure(drawing(WIDTH, height + 2, name, "".join(parts)), caption, "plan")


def _name(place: Mapping[str, Any], there: Sequence[Mapping[str, Any]], across: Axis, base: float) -> str:
    """The name of a place: in it, or beside it where nothing else is, or cut; "" where there is no room.

    there: what else is in its first line.
    """
    name, begin, end = place["tensor"] or "workspace", place["offset"], _end(place)
    after = min((one["offset"] for one in there if one["offset"] >= end), default=across.high)
    before = max((_end(one) for one in there if _end(one) <= begin), default=across.low)
    letters = _letters(across, begin, end)
    if len(name) <= letters:
        return text(across.at(begin) + 4, base, name)
    if all(one["offset"] >= end or _end(one) <= begin for one in there):  # else what is beside it is another's
        if len(name) <= _letters(across, end, after):
            return text(across.at(end) + 4, base, name)
        if len(name) <= _letters(across, before, begin):
            return text(across.at(begin) - 4, base, name, "end")
    return text(across.at(begin) + 4, base, _cut(name, letters)) if letters > 3 and place["tensor"] else ""


def _letters(across: Axis, low: float, high: float) -> int:
    """How many letters there is room for."""
    return int((across.at(high) - across.at(low) - 6) / (FONT * LETTER))


def _end(place: Mapping[str, Any]) -> int:
    return int(place["offset"]) + int(place["bytes"])


def _colours(places: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """A class for each place: those of tensors in turn, one for all workspaces."""
    found, tensors = {}, 0
    for place in places:
        found[id(place)] = f"place c{tensors % COLOURS + 1}" if place["tensor"] else "place work"
        tensors += place["tensor"] is not None
    return found


def _told(place: Mapping[str, Any]) -> str:
    what = place["tensor"] or f"workspace of {place['workspace_of']}"
    over = f", written over {place['in_place_of']}" if place["in_place_of"] else ""
    ends = f"from {place['first_node']} to {place['last_node']}"
    return f"{what}: {place['bytes']:,} bytes at {place['offset']:,}, {ends}{over}"


def _cut(name: str, length: int) -> str:
    return name if len(name) <= length else name[: max(length - 1, 0)] + "\N{HORIZONTAL ELLIPSIS}"
