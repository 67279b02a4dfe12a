# SPDX-License-Identifier: MIT
"""Headers written by hand, right and wrong, for tests of the engines that run them."""

from __future__ import annotations

from pathlib import Path

from qnn.engines.interface import Interface, Tensor
from qnn.graph import CLASS

INPUTS, OUTPUTS, SCRATCH_BYTES = 6, 3, 8
RIGHT = """\
    int16_t *kept = (int16_t *)scratch;
    int32_t sum = 0;
    for (int i = 0; i < 6; i++)
        sum += load(in + i) * (i - 2);
    tiny_TRACE(0, &sum, 4);
    for (int i = 0; i < 3; i++)
        kept[i] = (int16_t)(sum % 1000 + i);
    store(out, kept);
    tiny_TRACE(1, out, 6);
"""
TEMPLATE = """\
#ifndef tiny_H
#define tiny_H
#include <stdint.h>
#define tiny_SCRATCH_BYTES 8
typedef int32_t tiny_in_t;
typedef int32_t tiny_q_t;
typedef int16_t tiny_out_t;
int tiny_run(const tiny_in_t *in, tiny_out_t *out, void *scratch);
int tiny_run_q(const tiny_q_t *in, tiny_out_t *out, void *scratch);
int tiny_classify(const tiny_in_t *in, void *scratch);
#endif
#if !defined(tiny_DECLARE_ONLY)
#ifndef tiny_TRACE
#define tiny_TRACE(node, data, bytes) ((void)0)
#endif
@globals@
static inline int32_t load(const int32_t *from)
{
    const uint8_t *b = (const uint8_t *)from;
    return (int32_t)(b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24) % 100000;
}
static inline void store(int16_t *to, const int16_t *from)
{
    uint8_t *t = (uint8_t *)to;
    const uint8_t *f = (const uint8_t *)from;
    for (int i = 0; i < 6; i++)
        t[i] = f[i];
}
int tiny_run(const tiny_in_t *in, tiny_out_t *out, void *scratch)
{
@body@
    return @result@;
}
int tiny_run_q(const tiny_q_t *in, tiny_out_t *out, void *scratch)
{
    return tiny_run(in, out, scratch);
}
int tiny_classify(const tiny_in_t *in, void *scratch)
{
    int16_t out[3];
    (void)tiny_run(in, out, scratch);
    return out[0] > 0;
}
#endif
"""
TINY = Interface(
    name="tiny",
    input=Tensor("input", "int32", (INPUTS,)),
    quantized=Tensor("input", "int32", (INPUTS,)),
    output=Tensor("last", "int16", (OUTPUTS,)),
    heads=(Tensor(CLASS, "int32", (1,)),),
    nodes=(Tensor("sum", "int32", (1,)), Tensor("last", "int16", (OUTPUTS,))),
)


def write_header(folder: Path, body: str = RIGHT, more: str = "", globals_: str = "", result: str = "0") -> Path:
    """`folder`, with tiny.h in it: NAME_run executes `body`, then `more`, and returns `result`."""
    text = TEMPLATE.replace("@body@", (body + more).rstrip()).replace("@globals@", globals_).replace("@result@", result)
    folder.mkdir(exist_ok=True)
    (folder / "tiny.h").write_text(text)
    return folder
