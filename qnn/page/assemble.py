# SPDX-License-Identifier: MIT
"""The page as one file: a strict content security policy, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from html import escape
from importlib import resources
from typing import Any

from qnn.graph import Graph
from qnn.outputs import Kind, head_of
from qnn.page.document import SEEN, Content, drawable
from qnn.page.flash import Flash
from qnn.page.script import LOADER, script, source
from qnn.stylesheet import source_hash, stylesheet

GENERATOR = '<meta name="generator" content="qnn playground">'
PAGE = Kind("a page of qnn playground", lambda path: GENERATOR in head_of(path))
PACKAGE = "qnn.page"
PLACEHOLDER = re.compile(r"@(\w+)@")


def page(graph: Graph, content: Content, flash: Flash | None, figures: Mapping[str, Any]) -> str:
    """The page's HTML. figures: the build's manifest, of which the page shows sizes."""
    document = content.document | {"flash": flash.document if flash else None}
    return _filled(graph, document, content.data, flash, figures, connect="'none'")


def served_page(
    graph: Graph,
    content: Content,
    flash: Flash | None,
    figures: Mapping[str, Any],
    bridge: str,
    origin: str,
    cycles: bool,
) -> str:
    """The same for `qnn serve`: it talks to the WebSocket at the relative address `bridge` of `origin` (HOST:PORT).

    cycles: whether the board's cycles mean something.
    """
    document = content.document | {
        "flash": flash.document if flash else None,
        "bridge": {"path": bridge, "cycles": cycles},
    }
    return _filled(graph, document, content.data, flash, figures, connect=f"'self' ws://{origin}")


def policy(scripts: tuple[str, ...], style: str, connect: str) -> str:
    """The content security policy: only these scripts and this style, by their hashes."""
    hashes = " ".join(source_hash(text) for text in scripts)
    return (
        f"default-src 'none'; script-src {hashes} 'wasm-unsafe-eval'; style-src {source_hash(style)}; img-src data:; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'"
    )


def _filled(
    graph: Graph,
    document: Mapping[str, Any],
    data: bytes,
    flash: Flash | None,
    figures: Mapping[str, Any],
    connect: str,
) -> str:
    style = stylesheet(PACKAGE)
    loader, program = source(LOADER), script()
    scripts = (loader, program, *((flash.script,) if flash else ()))
    packed = f'<script type="text/plain" id="flash-data">{_packed(flash.data)}</script>' if flash else ""
    parts = {
        "generator": GENERATOR,
        "policy": escape(policy(scripts, style, connect)),
        "title": escape(f"{graph.name}: {graph.schema.task}"),
        "summary": escape(_summary(graph)),
        "facts": escape(_facts(graph, figures)),
        "seen": SEEN[document["preparation"]],
        "style": style,
        "loader": _inline(loader),
        "script": _packed(program.encode("utf-8")),
        "document": json_text(document),
        "data": _packed(data),
        "flash": packed,
    }
    return filled(asset("page.html"), parts)


def filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with every @name@ replaced by its part, which is not looked through again."""
    return PLACEHOLDER.sub(lambda found: parts[found.group(1)], template)


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (resources.files(PACKAGE) / name).read_text(encoding="utf-8")


def _summary(graph: Graph) -> str:
    what = "Draw" if drawable(graph) else "Set the inputs"
    return (
        f"{what}, and the model's own C code answers: compiled to WebAssembly, it computes in this browser, bit for "
        "bit, what it computes on the chip."
    )


def _facts(graph: Graph, figures: Mapping[str, Any]) -> str:
    flash, ram = figures["flash"], figures["ram"]
    return (
        f"{graph.name}: {flash['weights']:,} bytes of weights, {flash['total'] - flash['weights']:,} bytes of other "
        f"constants, {ram['scratch']:,} bytes of scratch memory, {figures['macs']:,} multiply-accumulates, integers "
        f"only. Graph {figures['graph_sha256'][:16]}, specification {figures['spec_version']}. "
        "Made by qnn; nothing is loaded from or sent to anywhere."
    )


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")


def json_text(document: Mapping[str, Any]) -> str:
    """JSON that may stand in a script element."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _inline(text: str) -> str:
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError("the script would end itself")
    return text
