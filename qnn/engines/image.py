# SPDX-License-Identifier: MIT
"""The emitted C as RV32IMC code: the sizes of the header's own object, and a bare-metal image around it."""

from __future__ import annotations

import importlib.util
import re
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from qnn import toolchain
from qnn.engines.engine import ObjectSizes
from qnn.engines.interface import Interface
from qnn.engines.sources import HEADER_LIMIT, MODEL, RV32_FILES, TRACED_MODEL, find_header, write_sources
from qnn.errors import QnnError
from qnn.files import read_bounded
from qnn.toolchain import Compiler

RV32_EXTRA = "pip install 'qnn[rv32]'"
ALLOWED_SYMBOLS = re.compile(r"mem(cpy|move|set|cmp)$")
SECTIONS = (
    *(("code", ".text"), ("rodata", ".rodata"), ("rodata", ".srodata")),
    *(("data", ".data"), ("data", ".sdata"), ("bss", ".bss"), ("bss", ".sbss")),
)
RAM_SECTION = re.compile(r"\.data\.\w+_RAM")  # of NAME_RAM in the header


@dataclass(frozen=True, eq=False)
class Image:
    """A linked image: its file, what to load where (addresses, bytes), its symbols' addresses."""

    path: Path
    segments: tuple[tuple[int, bytes], ...]
    symbols: dict[str, int]

    @property
    def base(self) -> int:
        """The lowest address."""
        return min(address for address, _ in self.segments)


def measure_object(build: Path, name: str, compiler: Compiler, optimize: str = "-O2") -> ObjectSizes:
    """The sizes of build/NAME.h compiled alone for RV32IMC.

    Raises QnnError if it does not compile, wants any symbol but mem* from elsewhere, or has writable data.
    """
    with tempfile.TemporaryDirectory(prefix="qnn-", ignore_cleanup_errors=True) as folder:
        header = read_bounded(find_header(build, name), HEADER_LIMIT)
        (Path(folder) / f"{name}.h").write_bytes(header)
        (Path(folder) / MODEL).write_text(f'#include "{name}.h"\n', encoding="ascii")
        return _compile_object(Path(folder), name, compiler, MODEL, optimize)


class Images:
    """The images of build/NAME.h for one compiler: plain and traced, linked when first wanted.

    optimize: the flag that the model is compiled with. sizes: of the header's own object. Raises QnnError as
    measure_object does. Close it when done.
    """

    def __init__(
        self, build: Path, interface: Interface, compiler: Compiler | None = None, optimize: str = "-O2"
    ) -> None:
        self.compiler = compiler or toolchain.rv32_compiler()
        self.interface = interface
        self.optimize = optimize
        self._directory = tempfile.TemporaryDirectory(prefix="qnn-", ignore_cleanup_errors=True)
        self._images: dict[bool, Image] = {}
        try:
            write_sources(build, interface, RV32_FILES, self.folder)
            self.sizes = _compile_object(self.folder, interface.name, self.compiler, MODEL, optimize)
        except BaseException:
            self.close()
            raise

    @property
    def folder(self) -> Path:
        """Where the images are."""
        return Path(self._directory.name)

    def image(self, traced: bool = False) -> Image:
        """The image that runs jobs. Raises QnnError if it does not compile or link."""
        if traced not in self._images:
            self._images[traced] = self._link(traced)
        return self._images[traced]

    def close(self) -> None:
        """Delete the images."""
        self._directory.cleanup()

    def _link(self, traced: bool) -> Image:
        name, compiler = self.interface.name, self.compiler
        model = TRACED_MODEL if traced else MODEL
        path = self.folder / Path(model).with_suffix(".elf")
        if traced:
            _compile(self.folder, name, compiler, TRACED_MODEL, self.optimize)
        files = [Path(file).name for file in RV32_FILES]
        code = [file for file in files if not file.endswith(".ld")]
        script = next(file for file in files if file.endswith(".ld"))
        macros = ("-DQNNCOUNT", "-DQNNTRACE") if traced else ("-DQNNCOUNT",)
        flags = (
            *toolchain.rv32_flags(compiler, csr=True, debug=True),
            *macros,
            *toolchain.rv32_link_flags(compiler, script),
        )
        sources = (*code, str(Path(model).with_suffix(".o")))
        toolchain.compile_c(compiler, flags, sources, path.name, cwd=self.folder, subject=f"{name}.h")
        return load_image(path)


def load_image(path: Path) -> Image:
    """The image in the ELF file `path`. Raises QnnError if it is not an RV32 ELF."""
    elf = open_elf(path.read_bytes(), path)
    segments = tuple(
        (int(segment["p_paddr"]), segment.data()) for segment in elf.iter_segments("PT_LOAD") if segment["p_filesz"]
    )
    symbols = {symbol.name: int(symbol["st_value"]) for symbol in elf.get_section_by_name(".symtab").iter_symbols()}
    return Image(path, segments, symbols)


def open_elf(data: bytes, subject: object) -> Any:
    """pyelftools' view of `data`. Raises QnnError if pyelftools is missing or `data` is not a 32-bit RISC-V ELF."""
    if importlib.util.find_spec("elftools") is None:
        raise QnnError("pyelftools", "is not installed", RV32_EXTRA)
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(BytesIO(data))
    except ELFError as error:
        raise QnnError(subject, f"is not an ELF file ({error})", "use another RV32 compiler") from None
    if elf.elfclass != 32 or elf["e_machine"] != "EM_RISCV":
        raise QnnError(subject, "is not 32-bit RISC-V code", "use another RV32 compiler")
    return elf


def _compile_object(folder: Path, name: str, compiler: Compiler, model: str, optimize: str) -> ObjectSizes:
    sizes = _sizes(_compile(folder, name, compiler, model, optimize), f"{name}.h ({compiler})")
    unwanted = [symbol for symbol in sizes.undefined if not ALLOWED_SYMBOLS.match(symbol)]
    if unwanted:
        listed = ", ".join(unwanted[:5])
        raise QnnError(f"{name}.h ({compiler})", f"calls {listed}, which integer-only C must not", "report this")
    if sizes.data or sizes.bss:
        problem = f"has {sizes.data + sizes.bss} bytes of writable data, so it is not reentrant"
        raise QnnError(f"{name}.h ({compiler})", problem, "report this")
    return sizes


def _compile(folder: Path, name: str, compiler: Compiler, model: str, optimize: str) -> Path:
    output = folder / Path(model).with_suffix(".o")
    flags = (*toolchain.rv32_flags(compiler, optimize, debug=True), "-c")
    toolchain.compile_c(compiler, flags, (model,), output.name, cwd=folder, subject=f"{name}.h")
    return output


def _sizes(path: Path, subject: str) -> ObjectSizes:
    elf = open_elf(path.read_bytes(), subject)
    # One section after the other, as a linker puts them, with what their alignments leave between them.
    totals = {"code": 0, "rodata": 0, "ram": 0, "data": 0, "bss": 0}
    for section in elf.iter_sections():
        kind = _kind(section.name)
        if kind:
            start = -(-totals[kind] // section["sh_addralign"]) * section["sh_addralign"]
            totals[kind] = int(start + section["sh_size"])
    symbols = elf.get_section_by_name(".symtab").iter_symbols()
    undefined = sorted({symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name})
    return ObjectSizes(**totals, undefined=tuple(undefined))


def _kind(section: str) -> str | None:
    """Which of the sizes of an object the section counts for."""
    if RAM_SECTION.fullmatch(section):
        return "ram"
    found = (kind for kind, prefix in SECTIONS if section == prefix or section.startswith(prefix + "."))
    return next(found, None)
