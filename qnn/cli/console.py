# SPDX-License-Identifier: MIT
"""What the commands share: options, tables for people, JSON for scripts, progress bars on a terminal."""

from __future__ import annotations

import json
import string
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from qnn.progress import Progress, silent

FILE_WIDTH = 140  # of tables that go to a file or a pipe, where nobody needs them folded
UNBOUNDED = 1 << 14  # characters, of a console for measuring
BETWEEN = 2  # spaces between columns of a narrow table
NAMES = 4  # part of the width, at most, that the names of rows need when they are folded

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random choice.")]


def typed(words: Sequence[str]) -> str:
    """The command line `words` (those after qnn) as it can be typed again, in any shell."""
    quoted = [f'"{word}"' if not word or set(word) & set(" \t;&|<>()$*?'") else word for word in words]
    return " ".join(["qnn", *quoted])


@dataclass(frozen=True)
class Output:
    """Where a command's results go: people read tables, scripts read `emit`'s JSON, --quiet leaves only errors."""

    json: bool = False
    quiet: bool = False

    def say(self, text: str) -> None:
        """A line for people (stdout), printed literally; not with --json or --quiet."""
        if not (self.json or self.quiet):
            Console(highlight=False).print(Text(text), soft_wrap=True)

    def table(
        self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], expendable: Sequence[str] = ()
    ) -> list[str]:
        """A table for people under a line with its title; numbers stay on one line, also on a narrow terminal.

        expendable: columns that may be left out where there is no room for all, first those that are missed least.
        Returns those that were.
        """
        if self.json or self.quiet:
            return []
        self.say(title)
        console, cells = _tables_console(), [tuple(row) for row in rows]
        table = _table(columns, cells)
        if console.measure(table, options=console.options.update(max_width=UNBOUNDED)).maximum <= console.width:
            console.print(table)
            return []
        missed: list[str] = []
        longest = max((len(row[0]) for row in cells), default=0) if expendable else 0
        least = min(longest, console.width // NAMES)
        for column in expendable:
            if _least_width(columns, cells, least) <= console.width:
                break
            kept = [index for index, name in enumerate(columns) if name != column]
            columns, cells = [columns[index] for index in kept], [tuple(row[index] for index in kept) for row in cells]
            missed.append(column)
        excess = max(_least_width(columns, cells, longest) - console.width, 0)
        console.print(_narrow_table(columns, cells, max(least, longest - excess)))
        return missed

    def fits(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
        """Is there room for such a table, where words may be broken into lines?"""
        return _least_width(columns, [tuple(row) for row in rows]) <= _tables_console().width

    def emit(self, document: Mapping[str, Any]) -> None:
        """The JSON document of the command, printed with --json only."""
        if self.json:
            sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")

    def warn(self, text: str) -> None:
        """A warning on stderr, printed literally; not with --quiet."""
        if not self.quiet:
            Console(stderr=True, highlight=False).print(Text(f"warning: {text}"), soft_wrap=True)

    def log(self, text: str) -> None:
        """A line on stderr for those who wait, printed literally; not with --json or --quiet."""
        if not (self.json or self.quiet):
            Console(stderr=True, highlight=False).print(Text(text), soft_wrap=True)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """A progress bar on stderr while it is a terminal, else `silent`."""
        with self.bars() as bar:
            if bar is None:
                yield silent
                return
            task = bar.add_task(title, total=None, state="")

            def update(done: int, total: int, text: str = "") -> None:
                bar.update(task, completed=done, total=total, state=text)

            yield update

    @contextmanager
    def bars(self) -> Iterator[RichProgress | None]:
        """Progress bars on stderr, whose tasks have a field `state`; None where it is no terminal, or with --quiet."""
        console = Console(stderr=True)
        if self.quiet or not console.is_terminal:
            yield None
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}", markup=False),
        )
        with RichProgress(*columns, console=console, transient=True) as bar:
            yield bar


def _tables_console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)


def _table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Table:
    """Numbers are right-aligned and never wrap."""
    table = Table(header_style="bold", box=box.HEAVY_HEAD)
    return _filled(table, columns, cells)


def _narrow_table(columns: Sequence[str], cells: Sequence[Sequence[str]], names: int) -> Table:
    """The same where there is little room: titles in several lines. names: the first column's width, 0: as it is."""
    table = Table(header_style="bold", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    _filled(table, [column.replace(" ", "\n") for column in columns], cells)
    if names:
        table.columns[0].width = names
    return table


def _filled(table: Table, heads: Sequence[str], cells: Sequence[Sequence[str]]) -> Table:
    for index, head in enumerate(heads):
        numbers = _numbers(index, cells)
        table.add_column(head, justify="right" if numbers else "left", overflow="fold", no_wrap=numbers)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _numbers(index: int, cells: Sequence[Sequence[str]]) -> bool:
    """Does that column hold numbers alone, which do not wrap?"""
    return index > 0 and all(not set(row[index]) & set(string.ascii_letters) for row in cells)


def _least_width(columns: Sequence[str], cells: Sequence[Sequence[str]], names: int = 0) -> int:
    """How wide a narrow table must be, if no word and no number is to be torn; names: as of _narrow_table.

    rich measures the longest words of numbers as well, such as of 98.02 %.
    """
    total = BETWEEN * (len(columns) - 1)
    for index, column in enumerate(columns):
        whole = _numbers(index, cells)
        pieces = [piece for row in cells for piece in ([row[index]] if whole else row[index].split())]
        longest = max(map(len, (*pieces, *column.split(" "))))
        total += names if names and index == 0 else longest
    return total


def given(context: typer.Context, name: str) -> bool:
    """Did the user write this option?"""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
