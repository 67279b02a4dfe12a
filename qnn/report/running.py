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
        kept = {key: self.store.get(key) for key in keys}
        found = {key: Done(result, kept=True) for key, result in kept.items() if result is not None}
        first = {key: task for key, task in reversed(list(zip(keys, tasks, strict=True))) if key not in found}
        missing = [key for key in dict.fromkeys(keys) if key in first]
        with closing(self._outcomes([first[key] for key in missing], watcher)) as outcomes:
            for outcome in outcomes:
                key = missing[outcome.index]
                found[key] = Done(outcome.result, outcome.problem)
                if outcome.result is not None:
                    self.store.put(key, first[key].job.title, outcome.result)
        return [found[key] for key in keys]

    def _outcomes(self, tasks: Sequence[Task], watcher: Watcher) -> Generator[Outcome, None, None]:
        if self.cluster is not None:
            return run_on(self.cluster, self.tools, tasks, watcher)
        if self.workers == 1 or sum(task.job.heavy for task in tasks) < 2:
            return run_here(run_task, tasks, watcher)
        return run_apart(run_task, tasks, self.workers, watcher)
