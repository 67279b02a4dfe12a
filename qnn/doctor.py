# SPDX-License-Identifier: MIT
"""What this machine has for qnn's work, tried out, not only looked up."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from qnn import toolchain
from qnn.data.builtin import find_mnist
from qnn.engines.engine import CrashError, Engine
from qnn.engines.host import HostEngine
from qnn.engines.image import RV32_EXTRA
from qnn.engines.interface import Interface, Tensor
from qnn.engines.machine import require_unicorn
from qnn.engines.qemu_engine import PROGRAM, QemuEngine, qemu_version
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.errors import QnnError
from qnn.progress import Progress, silent
from qnn.toolchain import HOST_REMEDY, RV32_REMEDY, ZIG, Compiler

PACKAGES = ("qnn", "numpy", "pycparser", "esptool", "pyelftools", "ziglang")
ESPRESSIF = 0x303A  # the USB vendor of the ESP32-C3's own serial port
TINY = Tensor("output", "uint8", (1,))
INTERFACE = Interface("tiny", TINY, TINY, TINY, (), (TINY,))
HEADER = """\
#include <stdint.h>
#define tiny_SCRATCH_BYTES 4
typedef uint8_t tiny_in_t;
typedef uint8_t tiny_q_t;
typedef uint8_t tiny_out_t;
int tiny_run(const tiny_in_t *in, tiny_out_t *out, void *scratch);
int tiny_run_q(const tiny_q_t *in, tiny_out_t *out, void *scratch);
#ifndef tiny_DECLARE_ONLY
int tiny_run(const tiny_in_t *in, tiny_out_t *out, void *scratch)
{
    (void)scratch;
    *out = (uint8_t)(255 - *in);
    return 0;
}
int tiny_run_q(const tiny_q_t *in, tiny_out_t *out, void *scratch)
{
    return tiny_run(in, out, scratch);
}
#endif
"""


HOST, RV32, EMULATOR = "host compiler", "RV32 compiler", "emulator"
PACKAGE, PORT, DATA = "package", "serial port", "data"


@dataclass(frozen=True)
class Part:
    """Something found: its role (HOST, RV32 ...), name, version, where or what it is; problem: "" if it works."""

    role: str
    name: str
    version: str = ""
    place: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Examination:
    """What was found; advice: what to install, one line each; ok: host C, RV32 and unicorn all work."""

    parts: tuple[Part, ...]
    advice: tuple[str, ...]
    ok: bool

    def role(self, role: str) -> tuple[Part, ...]:
        """The parts of one role."""
        return tuple(part for part in self.parts if part.role == role)


def examine(progress: Progress = silent) -> Examination:
    """Look for compilers, emulators, packages and boards, and run a small program through each compiler."""
    steps = (_host, _rv32, _emulators, _packages, _ports, _data)
    parts: tuple[Part, ...] = ()
    with tempfile.TemporaryDirectory(prefix="qnn-", ignore_cleanup_errors=True) as folder:
        build = Path(folder)
        (build / "tiny.h").write_text(HEADER, encoding="ascii")
        for index, step in enumerate(steps):
            progress(index, len(steps), "trying compilers")
            parts += step(build)
    working = {role: any(part.role == role and not part.problem for part in parts) for role in (HOST, RV32)}
    unicorn = next(part for part in parts if part.name == "unicorn")
    return Examination(parts, _advice(parts, working), all(working.values()) and not unicorn.problem)


def _host(build: Path) -> tuple[Part, ...]:
    return _compilers(HOST, toolchain.host_compilers, lambda compiler: HostEngine(build, INTERFACE, compiler))


def _rv32(build: Path) -> tuple[Part, ...]:
    return _compilers(RV32, toolchain.rv32_compilers, lambda compiler: UnicornEngine(build, INTERFACE, compiler))


def _compilers(
    role: str, find: Callable[[], tuple[Compiler, ...]], engine: Callable[[Compiler], Engine]
) -> tuple[Part, ...]:
    try:
        found = find()
    except QnnError as error:
        return (Part(role, error.subject, problem=error.problem),)
    parts = []
    for compiler in found:
        problem = _problem(partial(engine, compiler))
        name = str(compiler).removesuffix(f" {compiler.version}")
        parts.append(Part(role, name, compiler.version, place(compiler), problem))
    return tuple(parts)


def place(compiler: Compiler) -> str:
    """Where the compiler is, as a person would start it."""
    command = ("python", *compiler.command[1:]) if compiler.kind == ZIG else compiler.command
    return " ".join(command)


def _problem(engine: Callable[[], Engine]) -> str:
    """What goes wrong when a small program runs in the engine; "" if nothing does."""
    x = np.arange(256, dtype=np.uint8)[:, None]
    try:
        with closing(engine()) as running:
            right = np.array_equal(running.run(x)["output"], 255 - x)
    except (QnnError, CrashError) as error:
        return str(error)
    return "" if right else "a small program gives wrong results"


def _emulators(build: Path) -> tuple[Part, ...]:
    parts = []
    try:
        parts.append(Part(EMULATOR, "unicorn", require_unicorn()))
    except QnnError as error:
        parts.append(Part(EMULATOR, "unicorn", problem=error.problem))
    program = shutil.which(PROGRAM)
    if program:
        parts.append(Part(EMULATOR, PROGRAM, qemu_version(), program, _problem(lambda: QemuEngine(build, INTERFACE))))
    return tuple(parts)


def _packages(build: Path) -> tuple[Part, ...]:
    parts = [Part(PACKAGE, "Python", platform.python_version(), platform.platform())]
    for name in PACKAGES:
        try:
            parts.append(Part(PACKAGE, name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            parts.append(Part(PACKAGE, name, problem="is not installed"))
    return tuple(parts)


def _ports(build: Path) -> tuple[Part, ...]:
    """USB serial ports, as pyserial (which esptool brings along) sees them."""
    if importlib.util.find_spec("serial") is None:
        return ()
    list_ports: Any = importlib.import_module("serial.tools.list_ports")
    ports = sorted((port for port in list_ports.comports() if port.vid), key=lambda port: str(port.device))
    kinds = {ESPRESSIF: "Espressif chip"}
    return tuple(Part(PORT, str(port.device), "", kinds.get(port.vid, str(port.description))) for port in ports)


def _data(build: Path) -> tuple[Part, ...]:
    folder = find_mnist(None)
    return (Part(DATA, "mnist", "", str(folder)) if folder else Part(DATA, "mnist", problem="is not on this machine"),)


def _advice(parts: tuple[Part, ...], working: dict[str, bool]) -> tuple[str, ...]:
    """What to install or repair, the most important first."""
    advice = []
    if not working[HOST]:
        advice.append(f"no C compiler works: {HOST_REMEDY}")
    if not working[RV32]:
        advice.append(f"no RV32 compiler works: {RV32_REMEDY}")
    missing = [part.name for part in parts if part.role in (EMULATOR, PACKAGE) and part.problem.endswith("installed")]
    if missing:
        advice.append(f"{', '.join(missing)} not installed: {RV32_EXTRA}")
    if not any(part.name == PROGRAM for part in parts):
        advice.append(f"optional, a second emulator: {PROGRAM} (Debian: qemu-system-misc)")
    if any(part.role == DATA and part.problem for part in parts):
        advice.append("optional, the MNIST images: qnn data fetch mnist")
    return tuple(advice)
