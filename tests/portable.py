# SPDX-License-Identifier: MIT
"""A program that checks headers against golden values, for machines that have nothing but a compiler."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from choicegraphs import chosen_graph
from graphs import RECORD, edge_samples, random_graph, random_schema, value_heads
from importgraphs import random_imported_graph
from mapgraphs import random_map_graph
from networks import BINARY, BYTES, IMAGE, READINGS, Example, model_of
from pairgraphs import pairs_graph
from tightgraphs import tight_graph
from widegraphs import random_wide_graph

from qnn.calibration import calibrate
from qnn.check import check
from qnn.compiler import compile_model
from qnn.emitter.header import header_text
from qnn.emitter.runtime import runtime_folder
from qnn.emitter.selftest import self_test_text, spaced_samples
from qnn.graph import CLASS, INPUT, PROBABILITIES, VALUE, Graph, Node
from qnn.headroom import OFF, WEIGHTS
from qnn.memory import plan_memory
from qnn.ops.op import TensorType
from qnn.ops.table import Table
from qnn.simulator import simulate

VECTORS, MOST_OUTPUTS, MOST_SEEDS = 12, 64, 400
KERNEL = re.compile(
    r"QNN_(?:KERNEL|SMALL|INLINE) (?:void|int) "
    r"(qnn_\w+_u8_\w+|qnn_(?:quantize|compand|rescale|softmax|add16|sigmoid16|softmax16)_i\w+|qnn_\w+_least)\("
)
MAKERS = (
    random_graph,
    random_map_graph,
    random_imported_graph,
    random_wide_graph,
    chosen_graph,
    pairs_graph,
    tight_graph,
)
WIDE = Example("wide", "dense 10", (21, 20, 1), "uint8", 10)
LARGE = Example("large", "dense 41 relu, dense 10", (10, 10, 1), "uint8", 10)
CHECKS = {
    CLASS: "if ({name}_classify(in, scratch) != {name}_READ(class_of[i])) return 10001 + i;",
    PROBABILITIES: (
        "{name}_probabilities(in, q15, scratch);\n"
        "        for (k = 0; k < {width}; k++)\n"
        "            if (q15[k] != {name}_READ(probabilities_of[i * {width} + k])) return 20001 + i;"
    ),
    VALUE: (
        "{name}_value(in, values, scratch);\n"
        "        for (k = 0; k < {width}; k++)\n"
        "            if (values[k] != {name}_READ(value_of[i * {width} + k])) return 30001 + i;"
    ),
}
TYPES = {CLASS: "int32_t", PROBABILITIES: "uint16_t", VALUE: "int32_t"}
LOCALS = {CLASS: "", PROBABILITIES: "    uint16_t q15[{width}];\n", VALUE: "    int32_t values[{width}];\n"}


def every_kernel() -> set[str]:
    """The names of all kernels that work on tensors (the heads' go with every graph)."""
    return {name for path in runtime_folder().glob("*.h") for name in KERNEL.findall(path.read_text())}


def graphs_with_every_kernel() -> list[tuple[Graph, np.ndarray]]:
    """Graphs net0, net1, ... that together use all kernels, and VECTORS raw samples of each."""
    left, found = every_kernel(), []
    for graph, samples in candidates():
        used = {kernel.function for kernel in graph.kernels}
        if used & left:
            left -= used
            found.append((graph, samples))
        if not left:
            return found
    raise AssertionError(f"no graph of these tests uses {sorted(left)}")


def candidates() -> Iterator[tuple[Graph, np.ndarray]]:
    """The examples, a table alone, then random graphs with few outputs."""
    full = replace(WIDE, name="wide_full"), replace(LARGE, name="large_full")
    for example in (BYTES, READINGS, BINARY, IMAGE, WIDE, LARGE, *full):
        model, headroom = model_of(example), OFF if example in full else WEIGHTS
        build = compile_model(model, calibrate(model, model.samples), example.name, headroom)
        yield build.graph, spaced_samples(model.samples, VECTORS)
    rng = np.random.default_rng(0)
    alone = table_graph(rng)
    yield alone, edge_samples(rng, alone, VECTORS)
    for seed in range(MOST_SEEDS):
        for make in MAKERS:
            rng = np.random.default_rng(seed)
            graph = make(rng, f"{make.__name__}{seed}")
            if graph.type_of(graph.output).elements <= MOST_OUTPUTS:
                yield graph, edge_samples(rng, graph, VECTORS)


def table_graph(rng: np.random.Generator) -> Graph:
    """A table whose int16 entries are the output."""
    raw, kind = TensorType((5,), "uint8", 0, 255), TensorType((5,), "int16", -32768, 32767, 0.01, 0)
    node = Node("final", Table(rng.integers(-32768, 32768, 256).astype(np.int16)), (INPUT,), kind)
    heads = value_heads(rng, "final", kind)
    return check(Graph("table", random_schema(raw, kind, False), RECORD, raw, (node, *heads), "final", INPUT))


def write_program(graphs: list[tuple[Graph, np.ndarray]], folder: Path) -> list[str]:
    """Put a header and a C file for each graph into `folder`, and check.c; returns the C files' names.

    check() runs every graph's self-test, then every head on the same samples: 0 if all is right, else 100000 times the
    graph's number, from 1, plus what NAME_self_test gave, or 10001, 20001 or 30001 plus the sample.
    """
    for graph, samples in graphs:
        header = header_text(graph, plan_memory(graph)) + self_test_text(graph, samples)
        (folder / f"{graph.name}.h").write_text(header)
        (folder / f"{graph.name}.c").write_text(source_of(graph, samples))
    names = [graph.name for graph, _ in graphs]
    words = max(plan_memory(graph).scratch_bytes for graph, _ in graphs) // 4 + 1
    declared = "".join(f"int32_t check_{name}(uint32_t *scratch);\n" for name in names)
    calls = "".join(
        f"    result = check_{name}(scratch);\n    if (result) return {100000 * number} + result;\n"
        for number, name in enumerate(names, 1)
    )
    (folder / "check.c").write_text(
        f"#include <stdint.h>\n\nint32_t check(void);\n{declared}static uint32_t scratch[{words}];\n\n"
        f"int32_t check(void)\n{{\n    int32_t result;\n{calls}    return 0;\n}}\n"
    )
    return ["check.c", *(f"{name}.c" for name in names)]


def source_of(graph: Graph, samples: np.ndarray) -> str:
    """NAME.c: the header complete, and check_NAME(), which returns as check() does."""
    found, name = simulate(graph, samples), graph.name
    arrays = locals_ = checks = ""
    for head in graph.heads:
        width = head.type.elements
        numbers = ",".join(map(str, np.asarray(found[head.name]).reshape(-1).tolist()))
        arrays += f"{name}_CONST {TYPES[head.name]} {head.name}_of[] = {{{numbers}}};\n"
        locals_ += LOCALS[head.name].format(width=width)
        checks += f"        {CHECKS[head.name].format(name=name, width=width)}\n"
    return (
        f'#include "{name}.h"\n\nint32_t check_{name}(uint32_t *scratch);\n{arrays}\n'
        f"int32_t check_{name}(uint32_t *scratch)\n{{\n{locals_}"
        f"    int32_t i, k = {name}_self_test(scratch);\n    if (k) return k;\n"
        f"    for (i = 0; i < {len(samples)}; i++) {{\n"
        f"        const {name}_in_t *in = {name}_self_test_in + i * {name}_INPUTS;\n"
        f"        {name}_FETCH(in, {name}_INPUTS * sizeof(*in));\n{checks}    }}\n    return 0;\n}}\n"
    )


def spoil(folder: Path, name: str) -> None:
    """Change one golden output, so that check() must not return 0."""
    header = folder / f"{name}.h"
    before, mark, after = header.read_text().partition(f"{name}_self_test_out[")
    start, rest = after.split("{\n", 1)
    first, others = rest.split(",", 1)
    header.write_text(f"{before}{mark}{start}{{\n{int(first) ^ 1},{others}")


START = {
    "x86": """
void _start(void);
__attribute__((force_align_arg_pointer)) void _start(void) /* no caller has aligned the stack for SSE */
{
    int32_t r = check();
    __asm__ volatile("int $0x80" ::"a"(1), "b"(r ? 1 : 0));
    for (;;)
        ;
}
""",
    "powerpc": """
void _start(void);
void _start(void)
{
    register int32_t result __asm__("r3") = check() ? 1 : 0;
    register int32_t number __asm__("r0") = 1;
    __asm__ volatile("sc" ::"r"(result), "r"(number));
    for (;;)
        ;
}
""",
    "avr": """
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
static void put(char c)
{
    while (!(UCSR0A & (1 << UDRE0)))
        ;
    UDR0 = (uint8_t)c;
}
int main(void)
{
    int32_t r = check();
    uint16_t wait;
    UCSR0B = 1 << TXEN0;
    put('r');
    put(r ? '1' : '0');
    put('\\n');
    for (wait = 0; wait < 60000; wait++)
        __asm__ volatile("nop");
    cli();
    sleep_mode();
    return 0;
}
""",
}


def write_start(folder: Path, machine: str) -> None:
    """start.c: calls check() and ends with 1 if it does not return 0 (on AVR: prints r0 or r1)."""
    (folder / "start.c").write_text(f"#include <stdint.h>\nint32_t check(void);\n{START[machine]}")
