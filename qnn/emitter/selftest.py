# SPDX-License-Identifier: MIT
"""Golden vectors at the end of a header: inputs, the outputs that the simulator gives, and a function that compares."""

from __future__ import annotations

import numpy as np

from qnn.emitter.data import array_text, avr_guard
from qnn.emitter.flash import graph_flash
from qnn.emitter.runtime import runtime_text
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.ops.ckernel import TABLES, CArray
from qnn.simulator import simulate

HEADER, COMMON = "qnn_self_test.h", "qnn_base.h"
LIMIT_BYTES = 1 << 20


def spaced_samples(samples: np.ndarray, count: int) -> np.ndarray:
    """`count` of the samples (N, *shape), evenly spaced. Raises QnnError if there are not as many."""
    if count > len(samples):
        raise QnnError("--self-test", f"the model keeps {len(samples)} samples, not {count}", "ask for fewer")
    return samples[np.linspace(0, len(samples) - 1, count).round().astype(np.int64)]


def self_test_text(graph: Graph, vectors: np.ndarray) -> str:
    """C that follows the header's text: NAME_SELF_TEST and NAME_self_test (SPEC 8.5) for raw inputs (N, *shape).

    Empty without vectors. Raises QnnError if they are too many for a chip.
    """
    if len(vectors) == 0:
        return ""
    if vectors.nbytes > LIMIT_BYTES:
        raise QnnError("--self-test", f"its vectors have {vectors.nbytes:,} bytes", f"at most {LIMIT_BYTES:,}")
    name, output = graph.name, graph.type_of(graph.output)
    expected = simulate(graph, vectors, keep=(graph.output,))[graph.output]
    inputs = array_text(f"{name}_CONST", f"{name}_self_test_in", CArray(f"{graph.input.dtype}_t", vectors, TABLES))
    outputs = array_text(f"{name}_CONST", f"{name}_self_test_out", CArray(f"{output.dtype}_t", expected, TABLES))
    size = np.dtype(output.dtype).itemsize
    constants = graph_flash(graph).total + vectors.nbytes + expected.size * size
    calls = "".join(_call(name, index, graph.input.elements, output.elements, size) for index in range(len(vectors)))
    guard = avr_guard(constants, graph.kernels)
    kernel = runtime_text((HEADER,), name).removeprefix(runtime_text((COMMON,), name))
    return (
        f"\n#ifndef {name}_SELF_TEST\n#define {name}_SELF_TEST {len(vectors)} /* vectors */\n\n"
        f'#ifdef __cplusplus\nextern "C" {{\n#endif\n\n'
        "/* 0 if every output is right; else 1 + vector * OUTPUTS + output of the first that is not. */\n"
        f"int32_t {name}_self_test(void *scratch);\n\n#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {name}_SELF_TEST */\n"
        f"\n#if !defined({name}_DECLARE_ONLY) && !defined({name}_SELF_TEST_IMPLEMENTATION)\n"
        f"#define {name}_SELF_TEST_IMPLEMENTATION\n\n{guard}{kernel.lstrip()}\n{inputs}{outputs}\n"
        f"int32_t {name}_self_test(void *scratch)\n{{\n"
        f"    {name}_out_t out[{name}_OUTPUTS];\n    const {name}_in_t *in;\n    int32_t first;\n"
        f"{calls}    return 0;\n}}\n\n#endif /* {name}_SELF_TEST_IMPLEMENTATION */\n"
    )


def _call(name: str, index: int, inputs: int, elements: int, size: int) -> str:
    start = index * elements
    return (
        f"    in = {name}_self_test_in + {index * inputs};\n    {{\n"
        f"        {name}_FETCH(in, {name}_INPUTS * sizeof(*in));\n        {name}_run(in, out, scratch);\n    }}\n"
        f"    first = {name}_first_difference(out, {name}_self_test_out + {start}, {elements}, {size});\n"
        f"    if (first) {{\n        return {start} + first;\n    }}\n"
    )
