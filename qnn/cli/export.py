# SPDX-License-Identifier: MIT
"""qnn export: a build as a library for other ecosystems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.cli.firmware import BuildArgument
from qnn.errors import QnnError
from qnn.export.formats import arduino, cmake, esp_idf, platformio, zephyr
from qnn.export.parts import DEFAULT_AUTHOR, DEFAULT_URL, Files, read_model
from qnn.files import write_all_whole

FORMATS = (
    ("arduino", arduino),
    ("esp-idf", esp_idf),
    ("platformio", platformio),
    ("cmake", cmake),
    ("zephyr", zephyr),
)
NAMES = ", ".join(name for name, _ in FORMATS)


def command(
    build: BuildArgument,
    out: Annotated[Path, typer.Option("--output", "-o", help="The library's folder.")],
    format: Annotated[str, typer.Option("--format", help=f"One of {NAMES}.")] = "cmake",  # noqa: A002
    author: Annotated[str, typer.Option("--author", help="Whose library it is, for the manifest.")] = DEFAULT_AUTHOR,
    url: Annotated[str, typer.Option("--url", help="Where it lives, for the manifest.")] = DEFAULT_URL,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a model as a library in an ecosystem's layout, with an example that runs it and prints class and time.

    Example: qnn export build/ --format arduino -o digits/
    """
    output = Output(json, quiet)
    write = dict(FORMATS).get(format)
    if write is None:
        raise QnnError("--format", f"{format!r} is not known", f"use one of {NAMES}")
    model = read_model(build, author, url)
    files = write(model)
    _check_folder(out, model.name, files)
    write_all_whole([(out / name, content) for name, content in files])
    output.table(f"{out}: {model.name} for {format}", ("file", "bytes"), [(n, f"{len(c):,}") for n, c in files])
    output.emit({"name": model.name, "format": format, "files": [str(out / name) for name, _ in files]})


def _check_folder(out: Path, name: str, files: Files) -> None:
    """An export may replace an earlier one of the same model, and nothing else."""
    present = [path for path, _ in files if (out / path).exists()]
    if present and not any(path.endswith(f"{name}_model.h") for path in present):
        raise QnnError(out / present[0], "is there and is not from an export", "name another folder with -o")
