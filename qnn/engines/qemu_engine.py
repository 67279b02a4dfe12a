# SPDX-License-Identifier: MIT
"""The emitted C in qemu-system-riscv32, a second emulator that counts instructions by itself (minstret)."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np

from qnn import process
from qnn.engines.engine import CrashError, Measurement
from qnn.engines.image import Image, Images
from qnn.engines.interface import Interface
from qnn.engines.job import INSTRUCTIONS, Job, run_jobs
from qnn.errors import QnnError
from qnn.progress import Progress, silent
from qnn.toolchain import Compiler

PROGRAM = "qemu-system-riscv32"
REMEDY = "install it (Debian: qemu-system-misc) or use --on rv32"
TIMEOUT_SECONDS = 600.0
MEGABYTE = 1 << 20
SPARE_MEGABYTES = 8  # qemu puts its device tree at a multiple of 2 MB near the end of the RAM
REQUEST, REPLY = "request.bin", "reply.bin"
TRAPPED = 4
# Instructions drive the virtual time, which makes minstret exact.
CORE = ("-M", "virt", "-cpu", "rv32", "-icount", "shift=0,sleep=off")
SURROUNDINGS = ("-bios", "none", "-nographic", "-monitor", "none", "-serial", "none")
SEMIHOSTING = ("-semihosting-config", "enable=on,target=native")


class QemuEngine:
    """Runs NAME.h of the folder `build` as RV32IMC code in qemu-system-riscv32; `images` of it may be shared.

    Raises QnnError if qemu or a compiler is missing, or the header does not compile. Close it when done.
    """

    name = "qemu"

    def __init__(
        self, build: Path, interface: Interface, compiler: Compiler | None = None, images: Images | None = None
    ) -> None:
        self.runner = f"qemu {qemu_version()}"
        self.interface = interface
        self._images = images or Images(build, interface, compiler)
        self._own = images is None
        self.compiler, self.sizes = self._images.compiler, self._images.sizes

    def run(self, x: np.ndarray, q: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """See Engine.run."""
        found = self._run(x, q)
        return {name: values for name, values in found.items() if name != INSTRUCTIONS}

    def trace(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See Engine.trace."""
        image = self._images.image(traced=True)
        return run_jobs(self.interface, x, None, partial(self._execute, image), trace=True, order="<")

    def measure(self, x: np.ndarray, progress: Progress = silent) -> Measurement:
        """See Engine.measure; the stack is not measured."""
        counts = self._run(x, None)[INSTRUCTIONS]
        return Measurement(counts.astype(np.int64), None)

    def close(self) -> None:
        """See Engine.close."""
        if self._own:
            self._images.close()

    def _run(self, x: np.ndarray, q: np.ndarray | None) -> dict[str, np.ndarray]:
        image = self._images.image()
        execute = partial(self._execute, image)
        return run_jobs(self.interface, x, q, execute, count_instructions=True, order="<")

    def _execute(self, image: Image, job: Job) -> bytes:
        window = image.symbols["qnnWindow"]
        (self._images.folder / REQUEST).write_bytes(job.request.tobytes())
        (self._images.folder / REPLY).unlink(missing_ok=True)
        megabytes = (window - image.base + job.size) // MEGABYTE + SPARE_MEGABYTES
        command = (
            *(PROGRAM, *CORE, *SURROUNDINGS, *SEMIHOSTING, "-m", f"{megabytes}M", "-kernel", image.path.name),
            *("-device", f"loader,file={REQUEST},addr={window:#x},force-raw=on"),
        )
        subject = f"{self.interface.name}.h on {PROGRAM}"
        result = process.run(command, timeout=TIMEOUT_SECONDS, cwd=self._images.folder, subject=subject, check=False)
        if result.code == TRAPPED:
            raise CrashError(result.complaint)
        if result.code == 1 and (self._images.folder / REPLY).exists():
            raise CrashError(f"a function of {self.interface.name}.h returned something else than 0")
        if result.code != 0 or not (self._images.folder / REPLY).exists():
            raise QnnError(subject, f"{result.complaint} (exit code {result.code})", "see qnn doctor")
        reply = (self._images.folder / REPLY).read_bytes()
        if len(reply) != job.size - job.reply:
            raise QnnError(subject, f"gave {len(reply)} bytes instead of {job.size - job.reply}", "see qnn doctor")
        return reply


def qemu_version() -> str:
    """The version of qemu-system-riscv32. Raises QnnError if it is not there."""
    if shutil.which(PROGRAM) is None:
        raise QnnError(PROGRAM, "is not installed", REMEDY)
    answer = process.run((PROGRAM, "--version"), timeout=60, remedy=REMEDY).stdout.split()
    return next((word for word in answer if word[:1].isdigit()), "of unknown version")
