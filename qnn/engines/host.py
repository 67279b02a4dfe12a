# SPDX-License-Identifier: MIT
"""The emitted C on this machine: a shared library, or a program of its own where sanitizers watch."""

from __future__ import annotations

import ctypes
import sys
import tempfile
from pathlib import Path

import numpy as np

from qnn import process, toolchain
from qnn.engines.engine import CrashError, Measurement, ObjectSizes
from qnn.engines.interface import Interface
from qnn.engines.job import Job, run_jobs
from qnn.engines.sources import HOST_FILES, MODEL, TRACED_MODEL, write_sources
from qnn.errors import QnnError
from qnn.progress import Progress, silent
from qnn.toolchain import Compiler

SANITIZED = ("-fsanitize=undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
ADDRESS_SANITIZED = ("-fsanitize=address", "-DQNNISOLATE", "-fno-omit-frame-pointer")
PROGRAM_TIMEOUT = 600.0


class HostEngine:
    """Runs NAME.h of the folder `build` on this machine.

    flags: optimization and sanitizers. As a program (`program`), not a library, a crash ends only the program.
    Raises QnnError if the header does not compile. Close it when done.
    """

    name = "host"
    runner = ""
    sizes: ObjectSizes | None = None

    def __init__(
        self,
        build: Path,
        interface: Interface,
        compiler: Compiler | None = None,
        flags: tuple[str, ...] = ("-O2",),
        program: bool = False,
    ) -> None:
        self.compiler = compiler or toolchain.host_compiler()
        self.interface = interface
        self._flags = flags
        self._program = program
        self._folder = tempfile.TemporaryDirectory(prefix="qnn-", ignore_cleanup_errors=True)
        self._libraries: dict[str, ctypes.CDLL] = {}
        try:
            write_sources(build, interface, HOST_FILES, Path(self._folder.name))
            self._binary(MODEL)
        except BaseException:
            self.close()
            raise

    def run(self, x: np.ndarray, q: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """See Engine.run."""
        return run_jobs(self.interface, x, q, lambda job: self._execute(job, MODEL))

    def trace(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See Engine.trace."""
        return run_jobs(self.interface, x, None, lambda job: self._execute(job, TRACED_MODEL), trace=True)

    def measure(self, x: np.ndarray, progress: Progress = silent) -> Measurement | None:
        """None: instructions of this machine say nothing about RV32."""
        return None

    def close(self) -> None:
        """See Engine.close."""
        for library in self._libraries.values():
            _unload(library)
        self._libraries.clear()
        self._folder.cleanup()

    def _execute(self, job: Job, model: str) -> bytes:
        if self._program:
            return self._execute_program(job, self._binary(model))
        memory = np.zeros(job.size // 8, np.uint64).view(np.uint8)
        memory[: job.reply] = job.request
        _check(self.interface, self._library(model).qnnHost(ctypes.c_void_p(memory.ctypes.data)))
        return memory[job.reply :].tobytes()

    def _execute_program(self, job: Job, binary: Path) -> bytes:
        request, reply = binary.with_suffix(".request"), binary.with_suffix(".reply")
        request.write_bytes(job.request.tobytes() + bytes(job.size - job.reply))
        command = (str(binary), str(request), str(reply))
        result = process.run(command, timeout=PROGRAM_TIMEOUT, subject=f"{self.interface.name}.h", check=False)
        if result.code not in (0, 1, 2, 3) or "runtime error" in result.stderr or "Sanitizer" in result.stderr:
            raise CrashError(result.complaint)
        _check(self.interface, result.code)
        return reply.read_bytes()[job.reply :]

    def _library(self, model: str) -> ctypes.CDLL:
        if model not in self._libraries:
            path = self._binary(model)
            try:
                library = ctypes.CDLL(str(path))
            except OSError as error:
                remedy = f"is {self.compiler} for this machine's Python? see qnn doctor"
                raise QnnError(f"{self.interface.name}.h", f"cannot be loaded ({error})", remedy) from None
            library.qnnHost.argtypes = [ctypes.c_void_p]
            library.qnnHost.restype = ctypes.c_int
            self._libraries[model] = library
        return self._libraries[model]

    def _binary(self, model: str) -> Path:
        """The compiled library or program around `model`, compiled at the first call."""
        folder = Path(self._folder.name)
        ending = ".exe" if self._program else ".dll" if sys.platform == "win32" else ".so"
        binary = folder / Path(model).with_suffix(ending)
        if not binary.exists():
            traced = model == TRACED_MODEL
            sources = (model, *(Path(file).name for file in HOST_FILES))
            macros = [macro for macro, set_ in (("-DQNNMAIN", self._program), ("-DQNNTRACE", traced)) if set_]
            flags = (*toolchain.host_flags(self.compiler, not self._program), *self._flags, *macros)
            subject = f"{self.interface.name}.h"
            toolchain.compile_c(self.compiler, flags, sources, binary.name, cwd=folder, subject=subject)
        return binary


def _check(interface: Interface, status: int) -> None:
    if status == 1:
        raise CrashError(f"a function of {interface.name}.h returned something else than 0")
    if status != 0:
        raise CrashError(f"the program around {interface.name}.h failed with code {status}: is there enough memory?")


def _unload(library: ctypes.CDLL) -> None:
    """Windows keeps a loaded library's file open, so that it could not be deleted."""
    if sys.platform == "win32":
        ctypes.windll.kernel32.FreeLibrary(ctypes.c_void_p(library._handle))
