# SPDX-License-Identifier: MIT
"""What the commands share: options, tables for people, JSON for scripts, progress bars on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from qnn.progress import Progress, silent

FILE_WIDTH = 140  # of tables that go to a file or a pipe, where nobody needs them folded

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random choice.")]


@dataclass(frozen=True)
class Output:
    """Where a command's results go: people read tables, scripts read `emit`'s JSON, --quiet leaves only errors."""

    json: bool = False
    quiet: bool = False

    def say(self, text: str) -> None:
        """A line for people (stdout), printed literally; not with --json or --quiet."""
        if not (self.json or self.quiet):
            Console(highlight=False).print(Text(text), soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table for people; columns after the first are right-aligned."""
        if self.json or self.quiet:
            return
        table = Table(title=Text(title), title_justify="left", header_style="bold")
        for index, column in enumerate(columns):
            table.add_column(column, justify="right" if index else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        wide = None if sys.stdout.isatty() else FILE_WIDTH
        Console(highlight=False, width=wide).print(table)

    def emit(self, document: Mapping[str, Any]) -> None:
        """The JSON document of the command, printed with --json only."""
        if self.json:
            sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")

    def warn(self, text: str) -> None:
        """A warning on stderr, printed literally; not with --quiet."""
        if not self.quiet:
            Console(stderr=True, highlight=False).print(Text(f"warning: {text}"), soft_wrap=True)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """A progress bar on stderr while it is a terminal, else `silent`."""
        console = Console(stderr=True)
        if self.quiet or not console.is_terminal:
            yield silent
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
        )
        with RichProgress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(title, total=None, state="")

            def update(done: int, total: int, text: str = "") -> None:
                bar.update(task, completed=done, total=total, state=text)

            yield update
