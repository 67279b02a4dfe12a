# SPDX-License-Identifier: MIT
"""The rows of a report as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

CSV_COLUMNS = (
    "bits",
    "accuracy",
    "rmse",
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
    "crash",
    "saturated",
)


def report_csv(document: Mapping[str, Any]) -> str:
    """The rows as CSV, one width a line."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(document["rows"])
    return stream.getvalue()
