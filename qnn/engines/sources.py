# SPDX-License-Identifier: MIT
"""The C files that surround a model's header in an engine: a small configuration and the files of c/ and rv32/."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from qnn.engines.interface import Interface
from qnn.engines.job import layout
from qnn.errors import QnnError
from qnn.files import read_bounded
from qnn.graph import CLASS, PROBABILITIES, VALUE

HARNESS = ("c/job.c",)
HOST_FILES = (*HARNESS, "c/host.c")
RV32_FILES = ("rv32/start.S", *HARNESS, "rv32/main.c", "rv32/memory.c", "rv32/image.ld")
MODEL, TRACED_MODEL = "model.c", "traced.c"
HEADER_LIMIT = 256 << 20


def write_sources(build: Path, interface: Interface, files: tuple[str, ...], folder: Path) -> None:
    """Put the header of `build` and the C around it into `folder`.

    Raises QnnError if the header is missing or unreadable.
    """
    header = find_header(build, interface.name)
    (folder / f"{interface.name}.h").write_bytes(read_bounded(header, HEADER_LIMIT))
    for file in files:
        source = resources.files("qnn.engines").joinpath(*file.split("/"))
        (folder / file.split("/")[-1]).write_bytes(source.read_bytes())
    (folder / "qnn-config.h").write_text(configuration(interface) + layout(), encoding="ascii")
    (folder / MODEL).write_text(f'#include "{interface.name}.h"\n', encoding="ascii")
    (folder / TRACED_MODEL).write_text(_traced_model(interface.name), encoding="ascii")


def find_header(build: Path, name: str) -> Path:
    """build/NAME.h. Raises QnnError if it is not there."""
    header = build / f"{name}.h"
    if not header.is_file():
        raise QnnError(header, "no such file", f"compile the model again: qnn compile MODEL -o {build}")
    return header


def configuration(interface: Interface) -> str:
    """The text of a C header with the interface's sizes, for C that surrounds any model."""
    name = interface.name
    sizes = dict.fromkeys((CLASS, PROBABILITIES, VALUE), 0) | {head.name: head.bytes for head in interface.heads}
    lines = (
        "/* written by qnn */",
        f"#define {name}_DECLARE_ONLY",
        f'#include "{name}.h"',
        f"#define QNNNAME(member) {name}_##member",
        f"#define QNNINBYTES {interface.input.bytes}u",
        f"#define QNNQBYTES {interface.quantized.bytes}u",
        f"#define QNNOUTBYTES {interface.output.bytes}u",
        *(f"#define QNN{head.upper()} {size}u" for head, size in sizes.items()),
    )
    return "\n".join(lines) + "\n"


def _traced_model(name: str) -> str:
    return (
        "#include <stdint.h>\n"
        "void qnnTrace(uint32_t node, const void *data, uint32_t bytes);\n"
        f"#define {name}_TRACE(node, data, bytes) qnnTrace((uint32_t)(node), (data), (uint32_t)(bytes))\n"
        f'#include "{name}.h"\n'
    )
