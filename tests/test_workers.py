# SPDX-License-Identifier: MIT
"""Work in processes of their own: whatever ends one of them, the others go on and nothing is left."""

from __future__ import annotations

import multiprocessing
import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chores import Job, act

from qnn.errors import QnnError
from qnn.progress import silent
from qnn.report.job import Task, key_of
from qnn.report.running import Runner
from qnn.report.store import Store
from qnn.report.tools import Tools
from qnn.training.shards import processors
from qnn.workers import Outcome, run_apart, run_here

TOOLS = Tools("0", "source", "3", "2", "none", "gcc 1", "none")


class Noted:
    """A Watcher that remembers what it heard."""

    def __init__(self) -> None:
        self.spare: list[int] = []
        self.begun: list[int] = []
        self.done: list[tuple[int, bool]] = []
        self.told: list[tuple[int, int, int, str]] = []

    def spared(self, index: int) -> None:
        self.spare.append(index)

    def started(self, index: int) -> None:
        self.begun.append(index)

    def moved(self, index: int, done: int, total: int, text: str) -> None:
        self.told.append((index, done, total, text))

    def ended(self, index: int, final: bool) -> None:
        self.done.append((index, final))


def outcomes(items: list[tuple[str, Any]], workers: int, watcher: Noted) -> list[Outcome]:
    return sorted(run_apart(act, items, workers, watcher), key=lambda outcome: outcome.index)


def test_one_process_after_another_is_killed(tmp_path: Path) -> None:
    """Once is made good for, alone; twice is a problem of that item, and of no other."""
    items = [("", 0), ("kill", str(tmp_path / "once")), ("kill", ""), ("refuse", 3), ("fail", 4), ("full", 5), ("", 6)]
    watcher = Noted()
    found = outcomes(items, 2, watcher)
    assert [outcome.index for outcome in found] == list(range(len(items)))
    good = [outcome.result for outcome in found if not outcome.problem]
    assert good == [(0, True), (str(tmp_path / "once"), True), (6, True)]
    assert [outcome.problem for outcome in found if outcome.problem] == [
        "its process ended (killed by signal 9)",
        "it: cannot be; leave it",
        "internal error: RuntimeError: two\\nlines",
        "memory: there is not enough of it; use fewer jobs at a time",
    ]
    assert watcher.begun.count(1) == watcher.begun.count(2) == 2
    assert sorted(watcher.begun[-2:]) == [1, 2]
    assert sorted(index for index, final in watcher.done if final) == list(range(len(items)))
    assert sorted(index for index, final in watcher.done if not final) == [1, 2]
    assert (0, 1, 2, "half") in watcher.told


def test_nothing_is_left_where_nobody_waits(tmp_path: Path) -> None:
    marks = [tmp_path / "a", tmp_path / "b"]
    with closing(run_apart(act, [("", 0), *(("sleep", str(mark)) for mark in marks)], 3, Noted())) as found:
        assert next(found).index == 0
        while not all(mark.exists() and mark.read_text() for mark in marks):
            time.sleep(0.01)
    for mark in marks:
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


def test_a_worker_of_several_trains_with_one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    assert processors() == 1


def test_in_this_process_the_others_go_on_as_well() -> None:
    watcher = Noted()
    one, other, last = run_here(act, [("", 0), ("refuse", 1), ("fail", 2)], watcher)
    assert one.result == (0, False)
    assert other.problem == "it: cannot be; leave it"
    assert last.problem.startswith("internal error: RuntimeError: ")
    assert (watcher.begun, watcher.done) == ([0, 1, 2], [(0, True), (1, True), (2, True)])


def ran(folder: Path) -> list[int]:
    """The numbers of the jobs that ran so far, in order."""
    path = folder / "runs"
    return sorted(int(line.split()[0]) for line in path.read_text().splitlines()) if path.exists() else []


def test_what_is_done_is_not_run_again(tmp_path: Path) -> None:
    """Each job runs once, but for the killed one; failures are tried anew; another tool or model is another result."""
    jobs = [Job(number, str(tmp_path / "runs")) for number in (0, 1, -1, 1)]
    jobs[1] = replace(jobs[1], kill=str(tmp_path / "once"))
    tasks = [Task(job, b"xy") for job in jobs]
    runner, watcher = Runner(Store(tmp_path / "r.work"), TOOLS, 2), Noted()
    found = runner.run(tasks, watcher)
    assert sorted(index for index, final in watcher.done if final) == [0, 1, 2, 3]
    assert [done.result for done in found[:2]] == [{"number": 0, "bytes": 2}, {"number": 1, "bytes": 2}]
    assert found[2].problem == "job: is below 0; use another"
    assert found[3] == found[1]
    assert ran(tmp_path) == [-1, 0, 1, 1]
    watcher = Noted()
    again = runner.run(tasks, watcher)
    assert [done.kept for done in again] == [True, True, False, True]
    assert (watcher.spare, watcher.begun) == ([0, 1, 3], [2])
    assert ran(tmp_path) == [-1, -1, 0, 1, 1]
    Runner(Store(tmp_path / "r.work"), replace(TOOLS, host_compiler="gcc 2"), 1).run(tasks[:1], Noted())
    Runner(Store(tmp_path / "r.work", fresh=True), TOOLS, 1).run(tasks[:1], Noted())
    assert ran(tmp_path).count(0) == 3


def test_only_whole_results_are_taken(tmp_path: Path) -> None:
    """A file that is damaged, or is another job's, is as none."""
    task, runner = Task(Job(7, str(tmp_path / "runs"))), Runner(Store(tmp_path / "r.work"), TOOLS, 1)
    runner.run([task], Noted())
    (path,) = (tmp_path / "r.work").iterdir()
    whole = path.read_bytes()
    for damaged in (whole[:-4], b"", b"[]", b"\xff", whole.replace(b'"key": "', b'"key": "0'), b"[" * 100_000):
        path.write_bytes(damaged)
        assert runner.run([task], Noted())[0].result == {"number": 7, "bytes": 0}
        assert path.read_bytes() == whole
    assert ran(tmp_path) == [7] * 7


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "r.work")
    store.put("ab", "a job", {"value": 1})

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        store.put("ab", "a job", {"value": 2})
    assert store.get("ab") == {"value": 1}
    assert [path.name for path in (tmp_path / "r.work").iterdir()] == ["ab.json"]


def test_a_key_is_of_what_determines_the_result(tmp_path: Path) -> None:
    job = Job(1, "here")
    assert key_of(job, TOOLS) == key_of(replace(job, runs="there"), TOOLS)
    assert key_of(job, TOOLS) != key_of(replace(job, number=2), TOOLS)
    assert key_of(job, TOOLS) != key_of(job, replace(TOOLS, source="other"))


def test_a_job_runs_without_a_store(tmp_path: Path) -> None:
    job = Job(3, str(tmp_path / "runs"))
    assert Runner(Store(None), TOOLS, 1).run([Task(job)], Noted())[0].result == job.run(b"", silent)
    (tmp_path / "r.work").touch()
    with pytest.raises(QnnError, match="is there and is not a folder"):
        Store(tmp_path / "r.work").check()
