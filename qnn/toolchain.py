# SPDX-License-Identifier: MIT
"""C compilers: which are there, for this machine and for RV32IMC, and how to call them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from qnn import process
from qnn.errors import QnnError

GCC, CLANG, ZIG = "gcc", "clang", "zig"
HOST_NAMES = ("cc", "gcc", "clang")
RV32_NAMES = ("riscv32-esp-elf-gcc", "riscv-none-elf-gcc", "riscv64-unknown-elf-gcc")
HOST_VARIABLE, RV32_VARIABLE = "CC", "QNN_RV32_CC"
ZIGLANG = "ziglang"
ZIG_CACHES = ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
HOST_REMEDY = "install gcc or clang, or: pip install 'qnn[rv32]', whose ziglang has a C compiler"
RV32_REMEDY = "pip install 'qnn[rv32]' (its ziglang compiles for RV32), or install gcc-riscv64-unknown-elf"
NO_UBSAN, NO_DEBUG = "-fno-sanitize=all", "-g0"
PLAIN_ZIG = (NO_UBSAN, NO_DEBUG)  # ziglang turns both on by itself
NO_FRAMES = "-fomit-frame-pointer"  # and keeps frame pointers, where gcc has none
COMPILE_TIMEOUT = 600.0  # ziglang compiles its own runtime at its first run on a machine


@dataclass(frozen=True)
class Compiler:
    """A C compiler that answered: its family (GCC, CLANG, ZIG), the command that starts it, the version it gave."""

    kind: str
    command: tuple[str, ...]
    version: str

    def __str__(self) -> str:
        name = ZIGLANG if self.kind == ZIG else _program(self.command)
        return f"{self.kind if name == 'cc' else name} {self.version}"


def host_compilers() -> tuple[Compiler, ...]:
    """Every compiler for this machine, the preferred first: $CC, cc, gcc, clang, the ziglang wheel's clang.

    Raises QnnError if $CC is set and does not work.
    """
    return _distinct(_found(HOST_VARIABLE, HOST_NAMES))


def rv32_compilers() -> tuple[Compiler, ...]:
    """Every compiler for RV32IMC, the preferred first: $QNN_RV32_CC, the known gcc names, the ziglang wheel's clang.

    Raises QnnError if $QNN_RV32_CC is set and does not work.
    """
    return _distinct(_found(RV32_VARIABLE, RV32_NAMES))


def host_compiler() -> Compiler:
    """The preferred compiler for this machine. Raises QnnError if there is none."""
    found = next(_found(HOST_VARIABLE, HOST_NAMES), None)
    if found is None:
        microsoft = " (cl is there, but it is not supported: no C99)" if shutil.which("cl") else ""
        raise QnnError("C compiler", f"none was found{microsoft}", HOST_REMEDY)
    return found


def rv32_compiler(choice: str | None = None) -> Compiler:
    """The compiler for RV32IMC: `choice` (a command, or "ziglang") where given, else the preferred one.

    Raises QnnError if there is none, or if `choice` does not work.
    """
    if choice:
        return probe(choice, "--rv32-compiler")
    found = next(_found(RV32_VARIABLE, RV32_NAMES), None)
    if found is None:
        raise QnnError("RV32 compiler", "none was found", RV32_REMEDY)
    return found


def probe(text: str, subject: str) -> Compiler:
    """The compiler that the command line `text` starts ("gcc-12", "ccache gcc", a path, or "ziglang").

    Raises QnnError, about `subject`, if it is not there, does not answer --version, or is not a gcc or clang.
    """
    if text.strip().lower() in (ZIGLANG, ZIG):
        zig = _ziglang()
        if zig is None:
            raise QnnError(subject, "ziglang is not installed", "pip install ziglang")
        return zig
    command = _split(text)
    if not command:
        raise QnnError(subject, "names no compiler", "give a command such as gcc")
    name = _program(command).lower()
    if name in ("cl", "clang-cl"):
        raise QnnError(subject, f"{name} is not supported: it does not take C99 the way gcc does", HOST_REMEDY)
    program = shutil.which(command[0])
    if program is None:
        raise QnnError(subject, f"{command[0]} was not found", "correct the name or install it")
    answer = process.run((program, *command[1:], "--version"), subject=subject, timeout=60, check=False)
    first = answer.stdout.splitlines()[0].strip() if answer.code == 0 and answer.stdout.strip() else ""
    kind = ZIG if any(Path(word).stem in (ZIG, ZIGLANG) for word in command) else _kind(answer.stdout)
    if not first or kind is None:
        raise QnnError(subject, f"{text} is not a working gcc or clang ({answer.complaint})", "name another compiler")
    return Compiler(kind, (program, *command[1:]), _version(first))


def compile_command(
    compiler: Compiler, flags: Sequence[str], sources: Sequence[Path | str], output: Path | str
) -> list[str]:
    """The command line that makes `output` from `sources`, with every warning on and an error."""
    return [*compiler.command, *STRICT, *flags, *(str(source) for source in sources), "-o", str(output)]


def compile_c(
    compiler: Compiler,
    flags: Sequence[str],
    sources: Sequence[Path | str],
    output: Path | str,
    *,
    cwd: Path,
    subject: object,
) -> None:
    """Compile `sources` into `output` in the folder `cwd`.

    Raises QnnError about `subject` with the compiler's first error.
    """
    process.run(
        compile_command(compiler, flags, sources, output),
        timeout=COMPILE_TIMEOUT,
        cwd=cwd,
        env=environment(compiler),
        subject=f"{subject} ({compiler})",
        remedy="the C is at fault, or the compiler does not fit: see qnn doctor",
    )


def host_flags(compiler: Compiler, library: bool) -> tuple[str, ...]:
    """Flags for a program, or a shared library, of this machine."""
    kind = () if not library else ("-shared",) if sys.platform == "win32" else ("-shared", "-fPIC")
    return (*kind, *PLAIN_ZIG) if compiler.kind == ZIG else kind


def rv32_flags(compiler: Compiler, optimize: str = "-O2", csr: bool = False, debug: bool = False) -> tuple[str, ...]:
    """Flags for freestanding RV32IMC objects; csr: with the CSR instructions (start-up code, not models).

    debug: with debug information, which changes no instruction.
    """
    sections = ("-ffunction-sections", "-fdata-sections", "-fno-asynchronous-unwind-tables")
    common = (optimize, "-ffreestanding", *sections, *(("-g",) if debug else ()))
    if compiler.kind == GCC:
        return (f"-march=rv32imc{'_zicsr' if csr else ''}", "-mabi=ilp32", *common)
    cpu = f"-mcpu=generic{'_' if compiler.kind == ZIG else '-'}rv32"
    if compiler.kind == ZIG:
        target = ("-target", "riscv32-freestanding-none", cpu + ("+m+c+zicsr" if csr else "+m+c"))
        return (*target, *((NO_UBSAN,) if debug else PLAIN_ZIG), NO_FRAMES, *common)
    march = f"-march=rv32imc{'_zicsr' if csr else ''}"
    return ("--target=riscv32-unknown-none-elf", march, "-mabi=ilp32", *common)


def rv32_link_flags(compiler: Compiler, script: str, entry: str = "_start") -> tuple[str, ...]:
    """Flags that link a bare-metal RV32 image by the linker script `script`, without any library."""
    flags = ("-nostdlib", "-static", "-T", script, f"-Wl,-e,{entry}")
    return (*flags, "-fuse-ld=lld") if compiler.kind == CLANG else flags


def environment(compiler: Compiler) -> dict[str, str]:
    """Variables that the compiler needs: ziglang's caches belong into the user's cache, not beside the sources."""
    if compiler.kind != ZIG:
        return {}
    missing = [name for name in ZIG_CACHES if name not in os.environ]
    return dict.fromkeys(missing, str(_zig_cache())) if missing else {}


def _zig_cache() -> Path:
    """A folder for ziglang's caches that only this user can write. Raises QnnError where there is none."""
    cache = Path(platformdirs.user_cache_dir("qnn", appauthor=False)) / ZIG
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        if os.access(cache, os.W_OK):
            return cache
    user = "" if sys.platform == "win32" else f"-{os.getuid()}"  # Windows gives each user a folder of their own
    cache = Path(tempfile.gettempdir()) / f"qnn-zig{user}"
    remedy = f"set {' and '.join(ZIG_CACHES)}"
    try:
        cache.mkdir(mode=0o700, exist_ok=True)
        status = cache.lstat()
    except OSError as error:
        raise QnnError(cache, f"cannot be made ({error.strerror})", remedy) from None
    if not _private(status):
        raise QnnError(cache, "is not a folder that only this user can write, as ziglang's caches must be", remedy)
    return cache


def _private(status: os.stat_result) -> bool:
    """Is it a folder, no link to one, of this user alone? In a shared folder anybody could have made it first."""
    if sys.platform == "win32":
        return stat.S_ISDIR(status.st_mode)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077


def _found(variable: str, names: Sequence[str]) -> Iterator[Compiler]:
    """The compilers that answer, in the order of preference; the first one costs no probing of the others."""
    if os.environ.get(variable, "").strip():
        yield probe(os.environ[variable], f"${variable}")
    for name in names:
        if shutil.which(name) is None:
            continue
        try:
            yield probe(name, name)
        except QnnError:  # a name without a compiler behind it, as macOS has before its tools are installed
            continue
    zig = _ziglang()
    if zig is not None:
        yield zig


def _distinct(compilers: Iterator[Compiler]) -> tuple[Compiler, ...]:
    """Each compiler once: cc is often another name of gcc or clang."""
    kept: dict[tuple[Path | str, ...], Compiler] = {}
    for compiler in compilers:
        kept.setdefault((Path(compiler.command[0]).resolve(), *compiler.command[1:]), compiler)
    return tuple(kept.values())


def _ziglang() -> Compiler | None:
    if importlib.util.find_spec(ZIGLANG) is None:
        return None
    try:
        version = importlib.metadata.version(ZIGLANG)
    except importlib.metadata.PackageNotFoundError:
        return None
    return Compiler(ZIG, (sys.executable, "-m", ZIGLANG, "cc"), version)


def _split(text: str) -> tuple[str, ...]:
    """A command line in words; a path with spaces that exists is one word."""
    if Path(text).is_file():
        return (text,)
    try:
        words = shlex.split(text, posix=sys.platform != "win32")
    except ValueError:
        return (text,)
    return tuple(word.strip('"') for word in words)


def _program(command: Sequence[str]) -> str:
    """The compiler's name in its command line: the last word that is not an option ("ccache gcc -m32" gives gcc)."""
    words = [word for word in command if not word.startswith("-")]
    return Path(words[-1]).name.removesuffix(".exe") if words else ""


def _kind(banner: str) -> str | None:
    lowered = banner.lower()
    if CLANG in lowered:
        return CLANG
    return GCC if GCC in lowered or "free software foundation" in lowered else None


def _version(line: str) -> str:
    """The version number in the first line of --version: "gcc (Debian 12.2.0-14) 12.2.0" gives "12.2.0"."""
    number = re.search(r"\)\s+(\d+(?:\.\d+)+)", line) or re.search(r"\b(\d+(?:\.\d+)+)", line)
    return number.group(1) if number else line
