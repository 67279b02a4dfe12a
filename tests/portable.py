# SPDX-License-Identifier: MIT
"""A program that checks a header against golden values, for machines that have nothing but a compiler."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from boards import built
from networks import Example, model_of

from qnn.emitter.selftest import spaced_samples
from qnn.graph import CLASS, PROBABILITIES, VALUE
from qnn.graphfile import load_graph
from qnn.simulator import simulate

VECTORS = 12
WRONG_CLASS, WRONG_PROBABILITIES, WRONG_VALUE = 10001, 20001, 30001
CHECKS = {
    CLASS: "if ({name}_classify(in, scratch) != class_of[i]) return 10001 + i;",
    PROBABILITIES: (
        "{name}_probabilities(in, q15, scratch);\n"
        "        for (k = 0; k < {width}; k++) if (q15[k] != probabilities_of[i * {width} + k]) return 20001 + i;"
    ),
    VALUE: (
        "{name}_value(in, values, scratch);\n"
        "        for (k = 0; k < {width}; k++) if (values[k] != value_of[i * {width} + k]) return 30001 + i;"
    ),
}
TYPES = {CLASS: "int32_t", PROBABILITIES: "uint16_t", VALUE: "int32_t"}
LOCALS = {
    CLASS: "",
    PROBABILITIES: "    static uint16_t q15[{width}];\n",
    VALUE: "    static int32_t values[{width}];\n",
}


def write_program(example: Example, folder: Path) -> None:
    """Put NAME.h and check.c into `folder`: check() runs the self-test and every head on its vectors.

    It returns 0, or what differs first: see NAME_self_test, and WRONG_CLASS and its companions.
    """
    build = built(example, folder, VECTORS)
    graph = load_graph(build / "model.qnn")
    samples = model_of(example).samples
    found = simulate(graph, spaced_samples(samples, VECTORS))
    name = graph.name
    arrays = locals_ = checks = ""
    for head in graph.heads:
        width = head.type.elements
        numbers = ",".join(map(str, np.asarray(found[head.name]).reshape(-1).tolist()))
        arrays += f"static const {TYPES[head.name]} {head.name}_of[] = {{{numbers}}};\n"
        locals_ += LOCALS[head.name].format(width=width)
        checks += f"        {CHECKS[head.name].format(name=name, width=width)}\n"
    (folder / "check.c").write_text(
        f'#include "{name}.h"\n\nint32_t check(void);\n{arrays}'
        f"static uint32_t scratch[({name}_SCRATCH_BYTES + 4) / 4];\n\nint32_t check(void)\n{{\n{locals_}"
        f"    int32_t i, k = {name}_self_test(scratch);\n    if (k) return k;\n"
        f"    for (i = 0; i < {VECTORS}; i++) {{\n"
        f"        const {name}_in_t *in = {name}_self_test_in + i * {name}_INPUTS;\n{checks}    }}\n    return 0;\n}}\n"
    )


def spoil(folder: Path, name: str) -> int:
    """Change one golden output; what check() then returns."""
    header = folder / f"{name}.h"
    before, mark, after = header.read_text().partition(f"{name}_self_test_out[")
    start, rest = after.split("{\n", 1)
    first, others = rest.split(",", 1)
    header.write_text(f"{before}{mark}{start}{{\n{int(first) ^ 1},{others}")
    return 1


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
