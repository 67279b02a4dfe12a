# SPDX-License-Identifier: MIT
"""qnn doctor: what this machine has, and what to install."""

from __future__ import annotations

import dataclasses

import typer

from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.doctor import Part, examine


def command(json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Show which C compilers, emulators, boards and data there are, try them, and say what to install.

    Exit code 0 if the main road works (a C compiler, an RV32 compiler and the unicorn emulator), else 1.

    Example: qnn doctor
    """
    output = Output(json, quiet)
    with output.progress("Looking") as progress:
        found = examine(progress)
    output.emit(
        {"ok": found.ok, "parts": [dataclasses.asdict(part) for part in found.parts], "advice": list(found.advice)}
    )
    output.table("What is here", ("part", "name", "where", "state"), [_row(part) for part in found.parts])
    for line in found.advice:
        output.say(line)
    output.say("Compiling and verifying work here." if found.ok else "Something is missing to compile and verify.")
    if not found.ok:
        raise typer.Exit(1)


def _row(part: Part) -> tuple[str, ...]:
    return part.role, f"{part.name} {part.version}".strip(), part.place, part.problem or "ok"
