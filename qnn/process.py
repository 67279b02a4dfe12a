# SPDX-License-Identifier: MIT
"""The only place that starts processes: bounded in time and output, never a shell, failures told in one line."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from qnn.errors import QnnError

OUTPUT_LIMIT = 1 << 20  # bytes kept of each stream


@dataclass(frozen=True)
class Result:
    """How a process ended: its exit code (negative: killed by that signal) and the beginnings of its output streams."""

    code: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """The first useful line of what it said: the first with "error" or "panic" in it, else the first of all."""
        lines = [line.strip() for line in (self.stderr + "\n" + self.stdout).splitlines() if line.strip()]
        useful = [
            line for line in lines if re.search(r"\b(fatal|error|undefined|panic|cannot|not found)\b", line, re.I)
        ]
        return (useful or lines or [f"exit code {self.code}"])[0]


def run(
    command: Sequence[str],
    *,
    timeout: float = 120.0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    subject: object = None,
    remedy: str = "",
    check: bool = True,
) -> Result:
    """Run `command` (program and arguments, no shell) to its end, with no input.

    env: variables set on top of this process's own. subject, remedy: for the error's text.
    check: raise if the exit code is not 0.
    Raises QnnError if the program cannot be started, takes longer than `timeout` seconds (it and the processes
    that it started are then killed), or fails; the problem is the first useful line that it wrote.
    """
    about = subject if subject is not None else Path(command[0]).name
    # Files, not pipes: a grandchild that outlives the child cannot keep us waiting for the end of a pipe.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = _start(command, cwd, env, out, err, about)
        if not _ended(child, timeout):
            raise QnnError(about, f"took longer than {timeout:g} s and was stopped", remedy)
        result = Result(child.returncode, _beginning(out), _beginning(err))
    if check and result.code != 0:
        raise QnnError(about, result.complaint, remedy)
    return result


class Companion:
    """A Python program beside this one, asked and answering by single bytes; it ends when this process does."""

    def __init__(self, module: str, argument: str) -> None:
        """Start `module`.main(argument) in a process of its own. Raises OSError where that cannot be."""
        if not sys.executable:
            raise OSError("this Python does not know its own program")
        options: dict[str, Any] = {}
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP  # Ctrl-C is for this process alone
        else:
            options["start_new_session"] = True
        code = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import main; main(sys.argv[2])"
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-c", code, json.dumps([str(place) for place in sys.path]), argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            **options,
        )

    def tell(self, byte: bytes) -> bool:
        """Send one byte; False if the program has ended."""
        if self._child.stdin is None:
            return False
        try:
            self._child.stdin.write(byte)
        except (OSError, ValueError):  # ended, or closed
            return False
        return True

    def answer(self) -> bytes:
        """Wait for one byte; b"" if the program has ended."""
        try:
            return (self._child.stdout.read(1) if self._child.stdout is not None else b"") or b""
        except ValueError:  # closed
            return b""

    @property
    def ended(self) -> bool:
        """Has the program ended?"""
        return self._child.poll() is not None

    def close(self) -> None:
        """End the program, whatever it is doing."""
        if self._child.poll() is None:
            _kill(self._child)
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._child.wait()


def _start(
    command: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    out: IO[bytes],
    err: IO[bytes],
    about: object,
) -> subprocess.Popen[bytes]:
    # LC_ALL=C: messages are quoted in errors and versions are parsed, so they must not be translated.
    environment = {**os.environ, "LC_ALL": "C", **(env or {})}
    try:
        return subprocess.Popen(
            list(command),
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=sys.platform != "win32",  # so that a whole compiler driver can be killed at once
        )
    except FileNotFoundError:
        raise QnnError(about, f"{command[0]} was not found", "install it or correct its name") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise QnnError(about, f"{command[0]} cannot be started ({reason})", "check the program") from None


def _ended(child: subprocess.Popen[bytes], timeout: float) -> bool:
    """Wait for the child; False if it had to be ended after `timeout` seconds. It never survives this call."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        _kill(child)

    # A timer that kills, since Popen.wait with a timeout looks only every 50 ms, longer than a compiler runs.
    timer = threading.Timer(timeout, stop)
    timer.daemon = True
    timer.start()
    try:
        child.wait()
    finally:
        timer.cancel()
        if child.returncode is None:
            _kill(child)
            child.wait()
    return not late.is_set()


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and, where the system has process groups, what it started."""
    if sys.platform != "win32":
        import signal

        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            child.kill()
    else:
        child.kill()


def _beginning(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read(OUTPUT_LIMIT).decode("utf-8", errors="replace")
