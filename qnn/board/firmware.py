# SPDX-License-Identifier: MIT
"""The firmware for an ESP32-C3 around a model's header: compiled, linked, and made into a flash image."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from qnn import process, toolchain
from qnn.board.image import flash_image
from qnn.emitter.data import memory_macro
from qnn.emitter.notes import graph_hash
from qnn.engines.image import open_elf
from qnn.engines.interface import Interface, interface_of
from qnn.engines.sources import HEADER_LIMIT, configuration, find_header
from qnn.errors import QnnError
from qnn.files import read_bounded
from qnn.graph import Graph
from qnn.graphfile import load_graph
from qnn.memory import plan_memory
from qnn.ops.choices import Weights
from qnn.placement import Placement, place
from qnn.toolchain import Compiler

C_FILES = ("soc.c", "console.c", "trap.c", "frame.c", "server.c", "main.c")
START, MODEL, MEMORY, SCRIPT = "start.S", "model.c", "memory.c", "esp32c3.ld"
FIRMWARE_SECTIONS = (".iram", ".data", ".ftext", ".frodata")
MODEL_SECTIONS = (".mtext", ".mrodata", ".mram")
FIRMWARE_LIMIT = 6144  # bytes of code and constants beside the model; a test keeps it
NO_ROOM = re.compile(r"too small|overflow|will not fit|out of range")
MANIFEST_HASH = re.compile(r"graph\s+sha256 ([0-9a-f]{64})")


@dataclass(frozen=True, eq=False)
class Firmware:
    """A firmware that is ready to be flashed.

    flash: the image, from flash offset 0. elf: the linked program. firmware_bytes: code and constants beside the
    model; model_bytes: the model's. ram_bytes: everything in SRAM but the stack, which has stack_bytes.
    symbols: addresses by name. model_hash: SHA-256, hex, of the integer graph. placement: where its constants live.
    """

    name: str
    flash: bytes
    elf: bytes
    compiler: str
    firmware_bytes: int
    model_bytes: int
    ram_bytes: int
    stack_bytes: int
    symbols: dict[str, int]
    model_hash: str
    placement: Placement

    def document(self) -> dict[str, Any]:
        """The JSON document of `qnn firmware`."""
        return {
            "name": self.name,
            "model_sha256": self.model_hash,
            "compiler": self.compiler,
            "flash_bytes": len(self.flash),
            "firmware_bytes": self.firmware_bytes,
            "model_bytes": self.model_bytes,
            "ram_bytes": self.ram_bytes,
            "stack_bytes": self.stack_bytes,
            "placement": self.placement.document(),
        }


def firmware_folder() -> Path:
    """Where the firmware's sources are: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent.parent / "esp32c3"
    return inside if inside.is_dir() else inside.parent.parent / "esp32c3"


def build_firmware(
    build: Path, weights: Weights | None = None, compiler: Compiler | None = None, flash_mb: int = 4
) -> Firmware:
    """The firmware around build/NAME.h.

    weights: where the model's constants live, if not where it was compiled for; those in RAM are copied there at start.
    flash_mb: the flash's size in MiB. Raises QnnError for a missing compiler or file, an unknown layer, C that does
    not compile, or a model that does not fit.
    """
    chosen = compiler or toolchain.rv32_compiler()
    graph = load_graph(build / "model.qnn")
    interface, digest = interface_of(graph), graph_hash(graph)
    placement = place(graph, plan_memory(graph), weights or graph.choices.weights)
    with tempfile.TemporaryDirectory(prefix="qnn-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _write_sources(build, interface, digest, _memories(graph, placement), folder)
        elf = _link(folder, interface.name, chosen)
        return _packed(elf, str(chosen), digest, placement, flash_mb, interface.name, folder)


def _memories(graph: Graph, placement: Placement) -> str:
    """C that chooses where the constants of each node live."""
    lines = []
    for index, (node, kernel) in enumerate(zip(graph.nodes, graph.kernels, strict=True)):
        if kernel.arrays():
            memory = "RAM" if node.name in placement.in_ram else "CONST"
            lines.append(f"#define {memory_macro(graph.name, index)} {graph.name}_{memory}\n")
    return "".join(lines)


def _write_sources(build: Path, interface: Interface, digest: str, memories: str, folder: Path) -> None:
    header = read_bounded(find_header(build, interface.name), HEADER_LIMIT)
    text = header.decode("utf-8", errors="replace")
    written = MANIFEST_HASH.search(text)
    if written and written.group(1) != digest:
        subject = build / f"{interface.name}.h"
        raise QnnError(subject, "was not compiled from the model.qnn beside it", "compile the model again")
    (folder / f"{interface.name}.h").write_bytes(header)
    for source in firmware_folder().iterdir():
        if source.suffix in (".c", ".h", ".S", ".ld"):
            shutil.copyfile(source, folder / source.name)
    (folder / MEMORY).write_bytes((resources.files("qnn.engines") / "rv32" / MEMORY).read_bytes())
    vectors = re.search(rf"#define {interface.name}_SELF_TEST (\d+)", text)
    lines = (
        "#ifndef QNN_MODEL_CONFIG_H",
        "#define QNN_MODEL_CONFIG_H",
        configuration(interface),
        f'#define QNNTEXT "{interface.name}"',
        f"#define QNNHASH {', '.join(f'0x{digest[i : i + 2]}' for i in range(0, 64, 2))}",
        f"#define QNNNODES {len(interface.nodes)}u",
        f"#define QNNSELFTEST {vectors.group(1) if vectors else 0}u",
        "#endif",
    )
    (folder / "model-config.h").write_text("\n".join(lines) + "\n", encoding="ascii")
    keep = f"#define {interface.name}_TRACE(node, data, bytes) QNN_KEEP(node, data, bytes)"
    trace = f'{keep}\n{memories}#include "{interface.name}.h"\n'
    (folder / "model-trace.h").write_text(trace, encoding="ascii")


def _link(folder: Path, name: str, compiler: Compiler) -> bytes:
    """The linked ELF. The model is compiled for speed, the firmware for size."""
    # ziglang strips what it links at -Os.
    small, fast = (toolchain.rv32_flags(compiler, level, csr=True) for level in ("-Os", "-O2"))
    objects = []
    for source in (START, *C_FILES, MEMORY, MODEL):
        flags = (*(fast if source == MODEL else small), "-c")
        objects.append(f"{Path(source).stem}.o")
        subject = f"{name}.h" if source == MODEL else source
        toolchain.compile_c(compiler, flags, (source,), objects[-1], cwd=folder, subject=subject)
    flags = (*fast, *toolchain.rv32_link_flags(compiler, SCRIPT, "_entry"), "-Wl,--gc-sections")
    libgcc = ("-lgcc",) if compiler.kind == toolchain.GCC else ()
    command = toolchain.compile_command(compiler, flags, (*objects, *libgcc), "firmware.elf")
    variables = toolchain.environment(compiler)
    linked = process.run(command, cwd=folder, env=variables, timeout=toolchain.COMPILE_TIMEOUT, check=False)
    if linked.code:
        subject = f"{name} firmware ({compiler})"
        if NO_ROOM.search(linked.stderr):
            raise QnnError(
                subject, "does not fit into the chip's memory", "use --weights auto or flash, or a smaller network"
            )
        raise QnnError(subject, linked.complaint, "see qnn doctor")
    return (folder / "firmware.elf").read_bytes()


def _packed(
    elf: bytes, compiler: str, digest: str, placement: Placement, flash_mb: int, name: str, folder: Path
) -> Firmware:
    program = open_elf(elf, f"{name} firmware")
    sizes = {section.name: int(section["sh_size"]) for section in program.iter_sections()}
    table = program.get_section_by_name(".symtab")
    symbols = {symbol.name: int(symbol["st_value"]) for symbol in table.iter_symbols() if symbol.name}
    stack = symbols["_stack_top"] - symbols["_stack_bottom"]
    return Firmware(
        name=name,
        flash=flash_image(program, symbols["_entry"], flash_mb, folder),
        elf=elf,
        compiler=compiler,
        firmware_bytes=sum(sizes.get(section, 0) for section in FIRMWARE_SECTIONS),
        model_bytes=sum(sizes.get(section, 0) for section in MODEL_SECTIONS),
        ram_bytes=symbols["_stack_bottom"] - 0x3FC80000,
        stack_bytes=stack,
        symbols=symbols,
        model_hash=digest,
        placement=placement,
    )
