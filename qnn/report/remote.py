# SPDX-License-Identifier: MIT
"""Jobs on other machines, by a Dask cluster: models travel with their jobs, data is read there under the same name."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qnn.errors import QnnError, one_line
from qnn.progress import silent
from qnn.report.job import Task, run_task
from qnn.report.tools import Tools, tools_here
from qnn.workers import Outcome, Watcher

if TYPE_CHECKING:
    from distributed import Client, Future

TIMEOUT = 10.0  # seconds for the scheduler to answer, and for a first worker to be there
POLL = 0.2  # seconds between two looks at what is done, and at whether there still is a worker
ALONE = 30.0  # seconds without one, after which nobody is waited for
ADDRESS = re.compile(r"[a-z]+://[^/\s]+:\d+")
REMEDY = "start one: dask scheduler, and on each machine: dask worker ADDRESS --nthreads 1"
SAME = "install the same qnn on every machine"


@dataclass(frozen=True)
class Cluster:
    """The address of a Dask scheduler, such as tcp://10.0.0.5:8786."""

    address: str


@dataclass(frozen=True, eq=False)
class Answer:
    """What a worker gives: a result, or in one line why there is none."""

    result: dict[str, Any] | None
    problem: str = ""


def check_cluster(cluster: Cluster, here: Tools) -> Tools:
    """The Tools to call results by: `here`, with the compilers and emulators that the workers have.

    Raises QnnError where dask is not installed, no scheduler answers, there is no worker, or one has another qnn.
    """
    with closing(_connected(cluster)) as client:
        found = _tools_of(client, cluster)
    for worker, tools in found.items():
        _check_same(worker, tools, here)
    return _joined(here, list(found.values()))


def run_on(cluster: Cluster, here: Tools, tasks: Sequence[Task], watcher: Watcher) -> Generator[Outcome, None, None]:
    """The Outcome of every task, as they are done. The scheduler gives the jobs of a lost worker to another one.

    Where no worker is left for ALONE seconds, what is not done has failed.
    """
    with closing(_connected(cluster)) as client:
        futures = client.map(answer, tasks, source=here.source, pure=False)
        waiting = {future: index for index, future in enumerate(futures)}
        worked = time.monotonic()
        while waiting:
            for future in _done(waiting):
                index = waiting.pop(future)
                watcher.ended(index, final=True)
                yield _outcome(index, future)
            if client.nthreads():
                worked = time.monotonic()
            elif time.monotonic() - worked >= ALONE:
                break
        for index in waiting.values():
            watcher.ended(index, final=True)
            yield Outcome(index, problem=f"the cluster has had no worker for {ALONE:.0f} seconds")
        client.cancel(list(waiting))


def _done(futures: Iterable[Future[Any]]) -> set[Future[Any]]:
    """Those that are done; a moment later where none is."""
    found = {future for future in futures if future.done()}
    if not found:
        time.sleep(POLL)
    return found


def answer(task: Task, source: str) -> Answer:
    """What a worker does: the result of a task's job, if its qnn is the one whose source has that hash."""
    mine = tools_here()
    if mine.source != source:
        return Answer(None, f"a worker has another qnn ({mine.qnn}, source {mine.source[:12]}); {SAME}")
    try:
        return Answer(run_task(task, silent))
    except QnnError as error:
        return Answer(None, str(error))


def _outcome(index: int, future: Any) -> Outcome:
    """What became of a future that is done."""
    try:
        found: Answer = future.result()
    except Exception as error:  # whatever the worker raised, or that it was lost too often
        return Outcome(index, problem=one_line(f"{type(error).__name__}: {error}"))
    return Outcome(index, found.result, found.problem)


def _connected(cluster: Cluster) -> Client:
    """A client of the scheduler."""
    try:
        from distributed import Client
    except ImportError:
        raise QnnError("--scheduler", "needs Dask, which is not installed", "pip install 'qnn[dask]'") from None
    if not ADDRESS.fullmatch(cluster.address):
        raise QnnError(f"--scheduler {cluster.address}", "is no address", "give one such as tcp://10.0.0.5:8786")
    try:
        return Client(cluster.address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TimeoutError, asyncio.TimeoutError) as error:
        problem = f"no Dask scheduler answers there ({type(error).__name__})"
        raise QnnError(f"--scheduler {cluster.address}", problem, REMEDY) from None


def _tools_of(client: Client, cluster: Cluster) -> dict[str, Tools]:
    """The Tools of each worker, by its address."""
    subject = f"--scheduler {cluster.address}"
    try:
        client.wait_for_workers(1, timeout=TIMEOUT)
        return dict(client.run(tools_here))
    except (TimeoutError, asyncio.TimeoutError):
        raise QnnError(subject, "has no workers", f"start some: dask worker {cluster.address} --nthreads 1") from None
    except (ImportError, AttributeError, TypeError) as error:
        raise QnnError(subject, f"a worker cannot load this qnn ({error})", SAME) from None


def _check_same(worker: str, tools: Tools, here: Tools) -> None:
    """Raises QnnError unless the worker's qnn is this one."""
    if (tools.qnn, tools.source) != (here.qnn, here.source):
        theirs, mine = (f"{one.qnn}, source {one.source[:12]}" for one in (tools, here))
        raise QnnError(worker, f"this worker has another qnn ({theirs}; here {mine})", SAME)


def _joined(here: Tools, found: Sequence[Tools]) -> Tools:
    """`here` with what the workers measure with; all that there is where they differ."""

    def texts(name: str) -> str:
        return " or ".join(sorted({str(getattr(tools, name)) for tools in found}))

    names = ("python", "numpy", "unicorn", "host_compiler", "rv32_compiler")
    return Tools(here.qnn, here.source, *(texts(name) for name in names))
