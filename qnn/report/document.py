# SPDX-License-Identifier: MIT
"""The JSON document of a report, and the files that hold it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from qnn.metrics import Score
from qnn.model import Model
from qnn.outputs import Kind, head_of, json_of
from qnn.report.csvfile import CSV_COLUMNS
from qnn.report.page import GENERATOR
from qnn.report.row import Baseline, per_target
from qnn.schemafile import Document

REPORT_PAGE = Kind("the page of a report", lambda path: GENERATOR in head_of(path))
REPORT_JSON = Kind("the JSON of a report", lambda path: {"float", "data", "part", "rows"} <= json_of(path).keys())
REPORT_CSV = Kind("the CSV of a report", lambda path: head_of(path).startswith(",".join(CSV_COLUMNS[:3]) + ","))

SHOWN_NUMBERS = tuple(name for name in CSV_COLUMNS if name not in ("bits", "accuracy", "rmse", "crash"))


def report_document(
    model: Model,
    source: str,
    part: str,
    float_score: Score,
    rows: Sequence[Mapping[str, Any]],
    command: str,
    float_residuals: Sequence[Mapping[str, Any]] = (),
    baseline: Baseline | None = None,
) -> dict[str, Any]:
    """The JSON document of `qnn report`; rows: as row_document gives them;
    `command` is what was typed. float_residuals: of the float network."""
    return {
        "net": model.net,
        "command": command,
        "versions": {"qnn": version("qnn"), "python": platform.python_version(), "numpy": np.__version__},
        "float": {
            float_score.metric: float_score.value,
            **per_target(float_score),
            "samples": float_score.samples,
            "parameters": sum(array.size for node in model.nodes for array in node.parameters),
            **({"residuals": list(float_residuals)} if float_residuals else {}),
        },
        **({"baseline": baseline.document()} if baseline else {}),
        "data": source,
        "part": part,
        "rows": list(rows),
    }


def check_report(values: Mapping[str, Any], path: Path) -> None:
    """Raises QnnError naming the file at `path` unless `values` has what the table of a report shows."""
    document = Document(values, path)
    reference = document.child("float")
    reference.integer("parameters", 0)
    for part in (reference, *document.list("rows")):
        part.number("accuracy" if "accuracy" in part.values else "rmse")
    for row in document.list("rows"):
        if not isinstance(row.values.get("bits"), str):
            row.integer("bits")
        for key in SHOWN_NUMBERS:
            row.optional_number(key)
