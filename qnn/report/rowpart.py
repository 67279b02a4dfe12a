# SPDX-License-Identifier: MIT
"""What the page of a report says of one row: folded away until somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qnn.report.cells import PROFILE_COLUMNS, mismatches_text, number_text, profile_rows, score_text
from qnn.report.figures.confusion import confusion_matrix
from qnn.report.figures.histograms import histograms
from qnn.report.figures.layers import counted_layers, layer_bars
from qnn.report.figures.memory import memory_plan
from qnn.report.figures.wrong import wrong_samples
from qnn.report.html import Markup, details, paragraph, safe, table

NODE_COLUMNS = (
    "node",
    "operator",
    "output",
    "MACs",
    "weights B",
    "tables B",
    "accumulator, proven",
    "kernel",
    "reason",
)
NODE_WORDS = (1, 2, 6, 7, 8)
MIXED_COLUMNS = ("layer", "part", "bits", "SQNR dB", "alone narrower: drop", "instead")
PRECISION_COLUMNS = ("tensor", "SQNR dB against float")


def row_part(name: str, row: Mapping[str, Any], metric: str, is_open: bool) -> str:
    """The part of the row called `name`."""
    return details(_summary(name, row, metric), _content(name, row), is_open)


def _summary(name: str, row: Mapping[str, Any], metric: str) -> Markup:
    """The name, and the figures that decide whether to look further."""
    facts = [score_text(metric, row[metric])]
    facts += [f"{row['flash_bytes']:,} bytes of flash"] if row["flash_bytes"] is not None else []
    facts += [f"{row['instructions']:,.0f} instructions"] if row["instructions"] is not None else []
    told = "exact" if row["mismatches"] == 0 else mismatches_text(row) + ("" if row.get("crash") else " values differ")
    kind = "good" if row["mismatches"] == 0 else "bad"
    shown = "".join(f"<span>{safe(fact)}</span> " for fact in facts)
    return Markup(f'<h3>{safe(name)}</h3> {shown}<span class="{kind}">{safe(told)}</span>')


def _content(name: str, row: Mapping[str, Any]) -> str:
    weights, reals = histograms(row)
    parts = (
        ("Layer by layer", _layers(name, row)),
        ("Which classes are confused", confusion_matrix(name, row)),
        ("Wrong samples", wrong_samples(name, row)),
        ("Memory", memory_plan(row)),
        ("Weights, and what the integers reach", weights and _note(WEIGHTS) + weights),
        ("Activations, and what the integers reach", reals and _note(ACTIVATIONS) + reals),
        ("How the widths were chosen", _mixed(name, row)),
        ("All figures", _all_figures(name, row)),
    )
    return "".join(f"<h4>{safe(title)}</h4>\n{content}" for title, content in parts if content)


WEIGHTS = (
    "Of each layer, the float network's weights in steps of their channel (the integers, where there is no float "
    "network); dashed lines: the lowest and the highest integer. What lies beyond becomes the nearest of them, which "
    "costs less than coarser steps would. Heights are square roots of counts; weights that are exactly 0 are left out."
)
ACTIVATIONS = (
    "The float network's values on stored samples (the integer network's, where there is no other); dashed lines: what "
    "the integers of each tensor reach, as calibration chose it. Heights are square roots of counts; values that are "
    "exactly 0 are left out."
)


def _note(text: str) -> str:
    return paragraph(text, "note")


def _layers(name: str, row: Mapping[str, Any]) -> str:
    counted = "those of one sample" if counted_layers(row) else "predicted, as far as they can be"
    note = (
        f"Bytes are weights, tables and structs. Instructions are {counted}. SQNR is the power of the float "
        "network's values by that of the difference to them; 6 dB are one bit."
    )
    return layer_bars(name, row) + _note(note)


def _mixed(name: str, row: Mapping[str, Any]) -> str:
    if "mixed" not in row:
        return ""
    return table(f"Mixed widths: {name}", MIXED_COLUMNS, [_choice(c) for c in row["mixed"]["choices"]], (1, 4, 5))


def _choice(choice: Mapping[str, Any]) -> tuple[str, ...]:
    alone = ", ".join(f"{one['bits']} bits: {one['drop']:.3g}" for one in choice["alone"])
    ratio = "" if choice["sqnr_db"] is None else f"{choice['sqnr_db']:.1f}"
    return (choice["layer"], choice["part"], str(choice["bits"]), ratio, alone, choice["reason"])


def _all_figures(name: str, row: Mapping[str, Any]) -> str:
    ratios = [(entry["tensor"], _decibels(entry["sqnr_db"])) for entry in row.get("sqnr") or ()]
    nodes = [_node(node) for node in row["nodes"]]
    profiles = [
        table(f"Instructions: {name}, {target}", PROFILE_COLUMNS, profile_rows(found["profile"]))
        for target, found in row["targets"].items()
        if found.get("profile")
    ]
    parts = (table(f"Layers: {name}", NODE_COLUMNS, nodes, NODE_WORDS), *profiles)
    return "".join(parts) + table(f"Precision: {name}", PRECISION_COLUMNS, ratios)


def _node(node: Mapping[str, Any]) -> tuple[str, ...]:
    shape = "x".join(map(str, node["shape"]))
    bound = node["accumulator"]
    proof = f"{bound[0]:,} .. {bound[1]:,}" if bound else ""
    numbers = (number_text(node[key]) for key in ("macs", "weights", "tables"))
    kernel = node["kernel"].removeprefix("qnn_")
    return (node["name"], node["operator"], f"{node['dtype']}[{shape}]", *numbers, proof, kernel, node["reason"])


def _decibels(ratio: float | None) -> str:
    return "exact" if ratio is None else f"{ratio:.1f}"
