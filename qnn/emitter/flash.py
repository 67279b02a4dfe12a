# SPDX-License-Identifier: MIT
"""What constants take of flash: arrays, parameter structs and the padding between them, as RV32 compilers lay them out.

What a compiler writes into the code (the fields of a struct, an array of one element) takes less; a linker may lose a
word before each array of int64_t, which it aligns to 8 bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from qnn.emitter.runtime import runtime_text
from qnn.graph import Graph
from qnn.ops.ckernel import TABLES, WEIGHTS, CKernel

WORD = 4  # arrays and structs are aligned to it
SCALARS = {f"{sign}int{8 * size}_t": size for sign in ("", "u") for size in (1, 2, 4)}
STRUCT = re.compile(r"^typedef struct \{\n(.*?)^\} (\w+);", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^    (?:const )?(\w+) (\**)\w+;", re.MULTILINE)


@dataclass(frozen=True)
class Flash:
    """Bytes of weights and biases; of other constants and tables; of parameter structs and padding to words."""

    weights: int = 0
    tables: int = 0
    structs: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.tables + self.structs

    def __add__(self, other: Flash) -> Flash:
        return Flash(self.weights + other.weights, self.tables + other.tables, self.structs + other.structs)

    def document(self) -> dict[str, int]:
        """The bytes as JSON."""
        return {"weights": self.weights, "tables": self.tables, "structs": self.structs, "total": self.total}


def kernel_flash(kernel: CKernel) -> Flash:
    """What the constants of one node take."""
    arrays = kernel.arrays()
    weights, tables = (sum(array.bytes for array in arrays if array.role == role) for role in (WEIGHTS, TABLES))
    padding = sum(padded(array.bytes) - array.bytes for array in arrays)
    return Flash(weights, tables, padding + padded(struct_bytes(kernel.header, kernel.struct)))


def graph_flash(graph: Graph) -> Flash:
    """What the constants of all nodes take."""
    return sum(map(kernel_flash, graph.kernels), Flash())


def padded(size: int) -> int:
    """`size` bytes, and what is lost before the next word."""
    return -(-size // WORD) * WORD


@cache
def struct_bytes(header: str, struct: str) -> int:
    """The size of a struct that a header of c_runtime/ declares, by the ABI of RV32."""
    found = {match[2]: match[1] for match in STRUCT.finditer(runtime_text((header,), "qnn"))}
    return _laid_out(found, struct)[0]


def _laid_out(structs: dict[str, str], name: str) -> tuple[int, int]:
    """Size and alignment of one of the structs, name and fields as C."""
    size, widest = 0, 1
    for kind, pointer in FIELD.findall(structs[name]):
        own = WORD if pointer else SCALARS.get(kind)
        each, alignment = (own, own) if own else _laid_out(structs, kind)
        size, widest = -(-size // alignment) * alignment + each, max(widest, alignment)
    return -(-size // widest) * widest, widest
