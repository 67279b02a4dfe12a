# SPDX-License-Identifier: MIT
"""How many bytes of flash a build takes, where there is a compiler that can tell."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from qnn import toolchain
from qnn.compiler import Build, write_build
from qnn.engines.image import measure_object
from qnn.errors import QnnError


@dataclass(frozen=True)
class CompiledSize:
    """Bytes of constants and of code of a header by -O2, and the compiler."""

    constants: int
    code: int
    compiler: str

    @property
    def flash(self) -> int:
        """Bytes of flash."""
        return self.constants + self.code


def compiled_size(build: Build) -> CompiledSize | None:
    """What the preferred compiler for RV32 makes of a build, None where there is none.

    Raises QnnError where it does not compile.
    """
    try:
        compiler = toolchain.rv32_compiler()
        import elftools  # noqa: F401
    except (QnnError, ImportError):
        return None
    with tempfile.TemporaryDirectory(prefix="qnn-") as folder:
        write_build(build, Path(folder))
        sizes = measure_object(Path(folder), build.graph.name, compiler)
    return CompiledSize(sizes.rodata + sizes.ram, sizes.code, str(compiler))
