# SPDX-License-Identifier: MIT
"""The memory plan for people: a table of who needs which bytes when, and a drawing of it."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qnn.cli.console import Output

WIDTH = 64  # characters that the scratch memory takes
LETTERS = string.ascii_uppercase + string.ascii_lowercase
WORK, FREE = "+", "."
Places = Sequence[Mapping[str, Any]]  # "memory_plan" of a manifest


def show_memory(output: Output, manifest: Mapping[str, Any]) -> None:
    """The plan of a build's scratch memory, from its manifest."""
    places, ram = manifest["memory_plan"], manifest["ram"]
    if not places:
        return output.say("Scratch memory: none is needed")
    columns = ("", "tensor", "offset", "bytes", "needed from", "to", "written over")
    output.table(_title(ram), columns, [_row(letter, place) for letter, place in _lettered(places)])
    for line in drawing(places, [node["name"] for node in manifest["nodes"]], ram["scratch"]):
        output.say(line)
    return None


def drawing(places: Places, nodes: Sequence[str], scratch: int) -> list[str]:
    """Lines: for each node that needs scratch memory, what is where while it runs, and how many bytes are needed."""
    order = {name: index for index, name in enumerate(nodes)}
    last = max(order[place["last_node"]] for place in places)
    width, longest = min(WIDTH, -(-scratch // 4)), max(map(len, nodes[: last + 1]))
    lines = [f"{'':{longest}}  0{scratch:>{max(width - 1, 6)},}  bytes needed ({WORK} workspace, {FREE} free)"]
    for index, name in enumerate(nodes[: last + 1]):
        needed = [
            (letter, place)
            for letter, place in _lettered(places)
            if order[place["first_node"]] <= index <= order[place["last_node"]]
        ]
        cells = [FREE] * width
        for letter, place in needed:
            first, end = (edge * width // scratch for edge in (place["offset"], place["offset"] + place["bytes"]))
            cells[first : max(end, first + 1)] = letter * max(end - first, 1)
        used = sum(place["bytes"] for _, place in needed) - _shared(place for _, place in needed)
        lines.append(f"{name:{longest}}  {''.join(cells)}  {used:,}")
    return lines


def _title(ram: Mapping[str, int]) -> str:
    beside = f", kernels need up to {ram['workspace']:,} more while they run" if ram["workspace"] else ""
    return f"Scratch memory: {ram['scratch']:,} bytes; tensors alone need {ram['tensors']:,} at once{beside}"


def _row(letter: str, place: Mapping[str, Any]) -> tuple[str, ...]:
    content = place["tensor"] or f"(workspace of {place['workspace_of']})"
    sizes = (f"{place['offset']:,}", f"{place['bytes']:,}")
    return letter, content, *sizes, place["first_node"], place["last_node"], place["in_place_of"] or ""


def _lettered(places: Places) -> list[tuple[str, Mapping[str, Any]]]:
    """Every place with its letter in the drawing; workspaces share WORK."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    tensors = 0
    for place in places:
        letter = LETTERS[tensors % len(LETTERS)] if place["tensor"] else WORK
        tensors += place["tensor"] is not None
        found.append((letter, place))
    return found


def _shared(needed: Iterable[Mapping[str, Any]]) -> int:
    """Bytes of those tensors that are written over another one which is still being read."""
    places = list(needed)
    tensors = {place["tensor"] for place in places}
    return sum(place["bytes"] for place in places if place["in_place_of"] in tensors - {None})
