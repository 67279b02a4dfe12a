# SPDX-License-Identifier: MIT
"""The JSON document of a report, and the files that hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn.outputs import Kind, head_of, json_of
from qnn.report.csvfile import CSV_COLUMNS, FIGURES
from qnn.report.labels import labels
from qnn.report.page import GENERATOR
from qnn.report.pareto import on_fronts
from qnn.report.tools import Tools
from qnn.schemafile import Document

REPORT_PAGE = Kind("the page of a report", lambda path: GENERATOR in head_of(path))
REPORT_JSON = Kind("the JSON of a report", lambda path: {"data", "part", "rows"} <= json_of(path).keys())
REPORT_CSV = Kind("the CSV of a report", lambda path: head_of(path).startswith(",".join(CSV_COLUMNS[:3]) + ","))


@dataclass(frozen=True, eq=False)
class Network:
    """A network of the report: its name there, its NET, the seed of its training (None: it came as a file), the hash of
    its file, and how good it is in floats: None where it was quantized elsewhere."""

    name: str
    net: str
    seed: int | None
    sha256: str
    reference: Mapping[str, Any] | None
    baseline: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The fields as JSON."""
        found: dict[str, Any] = {"name": self.name, "net": self.net, "seed": self.seed, "model_sha256": self.sha256}
        found |= {"float": self.reference} if self.reference is not None else {}
        return found | ({"baseline": self.baseline} if self.baseline is not None else {})


@dataclass(frozen=True, eq=False)
class Origin:
    """What a report was made of: the data's source and part, the command that was typed, the tools."""

    data: str
    part: str
    command: str
    tools: Tools


def report_document(
    origin: Origin,
    networks: Sequence[Network],
    rows: Sequence[Mapping[str, Any]],
    failed: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The JSON document of `qnn report`.

    rows: as row_document gives them, with whatever tells them apart (labels.DIMENSIONS); each gets a `label` and the
    Pareto fronts on which it lies. failed: the same of those that came to nothing, with a `reason`. net, float and
    baseline are those of the first network; `networks` has all.
    """
    names = labels([*rows, *failed])
    found = [
        {"label": name, "pareto": fronts, **row}
        for name, fronts, row in zip(names, on_fronts(rows), rows, strict=False)
    ]
    told = [network.document() for network in networks]
    first: dict[str, Any] = {key: told[0][key] for key in ("net", "float", "baseline") if key in told[0]}
    return {
        **first,
        "command": origin.command,
        "versions": origin.tools.document(),
        "data": origin.data,
        "part": origin.part,
        "networks": told,
        "rows": found,
        "failed": [{"label": name, **row} for name, row in zip(names[len(rows) :], failed, strict=True)],
    }


def check_report(values: Mapping[str, Any], path: Path) -> None:
    """Raises QnnError naming the file at `path` unless `values` has what the table of a report shows."""
    document = Document(values, path)
    references = (document.child("float"),) if "float" in values else ()
    for reference in references:
        reference.integer("parameters", 0)
    for part in (*references, *document.list("rows")):
        part.number("accuracy" if "accuracy" in part.values else "rmse")
    for row in document.list("rows"):
        if not isinstance(row.values.get("bits"), str):
            row.integer("bits")
        for key in FIGURES:
            row.optional_number(key)
