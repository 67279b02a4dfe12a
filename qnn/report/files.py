# SPDX-License-Identifier: MIT
"""The files of a report, and the folder of what is not finished."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from qnn.errors import QnnError
from qnn.files import write_all_whole
from qnn.outputs import Kind, check_replaceable
from qnn.report.csvfile import report_csv
from qnn.report.document import REPORT_CSV, REPORT_JSON, REPORT_PAGE
from qnn.report.page import report_page

KINDS = {".html": REPORT_PAGE, ".json": REPORT_JSON, ".csv": REPORT_CSV}
PDF = ".pdf"
FOREIGN = frozenset((PDF, *".gz .htm .jpg .md .npz .png .qnn .svg .txt .work .xls .xlsx .zip".split()))


def work_folder(out: Path | None) -> Path | None:
    """Where finished jobs of a report called `out` are kept; None: nowhere."""
    return None if out is None else report_files(out)[0][0].with_suffix(".work")


def report_named(text: str) -> Path:
    """What a report is called that is to go to `text`: that, or `report` in it where it is a folder's name."""
    path = Path(text)
    return path / "report" if text.endswith(("/", os.sep)) or path.is_dir() else path


def report_files(out: Path) -> list[tuple[Path, Kind]]:
    """The page, the JSON and the CSV that a report called `out` (with or without one of their suffixes) consists of.

    Raises QnnError where the name ends like that of a file of another kind.
    """
    ours = out.suffix.lower() in KINDS
    if out.suffix.lower() in FOREIGN:
        printed = ", which any browser prints to a PDF" if out.suffix.lower() == PDF else ""
        remedy = f"name it {out.with_suffix('.html')}{printed}"
        raise QnnError(out, f"a report is .html, .json and .csv, not {out.suffix}", remedy)
    stem = out.stem if ours else out.name
    return [(out.with_name(stem + suffix), kind) for suffix, kind in KINDS.items()]


def write_report(out: Path, title: str, document: dict[str, Any]) -> None:
    """Write the files of `report_files`. Raises QnnError where something else is in their place."""
    files = report_files(out)
    check_replaceable(files)
    page = report_page(title, document).encode()
    text = (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()
    contents = (page, text, report_csv(document).encode())
    write_all_whole([(path, content) for (path, _), content in zip(files, contents, strict=True)])
