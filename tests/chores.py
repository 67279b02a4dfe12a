# SPDX-License-Identifier: MIT
"""What processes of the tests do: work, fail, or end in the middle of it. Imports little, since they all import it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qnn.errors import QnnError
from qnn.progress import Progress


def killed(first: str) -> None:
    """End this process as the system does where memory is short; only once, if `first` is a file to mark that with."""
    if first and Path(first).exists():
        return
    if first:
        Path(first).touch()
    os.kill(os.getpid(), signal.SIGKILL)


def act(item: tuple[str, Any], progress: Progress) -> object:
    """What the tests' processes do."""
    what, value = item
    if what == "kill":
        killed(value)
    if what == "refuse":
        raise QnnError("it", "cannot be", "leave it")
    if what == "fail":
        raise RuntimeError("two\nlines")
    if what == "full":
        raise MemoryError
    if what == "sleep":
        Path(value).write_text(str(os.getpid()))
        time.sleep(60)
    progress(1, 2, "half")
    return (value, multiprocessing.parent_process() is not None)


@dataclass(frozen=True)
class Job:
    """A job of a report that notes its number and process in the file `runs`, and takes so many seconds."""

    number: int
    runs: str = field(metadata={"place": True})
    kill: str = field(default="", metadata={"place": True})
    seconds: float = 0.0
    heavy = True

    @property
    def title(self) -> str:
        return f"job {self.number}"

    def run(self, content: bytes, progress: Progress) -> dict[str, Any]:
        with Path(self.runs).open("a") as stream:
            stream.write(f"{self.number} {os.getpid()}\n")
        time.sleep(self.seconds)
        if self.kill:
            killed(self.kill)
        if self.number < 0:
            raise QnnError("job", "is below 0", "use another")
        return {"number": self.number, "bytes": len(content)}
