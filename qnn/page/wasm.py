# SPDX-License-Identifier: MIT
"""A model's header as a WebAssembly module, freestanding, by ziglang's clang or another one."""

from __future__ import annotations

import os
import tempfile
from importlib import resources
from pathlib import Path

from qnn import toolchain
from qnn.engines.interface import Interface
from qnn.engines.sources import MODEL, TRACED_MODEL, write_sources
from qnn.errors import QnnError
from qnn.toolchain import CLANG, PLAIN_ZIG, ZIG, ZIGLANG, Compiler

VARIABLE = "QNN_WASM_CC"
REMEDY = "pip install 'qnn[rv32]' (its ziglang compiles WebAssembly), or install clang and lld"
SOURCES = ("module.c", TRACED_MODEL, "memory.c")
FLAGS = ("-O2", "-ffreestanding", "-nostdlib", "-fno-stack-protector", "-Wl,--no-entry", "-Wl,--strip-all")
TARGETS = {ZIG: ("-target", "wasm32-freestanding-none", *PLAIN_ZIG), CLANG: ("--target=wasm32-unknown-unknown",)}
MAGIC = b"\0asm"


def wasm_compiler(choice: str | None = None) -> Compiler:
    """The compiler for WebAssembly: `choice` where given, else $QNN_WASM_CC, ziglang, or clang.

    Raises QnnError if there is none, or it is a gcc.
    """
    wanted = choice or os.environ.get(VARIABLE, "").strip()
    subject = "--wasm-compiler" if choice else f"${VARIABLE}"
    if wanted:
        return _suitable(toolchain.probe(wanted, subject), subject)
    for name in (ZIGLANG, CLANG):
        try:
            return _suitable(toolchain.probe(name, name), name)
        except QnnError:
            continue
    raise QnnError("WebAssembly compiler", "none was found", REMEDY)


def compile_module(build: Path, interface: Interface, compiler: Compiler) -> bytes:
    """The module around the header of `build`: what wasm/module.c exports. Raises QnnError if it does not compile."""
    with tempfile.TemporaryDirectory(prefix="qnn-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_sources(build, interface, ("rv32/memory.c",), folder)
        (folder / MODEL).unlink()
        sizes = f"#define QNNLAYERBYTES {sum(node.bytes for node in interface.nodes)}u\n"
        with (folder / "qnn-config.h").open("a", encoding="ascii") as configuration:
            configuration.write(sizes)
        (folder / SOURCES[0]).write_bytes((resources.files("qnn.page") / "wasm" / SOURCES[0]).read_bytes())
        flags = (*TARGETS[compiler.kind], *FLAGS)
        toolchain.compile_c(compiler, flags, SOURCES, "model.wasm", cwd=folder, subject=f"{interface.name}.h")
        module = (folder / "model.wasm").read_bytes()
    if not module.startswith(MAGIC):
        raise QnnError(f"{interface.name}.h ({compiler})", "did not become a WebAssembly module", REMEDY)
    return module


def _suitable(compiler: Compiler, subject: str) -> Compiler:
    if compiler.kind not in TARGETS:
        raise QnnError(subject, f"{compiler} does not make WebAssembly", REMEDY)
    return compiler
