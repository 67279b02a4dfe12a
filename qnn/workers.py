# SPDX-License-Identifier: MIT
"""One function on many items, in processes of their own; an item whose process ends is tried again, alone, once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from qnn.errors import QnnError, one_line
from qnn.progress import Progress

TELL_EVERY = 0.1  # seconds between two words on how far an item is
PATIENCE = 2.0  # seconds that a worker has to clean up before it is killed
PROGRESS, DONE, FAILED = "progress", "done", "failed"
SPAWN = multiprocessing.get_context("spawn")  # the same everywhere, and no locks of threads are inherited

Function = Callable[[Any, Progress], Any]  # of a module: another process finds it by its name


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of the item at `index`: its result, or in one line why there is none.

    lost: its process ended, nobody knows why.
    """

    index: int
    result: Any = None
    problem: str = ""
    lost: bool = False


class Watcher(Protocol):
    """Hears which items are worked on, and how far they are."""

    def spared(self, index: int) -> None:
        """The result of the item at `index` is there already."""
        ...

    def started(self, index: int) -> None:
        """Work on the item at `index` begins."""
        ...

    def moved(self, index: int, done: int, total: int, text: str) -> None:
        """It is so far."""
        ...

    def ended(self, index: int, final: bool) -> None:
        """It is done, or, where that is not final, will be tried again; nobody may have known that it began."""
        ...


def run_here(function: Function, items: Sequence[Any], watcher: Watcher) -> Generator[Outcome, None, None]:
    """The Outcome of every item, one after the other, in this process."""
    for index, item in enumerate(items):
        watcher.started(index)

        def tell(done: int, total: int, text: str = "", index: int = index) -> None:
            watcher.moved(index, done, total, text)

        kind, content = _answer(function, item, tell)
        outcome = Outcome(index, content) if kind == DONE else Outcome(index, problem=content)
        watcher.ended(index, final=True)
        yield outcome


def run_apart(
    function: Function, items: Sequence[Any], workers: int, watcher: Watcher
) -> Generator[Outcome, None, None]:
    """The Outcome of every item, in the order in which they are done, by so many processes at a time.

    An item whose process ends is run once more after all others, with nothing beside it: what killed it may have been
    the memory that they took. Closing the iterator ends the processes.
    """
    lost = []
    for outcome in _run(function, items, range(len(items)), workers, watcher):
        watcher.ended(outcome.index, final=not outcome.lost)
        if outcome.lost:
            lost.append(outcome.index)
        else:
            yield outcome
    for index in lost:
        for outcome in _run(function, items, (index,), 1, watcher):
            watcher.ended(index, final=True)
            yield outcome


def _run(
    function: Function, items: Sequence[Any], indices: Sequence[int], workers: int, watcher: Watcher
) -> Generator[Outcome, None, None]:
    waiting = deque(indices)
    with closing(Team(function, min(workers, len(indices)))) as team:
        while waiting or team.busy:
            while waiting and (worker := team.free()):
                watcher.started(waiting[0])
                worker.give(waiting[0], items[waiting[0]])
                waiting.popleft()
            for worker in team.heard():
                outcome = worker.take(watcher)
                if outcome is not None:
                    yield outcome


class Worker:
    """A process that applies the function to what it is given, one item after the other."""

    def __init__(self, function: Function, threads: int) -> None:
        """Start it. threads: of its matrix products."""
        self.connection, theirs = SPAWN.Pipe()
        self.index: int | None = None  # of the item that it works on
        self.alive = True
        self._process = SPAWN.Process(target=_serve, args=(theirs, function, threads), daemon=True)
        with _deaf_to_interrupts():
            self._process.start()
        theirs.close()  # so that the end of the process is the end of the line

    def give(self, index: int, item: Any) -> None:
        """Have it work on `item`."""
        self.index = index
        with contextlib.suppress(OSError):  # it has ended: `take` will tell
            self.connection.send(item)

    def take(self, watcher: Watcher) -> Outcome | None:
        """What it has to say: an Outcome, or None where that was only how far it is."""
        index = self.index if self.index is not None else -1
        try:
            kind, content = self.connection.recv()
        except (EOFError, OSError):
            self.alive, self.index = False, None
            self._process.join(PATIENCE)
            return Outcome(index, problem=f"its process ended ({_ending(self._process.exitcode)})", lost=True)
        if kind == PROGRESS:
            watcher.moved(index, *content)
            return None
        self.index = None
        return Outcome(index, content) if kind == DONE else Outcome(index, problem=content)

    def stop(self) -> None:
        """Ask it to end, whatever it is doing."""
        self.connection.close()
        self._process.terminate()

    def join(self) -> None:
        """Wait until it has ended; it is killed where that takes too long."""
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


class Team:
    """At most `size` Workers, each started when it is needed."""

    def __init__(self, function: Function, size: int) -> None:
        self._function, self._size = function, size
        self._workers: list[Worker] = []

    @property
    def busy(self) -> bool:
        """Does one of them work on something?"""
        return any(worker.index is not None for worker in self._workers)

    def free(self) -> Worker | None:
        """One that has nothing to do, None where all have."""
        idle = next((worker for worker in self._workers if worker.alive and worker.index is None), None)
        if idle is None and sum(worker.alive for worker in self._workers) < self._size:
            idle = Worker(self._function, max(1, (os.cpu_count() or 1) // self._size))
            self._workers.append(idle)
        return idle

    def heard(self) -> list[Worker]:
        """Those that have something to say; waits for it."""
        working = [worker for worker in self._workers if worker.index is not None]
        ready = wait([worker.connection for worker in working])
        return [worker for worker in working if worker.connection in ready]

    def close(self) -> None:
        """End them all."""
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.join()


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"killed by signal {-code}"


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What is started meanwhile ignores Ctrl-C, which is for this process alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(line: Connection, function: Function, threads: int) -> None:
    """What a Worker's process does until its line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    with threadpool_limits(limits=threads, user_api="blas"), contextlib.suppress(EOFError, OSError):
        while True:
            item = line.recv()
            line.send(_answer(function, item, _teller(line)))


def _answer(function: Function, item: Any, progress: Progress) -> tuple[str, Any]:
    """DONE and the result of an item, or FAILED and in one line why there is none."""
    try:
        return DONE, function(item, progress)
    except QnnError as error:
        return FAILED, str(error)
    except MemoryError:
        return FAILED, "memory: there is not enough of it; use fewer jobs at a time"
    except Exception as error:
        return FAILED, one_line(f"internal error: {type(error).__name__}: {error}")


def _teller(line: Connection) -> Progress:
    """Tells how far an item is, not too often."""
    last = 0.0

    def tell(done: int, total: int, text: str = "") -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_EVERY:
            last = time.monotonic()
            line.send((PROGRESS, (done, total, text)))

    return tell


def _end(number: int, frame: object) -> None:
    """SIGTERM unwinds the stack, so that compilers end and temporary files go."""
    sys.exit(128 + number)
