# SPDX-License-Identifier: MIT
"""build/example.c: a complete program that runs the header on one real sample and checks what it gets."""

from __future__ import annotations

import numpy as np

from qnn.graph import CLASS, PROBABILITIES, VALUE, Graph
from qnn.simulator import simulate

TEMPLATE = """\
/* SPDX-License-Identifier: 0BSD */
/* A complete program: cc -O2 example.c -o example && ./example */
#include <stdio.h>

#include "{name}.h"

/* A raw sample, and what the simulator gives for it. */
static const {name}_in_t sample[{name}_INPUTS] = {{
    {sample}}};
static const {name}_out_t expected[{name}_OUTPUTS] = {{{expected}}};

int main(void)
{{
    static uint32_t scratch[({name}_SCRATCH_BYTES + 3) / 4];
    {name}_out_t out[{name}_OUTPUTS];
    int i, differences = 0;
    {name}_run(sample, out, scratch);
    for (i = 0; i < {name}_OUTPUTS; i++) {{
        printf("out[%d] = %d\\n", i, (int)out[i]);
        differences += out[i] != expected[i];
    }}
{heads}    printf("%d differences from the simulator\\n", differences);
    return differences != 0;
}}
"""
HEADS = (
    (CLASS, '    printf("class %d\\n", {name}_classify(sample, scratch));\n'),
    (
        PROBABILITIES,
        "    {{\n        uint16_t q15[{name}_CLASSES];\n        {name}_probabilities(sample, q15, scratch);\n"
        "        for (i = 0; i < {name}_CLASSES; i++) {{\n"
        '            printf("probability[%d] = %u / 32768\\n", i, (unsigned)q15[i]);\n        }}\n    }}\n',
    ),
    (
        VALUE,
        "    {{\n        int32_t values[{name}_OUTPUTS];\n        {name}_value(sample, values, scratch);\n"
        "        for (i = 0; i < {name}_OUTPUTS; i++) {{\n"
        '            printf("value[%d] = %ld\\n", i, (long)values[i]);\n        }}\n    }}\n',
    ),
)


def example_text(graph: Graph, sample: np.ndarray) -> str:
    """The text of example.c for one raw sample of the graph's shape."""
    out = simulate(graph, sample[None], keep=(graph.output,))[graph.output]
    present = {node.name for node in graph.heads}
    return TEMPLATE.format(
        name=graph.name,
        sample=_numbers(sample),
        expected=", ".join(map(str, out.reshape(-1).tolist())),
        heads="".join(text.format(name=graph.name) for head, text in HEADS if head in present),
    )


def _numbers(values: np.ndarray) -> str:
    flat = values.reshape(-1).tolist()
    return ",\n    ".join(", ".join(map(str, flat[i : i + 16])) for i in range(0, len(flat), 16))
