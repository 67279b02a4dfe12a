# SPDX-License-Identifier: MIT
"""The rows of a report as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from qnn.report.labels import DIMENSIONS

FIGURES = (
    "weights_bytes",
    "tables_bytes",
    "structs_bytes",
    "code_bytes",
    "flash_bytes",
    "scratch_bytes",
    "stack_bytes",
    "ram_bytes",
    "macs",
    "instructions",
    "instructions_max",
    "cycles_ram",
    "cycles_flash",
    "mismatches",
    "saturated",
)
"""Keys of a row whose values are numbers or null."""
CSV_COLUMNS = (
    *("bits", "accuracy", "rmse"),
    *(key for key, _ in DIMENSIONS if key != "bits"),
    *FIGURES,
    *("crash", "pareto", "failed"),
)


def report_csv(document: Mapping[str, Any]) -> str:
    """The rows as CSV, one a line; behind them those that failed, and why."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "pareto": " ".join(row.get("pareto", ()))} for row in document["rows"])
    writer.writerows({**row, "failed": row["reason"]} for row in document.get("failed", ()))
    return stream.getvalue()
