# SPDX-License-Identifier: MIT
"""Samples that the integer network gets wrong: as pictures, or as a table of readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qnn.report.html import Markup, paragraph, safe, table


def wrong_samples(name: str, row: Mapping[str, Any]) -> str:
    """HTML of a classifier's row, "" of others."""
    found, classes = row.get("wrong"), row.get("classes") or ()
    if found is None:
        return ""
    shown, count = found["shown"], found["count"]
    if not count:
        return paragraph("Every sample gets its right class.")
    which = (
        f"{len(shown)} of them, evenly spaced" if 0 < len(shown) < count else "all of them" if shown else "none shown"
    )
    told = paragraph(
        f"{count:,} sample{'s' if count > 1 else ''} wrong; {which}. "
        "Numbers are those of the samples in the part of the data that was scored, from 0.",
        "note",
    )
    pictures = [one for one in shown if "picture" in one]
    if pictures:
        return told + _pictures(pictures, classes)
    columns = ("sample", "right", "given", "by float", *found.get("features", ()))
    rows = [
        (f"{one['sample']:,}", *(_class(classes, one[key]) for key in ("right", "given", "float")), *one["values"])
        for one in shown
        if "values" in one
    ]
    return told + table(f"Wrong samples: {name}", columns, rows, words=(1, 2, 3))


def _pictures(shown: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> str:
    items = []
    for one in shown:
        right, given, real = (_class(classes, one[key]) for key in ("right", "given", "float"))
        told = f"sample {one['sample']}: {right} taken for {given}"
        # The picture is base64 of our own making; from a file it may be anything, so it is escaped like any text.
        picture = f'<img src="data:image/png;base64,{safe(one["picture"])}" alt="{safe(told)}" width="64" height="64">'
        beside = f"<br><small>#{one['sample']}{', float ' + safe(real) if real else ''}</small>"
        items.append(f"<li>{picture}<span>{safe(right)} &rarr; {safe(given)}{beside}</span></li>\n")
    return f'<ul class="wrong">{"".join(items)}</ul>\n'


def _class(classes: Sequence[str], index: int | None) -> str:
    """A class's name; "" of none."""
    if index is None:
        return ""
    return Markup(safe(classes[index])) if 0 <= index < len(classes) else str(index)
