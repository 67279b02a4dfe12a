# SPDX-License-Identifier: MIT
"""The examples of the exports: a sketch, and C programs that differ in what surrounds them."""

from __future__ import annotations

from qnn.export.parts import Model, call, declarations, has_class, result_count


def sketch(model: Model) -> str:
    """An Arduino sketch: runs the sample, then whatever line of integers comes over the serial line."""
    name = model.name
    show = (
        f'    Serial.print("class ");\n    Serial.println({name}_classify(input, scratch));\n'
        if has_class(model)
        else ""
    )
    return f"""\
/* SPDX-License-Identifier: 0BSD */
/* Send {name}_INPUTS integers, separated by spaces, commas or new lines, to run the network on them. */
#include <Arduino.h>
#include <{name}_model.h>

{declarations(model, " PROGMEM")}static {name}_in_t input[{name}_INPUTS];

static void show()
{{
    unsigned long start = micros();
    {call(model, "input")}
    unsigned long time = micros() - start;
    for (int i = 0; i < {result_count(model)}; i++) {{
        Serial.print(i);
        Serial.print(": ");
        Serial.println((long)result[i]);
    }}
{show}    Serial.print(time);
    Serial.println(" us");
}}

void setup()
{{
    Serial.begin(115200);
    memcpy_P(input, sample, sizeof input);
    show();
}}

void loop()
{{
    int next = Serial.peek();
    if (next < 0)
        return;
    if (next != '-' && (next < '0' || next > '9')) {{
        Serial.read(); /* what stands between the numbers */
        return;
    }}
    for (int i = 0; i < {name}_INPUTS; i++)
        input[i] = ({name}_in_t)Serial.parseInt();
    show();
}}
"""


def main_c(model: Model, includes: tuple[str, ...], signature: str, start: str, stop: str, show: str, end: str) -> str:
    """A C program that runs the sample and shows results, class and time with a function like printf."""
    name = model.name
    lines = "".join(f"#include {include}\n" for include in includes)
    classify = f'    {show}("class %d\\n", {name}_classify(sample, scratch));\n' if has_class(model) else ""
    return f"""\
/* SPDX-License-Identifier: 0BSD */
{lines}
#include "{name}_model.h"

{declarations(model)}
{signature}
{{
    int i;
    {start}
    {call(model)}
    {stop}
    for (i = 0; i < {result_count(model)}; i++)
        {show}("%d: %ld\\n", i, (long)result[i]);
{classify}{end}}}
"""
