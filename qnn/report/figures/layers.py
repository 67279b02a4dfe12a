# SPDX-License-Identifier: MIT
"""What each layer takes and how precise it is: a table whose figures have bars beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qnn.report.cells import number_text
from qnn.report.html import INSTRUCTIONS, Markup, table

BAR = 64  # width
COLUMNS = ("layer", "bytes", "MACs", INSTRUCTIONS, "SQNR, dB", "instr. per MAC")
KINDS = ("", "bytes", "macs", "instructions", "sqnr", "")


def layer_bars(name: str, row: Mapping[str, Any]) -> str:
    """The table of a row's layers, "" where it has none. Instructions are predicted where none were counted."""
    profile = counted_layers(row)
    ratios = {entry["tensor"]: entry["sqnr_db"] for entry in row.get("sqnr") or ()}
    found = []
    for node in row["nodes"]:
        counted = profile.get(node["name"], {})
        size = sum(node[key] for key in ("weights", "tables", "structs") if key in node)
        ratio = ratios.get(node["name"])
        exact = node["name"] in ratios and ratio is None
        instructions = counted.get("instructions") if profile else node.get("instructions")
        numbers = (size, node["macs"], instructions, ratio, None)
        per_mac = f"{counted['instructions_per_mac']:.2f}" if "instructions_per_mac" in counted else ""
        texts = (*(_text(value) for value in numbers[:3]), "exact" if exact else _decibels(ratio), per_mac)
        found.append((node["name"], numbers, texts))
    largest = [max([1e-9, *(numbers[index] or 0 for _, numbers, _ in found)]) for index in range(len(KINDS) - 1)]
    rows = [(node, *_cells(numbers, texts, largest)) for node, numbers, texts in found]
    return table(f"What each layer takes: {name}", COLUMNS, rows)


def _cells(numbers: Sequence[float | None], texts: Sequence[str], largest: Sequence[float]) -> list[Markup | str]:
    parts = zip(numbers, texts, largest, KINDS[1:], strict=True)
    return [_bar(text, (number or 0) / most, kind) if kind and text else text for number, text, most, kind in parts]


def _bar(text: str, part: float, kind: str) -> Markup:
    width = max(0.0, min(part, 1.0)) * BAR
    shape = f'<rect width="{width:.3g}" height="8" class="{kind}"/>'
    return Markup(f'{text}<svg class="bar" viewBox="0 0 {BAR} 8" aria-hidden="true">{shape}</svg>')


def counted_layers(row: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What the profile of the first target that has one says of each layer; nothing where none was made."""
    found = [target["profile"]["layers"] for target in row["targets"].values() if target.get("profile")]
    return {layer["name"]: layer for layer in found[0]} if found else {}


def _text(value: float | None) -> str:
    return "" if value is None else number_text(value)


def _decibels(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1f}"
