# SPDX-License-Identifier: MIT
"""What measures: the very code of qnn, the compilers, the emulator. Figures of other tools are other figures."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import qnn
from qnn import toolchain
from qnn.emitter.runtime import runtime_folder
from qnn.errors import QnnError
from qnn.toolchain import Compiler

NONE = "none"
SHORT = 12  # digits of a hash that people see


@dataclass(frozen=True)
class Tools:
    """Versions, and the hash (hex) of qnn's own source, which two versions of one number may differ in."""

    qnn: str
    source: str
    python: str
    numpy: str
    unicorn: str
    host_compiler: str
    rv32_compiler: str

    def document(self) -> dict[str, str]:
        """The versions by name."""
        return {name.replace("_", " "): text for name, text in asdict(self).items()} | {"source": self.source[:SHORT]}


@lru_cache(maxsize=1)
def source_hash() -> str:
    """sha256 (hex) of the names and contents of all modules of qnn and of all kernels."""
    digest = hashlib.sha256()
    package = Path(qnn.__file__).parent
    for folder, pattern in ((package, "*.py"), (package, "*.js"), (runtime_folder(), "*.[ch]")):
        for path in sorted(folder.rglob(pattern)):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def tools_here() -> Tools:
    """The Tools of this machine."""
    return Tools(
        version("qnn"),
        source_hash(),
        platform.python_version(),
        np.__version__,
        _package("unicorn"),
        _compiler(toolchain.host_compiler),
        _compiler(toolchain.rv32_compiler),
    )


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return NONE


def _compiler(find: Callable[[], Compiler]) -> str:
    try:
        return str(find())
    except QnnError:
        return NONE
