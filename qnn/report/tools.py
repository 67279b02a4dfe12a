# SPDX-License-Identifier: MIT
"""What measures: the very code of qnn, the compilers, the emulator. Figures of other tools are other figures."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import qnn
from qnn import toolchain
from qnn.emitter.runtime import runtime_folder
from qnn.errors import QnnError
from qnn.toolchain import ZIG, Compiler

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
    """source_of the package and the kernels."""
    return source_of((Path(qnn.__file__).parent, runtime_folder()))


def source_of(folders: Sequence[Path]) -> str:
    """sha256 (hex) of the names and contents of all files in these folders, tables too, but not of compiled modules."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"):
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
    """Name, version and the flags that an environment variable gave it."""
    try:
        found = find()
    except QnnError:
        return NONE
    flags = () if found.kind == ZIG else found.command[1:]
    return " ".join((str(found), *flags))
