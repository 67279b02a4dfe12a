# SPDX-License-Identifier: MIT
"""The bytes of constants that qnn tells are those that a compiler makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from graphs import random_graph
from importgraphs import random_imported_graph
from mapgraphs import random_map_graph, rare_graph
from test_differential import Make, write_graph

from qnn import toolchain
from qnn.emitter.flash import graph_flash, kernel_flash, struct_bytes
from qnn.engines.image import SECTIONS, measure_object, open_elf
from qnn.toolchain import GCC

NODES = tuple(prefix for kind, prefix in SECTIONS if kind == "rodata")


@pytest.mark.parametrize("make", [random_graph, random_map_graph, rare_graph, random_imported_graph])
@pytest.mark.parametrize("seed", range(6))
def test_constants_are_what_the_linker_gets(tmp_path: Path, make: Make, seed: int) -> None:
    """Without optimization nothing is folded into the code: each section, padded to words, adds up to the last byte."""
    compiler = toolchain.rv32_compiler()
    if compiler.kind != GCC:
        pytest.skip("no gcc for RV32: clang aligns bytes more closely, so that its constants take less")
    graph = make(np.random.default_rng(seed))
    folder = write_graph(graph, tmp_path / "net")
    (folder / "model.c").write_text(f'#include "{graph.name}.h"\n')
    flags = (*toolchain.rv32_flags(compiler, "-O0"), "-c")
    toolchain.compile_c(compiler, flags, ("model.c",), "model.o", cwd=folder, subject="test")
    sections = open_elf((folder / "model.o").read_bytes(), "test").iter_sections()
    mine = [s for s in sections if s.name.startswith(tuple(f"{prefix}.{graph.name}_node" for prefix in NODES))]
    assert {section["sh_addralign"] for section in mine} <= {4, 8}
    found = sum(-(-section["sh_size"] // 4) * 4 for section in mine)
    assert found == graph_flash(graph).total == sum(kernel_flash(kernel).total for kernel in graph.kernels)
    assert measure_object(folder, graph.name, compiler).rodata <= found + 8  # and what kernels have of their own


def test_structs_have_the_size_of_their_fields() -> None:
    assert struct_bytes("qnn_argmax.h", "qnn_argmax_t") == 8
    assert struct_bytes("qnn_dense_short.h", "qnn_dense_short_t") == 2 + 2 + 4 + 4
    assert struct_bytes("qnn_dense_short_wide.h", "qnn_dense_short_wide_t") == 4 * 2 + 3 + 1 + 2 * 4
    assert struct_bytes("qnn_dense.h", "qnn_dense_t") == 4 * 4 + 7 * 4
