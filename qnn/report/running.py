# SPDX-License-Identifier: MIT
"""Jobs are run, those whose results are kept are not run again."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from qnn.report.job import Task, key_of, run_task
from qnn.report.remote import Cluster, run_on
from qnn.report.store import Store
from qnn.report.tools import Tools
from qnn.workers import Outcome, Watcher, run_apart, run_here


@dataclass(frozen=True)
class Done:
    """What became of a task: its result, or in one line why there is none. kept: the result was there already."""

    result: dict[str, Any] | None
    problem: str = ""
    kept: bool = False


@dataclass(frozen=True)
class Placed:
    """Tells `watcher` of some of its items: the first is that at places[0]."""

    watcher: Watcher
    places: Sequence[int]

    def spared(self, index: int) -> None:
        """As the watcher's."""
        self.watcher.spared(self.places[index])

    def started(self, index: int) -> None:
        """As the watcher's."""
        self.watcher.started(self.places[index])

    def moved(self, index: int, done: int, total: int, text: str) -> None:
        """As the watcher's."""
        self.watcher.moved(self.places[index], done, total, text)

    def ended(self, index: int, final: bool) -> None:
        """As the watcher's."""
        self.watcher.ended(self.places[index], final)


@dataclass(frozen=True)
class Runner:
    """Where jobs run and their results are kept.

    tools: what measures. workers: how many processes at a time; 1: this one alone. cluster: in place of them.
    """

    store: Store
    tools: Tools
    workers: int
    cluster: Cluster | None = None

    def run(self, tasks: Sequence[Task], watcher: Watcher) -> list[Done]:
        """What became of each task, in order. Each result is kept as soon as it is there, so that Ctrl-C loses none."""
        keys = [key_of(task.job, self.tools) for task in tasks]
        found: dict[str, Done] = {}
        missing: list[int] = []  # of equal tasks the first
        for index, key in enumerate(keys):
            result = self.store.get(key)
            if result is not None:
                found[key] = Done(result, kept=True)
                watcher.spared(index)
            elif all(keys[other] != key for other in missing):
                missing.append(index)
        with closing(self._outcomes([tasks[index] for index in missing], Placed(watcher, missing))) as outcomes:
            for outcome in outcomes:
                index = missing[outcome.index]
                found[keys[index]] = Done(outcome.result, outcome.problem)
                for equal in range(index + 1, len(tasks)):
                    if keys[equal] == keys[index]:
                        watcher.ended(equal, final=True)
                if outcome.result is not None:
                    self.store.put(keys[index], tasks[index].job.title, outcome.result)
        return [found[key] for key in keys]

    def _outcomes(self, tasks: Sequence[Task], watcher: Watcher) -> Generator[Outcome, None, None]:
        if self.cluster is not None:
            return run_on(self.cluster, tasks, watcher)
        if self.workers == 1 or sum(task.job.heavy for task in tasks) < 2:
            return run_here(run_task, tasks, watcher)
        return run_apart(run_task, tasks, self.workers, watcher)
