# SPDX-License-Identifier: MIT
"""The examples of the exports: a sketch, and C programs that differ in what surrounds them."""

from __future__ import annotations

from qnn.export.parts import Model, call, declarations, has_class, result_count, result_type

RAW = "qnn"  # around the page's text in C++


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


def wifi_sketch(model: Model) -> str:
    """A sketch for an ESP32 that serves the page in PAGE (page.h) and answers what is drawn on it."""
    name = model.name
    classify = f"{name}_classify(input, scratch)" if has_class(model) else "-1"
    return f"""\
/* SPDX-License-Identifier: 0BSD */
/* A drawing page from the chip itself, for an ESP32 with WiFi (Arduino core for the ESP32).
 * Open the address that the serial monitor shows. Compiled against stand-ins only: not run on a chip yet. */
#include <WebServer.h>
#include <WiFi.h>
#include <{name}_model.h>
#include "page.h"

/* Your network. With an empty name the board makes one of its own, called {name}, which everybody near can use. */
static const char NETWORK[] = "";
static const char PASSWORD[] = "";

static {name}_in_t input[{name}_INPUTS];
static uint32_t scratch[({name}_SCRATCH_BYTES + 4) / 4];
static {result_type(model)} result[{result_count(model)}];
static size_t received;
static WebServer server(80);

static void page()
{{
    server.send_P(200, "text/html; charset=utf-8", PAGE, sizeof PAGE - 1);
}}

/* The image arrives in pieces, byte for byte. */
static void receive()
{{
    HTTPUpload &upload = server.upload();
    if (upload.status == UPLOAD_FILE_START)
        received = 0;
    if (upload.status != UPLOAD_FILE_WRITE)
        return;
    for (size_t i = 0; i < upload.currentSize; i++, received++)
        if (received < sizeof input)
            ((uint8_t *)input)[received] = upload.buf[i];
}}

static void answer()
{{
    if (received != sizeof input) {{
        server.send(400, "text/plain", "an image has another size");
        return;
    }}
    received = 0;
    unsigned long start = micros();
    {call(model, "input")}
    unsigned long time = micros() - start;
    String text = String(time) + " " + String({classify});
    for (int i = 0; i < {result_count(model)}; i++)
        text += " " + String((long)result[i]);
    server.send(200, "text/plain", text);
}}

void setup()
{{
    Serial.begin(115200);
    if (NETWORK[0]) {{
        WiFi.begin(NETWORK, PASSWORD);
        while (WiFi.status() != WL_CONNECTED)
            delay(200);
        Serial.println(WiFi.localIP());
    }} else {{
        WiFi.softAP("{name}");
        Serial.println(WiFi.softAPIP());
    }}
    server.on("/", HTTP_GET, page);
    server.on("/infer", HTTP_POST, answer, receive);
    server.begin();
}}

void loop()
{{
    server.handleClient();
}}
"""


def wifi_page(html: str) -> str:
    """page.h: the page as a C++ text. Raises ValueError if the page is not ASCII, or holds what ends such a text."""
    if f"){RAW}" in html or not html.isascii():
        raise ValueError("the page cannot stand in a C++ text")
    return (
        "/* SPDX-License-Identifier: MIT, of qnn, which made it. */\n#pragma once\n#include <Arduino.h>\n\n"
        f'static const char PAGE[] PROGMEM = R"{RAW}({html}){RAW}";\n'
    )


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
