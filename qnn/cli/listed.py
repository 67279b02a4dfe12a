# SPDX-License-Identifier: MIT
"""Options that name several things, with commas between."""

from __future__ import annotations

from collections.abc import Sequence

from qnn.cli.console import Output
from qnn.errors import QnnError


def listed(text: str, option: str, known: Sequence[str], output: Output) -> tuple[str, ...]:
    """What an option names, each once; a line tells what was named twice. known: all that there is, () for anything.

    Raises QnnError where it names nothing or what is not known.
    """
    words = [word.strip() for word in text.split(",")]
    example = f"use some of {', '.join(known)}, with commas" if known else "name one or more, with commas"
    if not all(words):
        raise QnnError(f'{option} "{text[:80]}"', "names nothing, or has a comma too much", example)
    for word in words:
        if known and word not in known:
            raise QnnError(f"{option} {text[:80]}", f"{word[:80]!r} is not a choice", example)
    found = tuple(dict.fromkeys(words))
    if len(found) < len(words):
        output.say(f"{option} {text}: what is named twice is made once")
    return found
