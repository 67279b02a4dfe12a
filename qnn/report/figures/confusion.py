# SPDX-License-Identifier: MIT
"""The confusion matrix: how many samples of each class get which class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from qnn.report.html import figure, safe, scrolling

SHADES = 8  # of the style sheet, from s1 to s8


def confusion_matrix(name: str, row: Mapping[str, Any]) -> str:
    """The figure of a classifier's row, "" of others or where there are too many classes."""
    counts, names = row.get("confusion"), row.get("classes") or ()
    if not counts:
        return ""
    most_wrong = max([1, *(count for i, line in enumerate(counts) for j, count in enumerate(line) if i != j)])
    head = "".join(f'<th scope="col">{safe(one)}</th>' for one in names)
    lines = []
    for i, (one, line) in enumerate(zip(names, counts, strict=True)):
        total = max(sum(line), 1)
        cells = "".join(
            _cell(count, "right" if i == j else "wrong", count / total if i == j else math.sqrt(count / most_wrong))
            for j, count in enumerate(line)
        )
        lines.append(f'<tr><th scope="row">{safe(one)}</th>{cells}<td>{100 * line[i] / total:.1f} %</td></tr>\n')
    caption = f"Confusion matrix: {name}"
    top = f'<tr><td></td>{head}<th scope="col">right</th></tr>'
    table = f"<table><caption>{safe(caption)}</caption><thead>{top}</thead><tbody>{''.join(lines)}</tbody></table>"
    told = "Rows: what is right. Columns: what the integer network says. Darker orange: more often confused."
    return figure(scrolling(caption, table), told, "matrix")


def _cell(count: int, kind: str, part: float) -> str:
    if not count:
        return "<td></td>"
    return f'<td class="{kind} s{max(1, math.ceil(part * SHADES))}">{count:,}</td>'
