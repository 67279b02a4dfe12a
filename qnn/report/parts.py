# SPDX-License-Identifier: MIT
"""What a report compares: what needs no network, the float networks and the rows, with names and figures as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qnn.report.cells import baseline_cells, float_cells, summary_cells
from qnn.report.labels import float_names


@dataclass(frozen=True, eq=False)
class Part:
    """One of them: its name, its JSON, and its figures in the order of cells.SUMMARY_COLUMNS."""

    name: str
    json: Mapping[str, Any]
    cells: tuple[str, ...]


def parts_of(document: Mapping[str, Any]) -> list[Part]:
    """All of them, in the order in which they are shown."""
    return [*baseline_of(document), *floats_of(document), *rows_of(document)]


def baseline_of(document: Mapping[str, Any]) -> list[Part]:
    """What needs no network, if there is such a thing."""
    found = document.get("baseline")
    return [] if found is None else [Part(str(found["name"]), found, baseline_cells(found))]


def floats_of(document: Mapping[str, Any]) -> list[Part]:
    """The float networks; none where all were quantized elsewhere. Older reports are of one network without a name."""
    networks = document.get("networks") or [document]
    named = zip(float_names(networks), networks, strict=True)
    return [Part(name, one["float"], float_cells(one["float"])) for name, one in named if "float" in one]


def rows_of(document: Mapping[str, Any]) -> list[Part]:
    """The rows; those of older reports have no names."""
    return [Part(str(row.get("label") or f"{row['bits']} bits"), row, summary_cells(row)) for row in document["rows"]]
