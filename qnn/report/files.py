# SPDX-License-Identifier: MIT
"""The files of a report, and the folder of what is not finished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qnn.errors import QnnError
from qnn.files import write_all_whole
from qnn.outputs import Kind, check_replaceable
from qnn.report.csvfile import report_csv
from qnn.report.document import REPORT_CSV, REPORT_JSON, REPORT_PAGE
from qnn.report.page import report_page


def work_folder(out: Path | None) -> Path | None:
    """Where finished jobs of a report called `out` are kept; None: nowhere."""
    return None if out is None else report_files(out)[0][0].with_suffix(".work")


def report_files(out: Path) -> list[tuple[Path, Kind]]:
    """The page, the JSON and the CSV that a report called `out` (with or without one of their suffixes) consists of."""
    if not out.name:
        raise QnnError(out, "is a folder", "name a file, such as report.html")
    stem = out.stem if out.suffix in (".html", ".json", ".csv") else out.name
    kinds = ((".html", REPORT_PAGE), (".json", REPORT_JSON), (".csv", REPORT_CSV))
    return [(out.with_name(stem + suffix), kind) for suffix, kind in kinds]


def write_report(out: Path, title: str, document: dict[str, Any]) -> None:
    """Write the files of `report_files`. Raises QnnError where something else is in their place."""
    files = report_files(out)
    check_replaceable(files)
    page = report_page(title, document).encode()
    text = (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()
    contents = (page, text, report_csv(document).encode())
    write_all_whole([(path, content) for (path, _), content in zip(files, contents, strict=True)])
