# SPDX-License-Identifier: MIT
"""The parts that the page of a report is put together from; every text is escaped here, once."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

INSTRUCTIONS = "instruc\N{SOFT HYPHEN}tions"  # as a head of a column on a phone


class Markup(str):
    """Text that is HTML already."""


def safe(text: str) -> str:
    """The text as HTML, in an element or an attribute with double quotes."""
    return text if isinstance(text, Markup) else escape(text, quote=True)


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], words: Sequence[int] = ()) -> str:
    """A table in a box of its own that scrolls; "" without rows. Columns without content are left out.

    The first cell of a row is its heading. words: the columns, from 0, that hold words and not numbers.
    """
    if not rows:
        return ""
    shown = [index for index in range(len(columns)) if index == 0 or any(row[index] for row in rows)]
    kinds = [_class("word" if index in words else "") for index in range(len(columns))]
    head = "".join(f'<th scope="col"{kinds[index]}>{safe(columns[index])}</th>' for index in shown)
    lines = []
    for row in rows:
        cells = "".join(f"<td{kinds[index]}>{safe(row[index])}</td>" for index in shown[1:])
        lines.append(f'<tr><th scope="row">{safe(row[0])}</th>{cells}</tr>\n')
    body = f"<caption>{safe(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return scrolling(caption, f"<table>{body}</table>")


def scrolling(name: str, content: str) -> str:
    """`content` in a box that scrolls sideways, by the keyboard as well."""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{safe(name)}">{content}</div>\n'


def figure(content: str, caption: str, kind: str = "") -> str:
    """`content` with a caption below it. kind: a class for its size."""
    return f"<figure{_class(kind)}>{content}<figcaption>{safe(caption)}</figcaption></figure>\n"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def section(name: str, title: str, content: str) -> str:
    """A section with a heading, to be linked to by `name`; "" without content."""
    return (
        f'<section aria-labelledby="{name}"><h2 id="{name}">{safe(title)}</h2>\n{content}</section>\n'
        if content
        else ""
    )


def paragraph(text: str, kind: str = "") -> str:
    """One paragraph."""
    return f"<p{_class(kind)}>{safe(text)}</p>\n"


def details(summary: Markup, content: str, is_open: bool = False) -> str:
    """What opens when its summary is clicked."""
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary>\n{content}</details>\n"


def code(name: str, text: str) -> Markup:
    """A line of a program or a command, after what it is."""
    return Markup(f"<p>{safe(name)}: <code>{safe(text)}</code></p>\n")
