# SPDX-License-Identifier: MIT
"""The header, bit for bit, on other machines: Cortex-M, AVR, big-endian PowerPC, WebAssembly, 32-bit x86."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import resources
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from boards import built
from networks import Example
from portable import graphs_with_every_kernel, spoil, write_program, write_start

from qnn import toolchain
from qnn.graph import Graph
from qnn.ops.tight import MARK
from qnn.toolchain import ZIG, probe

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O2")
FREE = ("-ffreestanding", "-nostdlib", "-fno-stack-protector")
STACK, STACK_BYTES, LOADED, END = 0x20000000, 0x40000, 0x10000, 0x30000000
Runner = Callable[[Path, Sequence[str]], bool]  # compiles and runs C files in a folder: does check() return 0?


def needed(program: str, package: str) -> str:
    """The program's path; the test is skipped, loudly, where it is missing."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian: {package}): this test did not run")
    return found


def zig(folder: Path, target: str, *arguments: str) -> None:
    """Compile with ziglang for `target`."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed: this test did not run")
    compiler = probe(ZIG, "ziglang")
    (folder / "memory.c").write_bytes((resources.files("qnn.engines") / "rv32" / "memory.c").read_bytes())
    command = [*compiler.command, "-target", target, *STRICT, *FREE, *toolchain.PLAIN_ZIG, *arguments]
    environment = toolchain.environment(compiler)
    toolchain.process.run([*command, "memory.c"], cwd=folder, env=environment, timeout=300)


def ended(command: Sequence[str | Path]) -> bool:
    """Did the program say that check() returned 0? A crash is neither yes nor no."""
    code = subprocess.run(command, check=False, timeout=60).returncode
    assert code in (0, 1)
    return code == 0


def x86(folder: Path, sources: Sequence[str]) -> bool:
    if platform.machine() not in ("x86_64", "AMD64", "i686") or sys.platform != "linux":
        pytest.skip("this machine does not run 32-bit x86 programs of Linux: this test did not run")
    write_start(folder, "x86")
    zig(folder, "x86-linux-none", "-static", "start.c", *sources, "-o", "program")
    return ended((folder / "program",))


def powerpc(folder: Path, sources: Sequence[str]) -> bool:
    emulator = needed("qemu-ppc", "qemu-user")
    write_start(folder, "powerpc")
    zig(folder, "powerpc-linux-none", "-static", "start.c", *sources, "-o", "program")
    return ended((emulator, folder / "program"))


def wasm32(folder: Path, sources: Sequence[str]) -> bool:
    if importlib.util.find_spec("wasmtime") is None:
        pytest.skip("wasmtime is not installed (pip install wasmtime): this test did not run")
    wasmtime = importlib.import_module("wasmtime")
    zig(folder, "wasm32-freestanding-none", *sources, "-Wl,--no-entry", "-Wl,--export=check", "-o", "program.wasm")
    store = wasmtime.Store(wasmtime.Engine())
    module = wasmtime.Module.from_file(store.engine, str(folder / "program.wasm"))
    instance = wasmtime.Instance(store, module, [])
    return bool(instance.exports(store)["check"](store) == 0)


def cortex(core: str) -> Runner:
    def run(folder: Path, sources: Sequence[str]) -> bool:
        pytest.importorskip("unicorn")
        compiler = needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
        (folder / "memory.c").write_bytes((resources.files("qnn.engines") / "rv32" / "memory.c").read_bytes())
        flags = (f"-mcpu=cortex-{core}", "-mthumb", "-Wl,-e,check", f"-Wl,-Ttext={LOADED:#x}")
        files = (*sources, "memory.c", "-lgcc", "-o", "program.elf")
        subprocess.run((compiler, *STRICT, *FREE, *flags, *files), cwd=folder, check=True, timeout=60)
        return run_thumb((folder / "program.elf").read_bytes(), core) == 0

    return run


def run_thumb(program: bytes, core: str) -> int:
    """What check() returns on a Cortex-M in unicorn."""
    from elftools.elf.elffile import ELFFile

    unicorn, arm = importlib.import_module("unicorn"), importlib.import_module("unicorn.arm_const")
    elf = ELFFile(BytesIO(program))
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    machine.ctl_set_cpu_model(getattr(arm, f"UC_CPU_ARM_CORTEX_{core.upper()}"))
    machine.mem_map(LOADED, 0x100000)
    machine.mem_map(STACK, STACK_BYTES)
    machine.mem_map(END, 0x1000)
    for segment in elf.iter_segments("PT_LOAD"):
        if segment["p_filesz"] and segment["p_paddr"] >= LOADED:
            machine.mem_write(segment["p_paddr"], segment.data())
    machine.reg_write(arm.UC_ARM_REG_SP, STACK + STACK_BYTES)
    machine.reg_write(arm.UC_ARM_REG_LR, END | 1)
    machine.emu_start(elf["e_entry"] | 1, END, timeout=60_000_000)
    assert machine.reg_read(arm.UC_ARM_REG_PC) == END
    return int(machine.reg_read(arm.UC_ARM_REG_R0))


def avr(compiler: str, *flags: str) -> Runner:
    """An ATmega2560: int is 16 bits, 8 KB of RAM, and constants are in program memory."""

    def run(folder: Path, sources: Sequence[str]) -> bool:
        emulator = needed("simavr", "simavr")
        write_start(folder, "avr")
        options = (*flags, "-Wall", "-Wextra", "-Werror", "-Os", "-ffunction-sections", "-Wl,--gc-sections", AVR)
        command = (needed(compiler, "gcc-avr, avr-libc"), *options, *sources, "start.c", "-o", "program.elf")
        subprocess.run(command, cwd=folder, check=True, timeout=120)
        command = (emulator, "-m", "atmega2560", "-f", "16000000", "program.elf")
        done = subprocess.run(command, cwd=folder, check=True, timeout=120, capture_output=True, text=True)
        text = done.stdout + done.stderr
        assert ("r0" in text) != ("r1" in text), text
        return "r0" in text

    return run


AT_ONCE = 6  # graphs in one program: an AVR reads constants in the first 64 kB of its flash of 256 kB
AVR = "-mmcu=atmega2560"
# avr-gcc 5.4 gives wrong results where link-time optimization folds alike functions of two models into one.
ONE_EACH = "-fno-ipa-icf-functions"
ARDUINO = ("-x", "c++", "-std=gnu++11", "-fpermissive", "-fno-exceptions", "-fno-threadsafe-statics", "-flto", ONE_EACH)
RUNNERS = (x86, powerpc, wasm32, cortex("m0"), cortex("m4"), avr("avr-gcc", "-std=c99"), avr("avr-g++", *ARDUINO))
NAMES = (
    "x86 -m32",
    "powerpc, big-endian",
    "wasm32",
    "cortex-m0",
    "cortex-m4",
    "avr",
    "avr, C++ as Arduino compiles it",
)


@pytest.fixture(scope="module")
def graphs() -> list[tuple[Graph, np.ndarray]]:
    return graphs_with_every_kernel()


@pytest.mark.parametrize("run", RUNNERS, ids=NAMES)
def test_every_kernel_and_head(graphs: list[tuple[Graph, np.ndarray]], run: Runner, tmp_path: Path) -> None:
    programs = -(-len(graphs) // AT_ONCE)
    for number in range(programs):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert run(folder, write_program(sorted(graphs[number::programs], key=reach), folder))


def reach(made: tuple[Graph, np.ndarray]) -> int:
    """How far an AVR may read the graph's constants: those that it reads in the first 32 kB only are linked first."""
    return 64 - 32 * any(MARK in kernel.features for kernel in made[0].kernels)


@pytest.mark.parametrize("run", RUNNERS, ids=NAMES)
def test_a_wrong_output_is_noticed(graphs: list[tuple[Graph, np.ndarray]], run: Runner, tmp_path: Path) -> None:
    sources = write_program(graphs[:1], tmp_path)
    spoil(tmp_path, graphs[0][0].name)
    assert not run(tmp_path, sources)


@pytest.mark.parametrize(
    ("compiler", "flags"), [("avr-gcc", ("-std=c99",)), ("avr-g++", ("-x", "c++", "-std=gnu++11"))]
)
def test_no_constant_is_in_the_ram_of_an_avr(
    graphs: list[tuple[Graph, np.ndarray]], compiler: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    """Parameters, weights, tables and golden vectors are in program memory alone."""
    elffile = pytest.importorskip("elftools.elf.elffile")
    for source in write_program(graphs, tmp_path)[1:]:
        command = (needed(compiler, "gcc-avr, avr-libc"), *flags, "-Os", AVR, "-c", source, "-o", "model.o")
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
        sections = elffile.ELFFile(BytesIO((tmp_path / "model.o").read_bytes())).iter_sections()
        sizes = {section.name: section["sh_size"] for section in sections}
        in_ram = {name: size for name, size in sizes.items() if size and name.startswith((".data", ".rodata", ".bss"))}
        assert not in_ram, source
        assert sizes[".progmem.data"] > 100


def test_constants_beyond_the_reach_of_an_avr_are_an_error(tmp_path: Path) -> None:
    """Its linker would say nothing, and the program would read others."""
    compiler = needed("avr-gcc", "gcc-avr, avr-libc")
    for name, units, vectors, beyond in (("small", 170, 1, False), ("many", 170, 40, True), ("big", 180, 0, True)):
        build = built(Example(name, f"dense {units} relu, dense {units} relu, dense 4", (150,)), tmp_path, vectors)
        command = (compiler, AVR, "-std=c99", "-fsyntax-only", "-x", "c", build / f"{name}.h")
        done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
        assert (done.returncode != 0) == beyond
        assert ("an AVR reads those in the first 64 kB only" in done.stderr) == beyond
