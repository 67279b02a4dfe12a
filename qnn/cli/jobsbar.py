# SPDX-License-Identifier: MIT
"""How far jobs are: on a terminal a line for each that runs and one for all, else lines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import Progress as RichProgress
from rich.progress import TaskID

from qnn.cli.console import Output
from qnn.workers import Watcher


class JobsBar:
    """A Watcher for terminals."""

    def __init__(self, bar: RichProgress, title: str, titles: Sequence[str]) -> None:
        self._bar, self._titles = bar, titles
        self._all = bar.add_task(title, total=len(titles), state="")
        self._lines: dict[int, TaskID] = {}

    def spared(self, index: int) -> None:
        """One less to wait for."""
        self._bar.advance(self._all)

    def started(self, index: int) -> None:
        """A line more."""
        self._lines[index] = self._bar.add_task(f"  {self._titles[index]}", total=None, state="")

    def moved(self, index: int, done: int, total: int, text: str) -> None:
        """The line tells how far it is."""
        self._bar.update(self._lines[index], completed=done, total=total, state=text)

    def ended(self, index: int, final: bool) -> None:
        """The line goes."""
        if index in self._lines:
            self._bar.remove_task(self._lines.pop(index))
        self._bar.advance(self._all, int(final))


class JobLines:
    """A Watcher for files, pipes and nobody."""

    def __init__(self, output: Output, titles: Sequence[str]) -> None:
        self._output, self._titles, self._done = output, titles, 0
        self._begun: dict[int, float] = {}

    def spared(self, index: int) -> None:
        """A line."""
        self._count("kept", index)

    def started(self, index: int) -> None:
        """A line."""
        self._begun[index] = time.monotonic()
        self._output.log(f"started: {self._titles[index]}")

    def moved(self, index: int, done: int, total: int, text: str) -> None:
        """Nothing is told."""

    def ended(self, index: int, final: bool) -> None:
        """A line, with how long it took where that is known."""
        if not final:
            self._output.log(f"lost, to be tried again: {self._titles[index]}")
            return
        took = f" ({time.monotonic() - self._begun[index]:.1f} s)" if index in self._begun else ""
        self._count("ended", index, took)

    def _count(self, what: str, index: int, more: str = "") -> None:
        self._done += 1
        self._output.log(f"{what} {self._done} of {len(self._titles)}: {self._titles[index]}{more}")


@contextmanager
def watching(output: Output, title: str, titles: Sequence[str]) -> Iterator[Watcher]:
    """A Watcher that tells, on `output`, how far jobs with these titles are."""
    with output.bars() as bar:
        yield JobLines(output, titles) if bar is None else JobsBar(bar, title, titles)
