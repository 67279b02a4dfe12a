# SPDX-License-Identifier: MIT
"""Jobs on other machines, by a Dask cluster: models travel with their jobs, data is read there under the same name."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
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
OTHER_QNN = (ImportError, AttributeError, TypeError)  # what a worker raises that cannot load what it is given


@dataclass(frozen=True)
class Cluster:
    """The address of a Dask scheduler, such as tcp://10.0.0.5:8786; known: the Tools of its first workers."""

    address: str
    known: tuple[Tools, ...] = ()

    @property
    def tools(self) -> Tools:
        """What results are called by: what the known workers measure with, all that there is where they differ."""

        def texts(name: str) -> str:
            return " or ".join(sorted({str(getattr(tools, name)) for tools in self.known}))

        return Tools(*(texts(item.name) for item in fields(Tools)))


@dataclass(frozen=True, eq=False)
class Answer:
    """What a worker gives: a result, or in one line why there is none. misfit: it has other tools than it should."""

    result: dict[str, Any] | None
    problem: str = ""
    misfit: bool = False


def check_cluster(cluster: Cluster, here: Tools) -> Cluster:
    """The cluster with the Tools of the workers that it has now.

    Raises QnnError where dask is not installed, no scheduler answers, there is no worker, or one has another qnn.
    """
    with closing(_connected(cluster)) as client:
        found = _tools_of(client, cluster)
    for worker, tools in found.items():
        _check_same(worker, tools, here)
    return replace(cluster, known=tuple(dict.fromkeys(found.values())))


def run_on(cluster: Cluster, tasks: Sequence[Task], watcher: Watcher) -> Generator[Outcome, None, None]:
    """The Outcome of every task, as they are done. The scheduler gives the jobs of a lost worker to another one.

    Workers that joined later do jobs only if they have the tools of the first ones. Where for ALONE seconds there is
    none with these, what is not done has failed.
    """
    with closing(_connected(cluster)) as client:
        jobs = _Jobs(client, cluster, tasks)
        worked = time.monotonic()
        while jobs.open:
            for outcome in jobs.done():
                watcher.ended(outcome.index, final=True)
                yield outcome
            if jobs.dealt():
                worked = time.monotonic()
            elif time.monotonic() - worked >= ALONE:
                break
        problem = f"the cluster has had no worker{' with the tools of its first ones' if jobs.misfits else ''}"
        for index in jobs.open:
            watcher.ended(index, final=True)
            yield Outcome(index, problem=f"{problem} for {ALONE:.0f} seconds")
        client.cancel(list(jobs.futures))


class _Jobs:
    """Tasks at a cluster that are not done: each has a future, or is held until there is a worker for it.

    fitting, misfits: addresses of workers with the right tools and with others, as far as they were asked. Who has
    refused a task is not asked again: its next future is for the others alone, and where these are lost it is held
    again.
    """

    def __init__(self, client: Client, cluster: Cluster, tasks: Sequence[Task]) -> None:
        self.client, self.cluster, self.tasks = client, cluster, tasks
        self.misfits: set[str] = set()
        self.fitting: set[str] = set()
        self.held: list[int] = []
        futures = client.map(answer, tasks, known=cluster.known, pure=False)
        self.futures: dict[Future[Any], int] = {future: index for index, future in enumerate(futures)}
        self.reserved: dict[Future[Any], set[str]] = {}  # of futures for some workers alone: their addresses

    @property
    def open(self) -> list[int]:
        """The places of the tasks that are not done."""
        return sorted((*self.futures.values(), *self.held))

    def done(self) -> Generator[Outcome, None, None]:
        """What is done since it was last asked; a moment later where nothing is."""
        found = {future for future in self.futures if future.done()}
        if not found:
            time.sleep(POLL)
        for future in found:
            index = self.futures.pop(future)
            fits = self.reserved.pop(future, None) is not None
            outcome = _outcome(index, future, fits)
            if outcome is None:
                self.held.append(index)
            else:
                yield outcome

    def dealt(self) -> bool:
        """Give what is held to the workers with the right tools; False where there is none of them."""
        there = set(self.client.nthreads())
        for future in [future for future, allowed in self.reserved.items() if not allowed & there]:
            self.reserved.pop(future)
            self.held.append(self.futures.pop(future))
            self.client.cancel([future])
        new = there - self.misfits - self.fitting
        if self.held and new:
            found = self.client.run(tools_here, workers=sorted(new), on_error="return")
            self.fitting |= {worker for worker, tools in found.items() if tools in self.cluster.known}
            self.misfits |= found.keys() - self.fitting
        allowed = there - self.misfits
        while allowed and self.held:
            index = self.held.pop()
            only = {"workers": sorted(allowed), "pure": False}
            future = self.client.submit(answer, self.tasks[index], known=self.cluster.known, **only)
            self.futures[future], self.reserved[future] = index, allowed
        return bool(allowed)


def answer(task: Task, known: Sequence[Tools]) -> Answer:
    """What a worker does: the result of a task's job, if its tools are among those that results are called by.

    What goes wrong in the job is told, so that what a caller gets raised is of the worker.
    """
    if tools_here() not in known:
        return Answer(None, misfit=True)
    try:
        return Answer(run_task(task, silent))
    except QnnError as error:
        return Answer(None, str(error))
    except Exception as error:  # one row has failed; the others go on
        return Answer(None, _told(error))


def _outcome(index: int, future: Any, fits: bool) -> Outcome | None:
    """What became of a future that is done; None where its worker has other tools, or no qnn that could tell.

    fits: is the worker known to have the right ones?
    """
    try:
        found: Answer = future.result()
    except Exception as error:  # the worker cannot load this qnn, or workers were lost too often
        other = isinstance(error, OTHER_QNN) and not fits
        return None if other else Outcome(index, problem=_told(error))
    return None if found.misfit else Outcome(index, found.result, found.problem)


def _told(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")


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
    except OTHER_QNN as error:
        raise QnnError(subject, f"a worker cannot load this qnn ({error})", SAME) from None


def _check_same(worker: str, tools: Tools, here: Tools) -> None:
    """Raises QnnError unless the worker's qnn is this one."""
    if (tools.qnn, tools.source) != (here.qnn, here.source):
        theirs, mine = (f"{one.qnn}, source {one.source[:12]}" for one in (tools, here))
        raise QnnError(worker, f"this worker has another qnn ({theirs}; here {mine})", SAME)
