# SPDX-License-Identifier: MIT
"""The drawing page that a chip with WiFi serves by itself: no WebAssembly, every answer is the chip's."""

from __future__ import annotations

from html import escape

from qnn.graph import PROBABILITIES, Graph
from qnn.ops.rescale import Rescale
from qnn.page.assemble import PACKAGE, asset, filled, json_text, policy
from qnn.page.document import preparation_of
from qnn.page.script import script
from qnn.stylesheet import stylesheet

MAIN = "onchip"
COLOUR = '<label>Colour <input type="color" id="ink-colour" value="#ffffff"></label>\n'
BYTE, DIGITS_MOST = 255, 16  # the largest value of a pixel; in the built-in digits


def chip_page(graph: Graph) -> str:
    """The page's HTML for a model that takes pictures; its images go to POST infer, as a file of raw bytes.

    The reply is text: microseconds, the class or -1, and a number for each name (see js/onchip.js).
    """
    shape = graph.input.shape
    decimals = next((node.op.decimals.tolist() for node in graph.heads if isinstance(node.op, Rescale)), None)
    document = {
        "shape": list(shape),
        "preparation": preparation_of(graph),
        "maximum": DIGITS_MOST if graph.record.source == "digits" else BYTE,
        "names": list(graph.schema.classes or graph.schema.targets),
        "shares": any(node.name == PROBABILITIES for node in graph.heads),
        "decimals": decimals,
    }
    style, program = stylesheet(PACKAGE), script(MAIN)
    parts = {
        "policy": escape(policy((program,), style, "'self'")),
        "title": escape(graph.name),
        "style": style,
        "colour": COLOUR if shape[2] == 3 else "",
        "document": json_text(document),
        "script": program,
    }
    return filled(asset("onchip.html"), parts)
