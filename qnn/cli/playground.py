# SPDX-License-Identifier: MIT
"""qnn playground: one self-contained page in which the model's C answers."""

from __future__ import annotations

import json as jsonlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from qnn.board.firmware import Firmware, build_firmware
from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.cli.firmware import BuildArgument
from qnn.cli.loading import (
    DataDirOption,
    DataOption,
    DropMissingOption,
    LabelOption,
    MaxMemoryOption,
    PartOption,
    load_rows,
    request,
)
from qnn.cli.loading import Request as RowsRequest
from qnn.engines.interface import interface_of
from qnn.errors import QnnError
from qnn.files import read_bounded, write_whole
from qnn.graph import Graph
from qnn.graphfile import load_graph
from qnn.outputs import MAX_JSON_BYTES, check_replaceable
from qnn.page.assemble import PAGE, page
from qnn.page.document import PREPARATIONS, Content, Samples, content, no_samples, pick, preparation_of
from qnn.page.flash import Flash, flash_of
from qnn.page.wasm import compile_module, wasm_compiler

MOST_SAMPLES = 100
SamplesOption = Annotated[
    int, typer.Option("--samples", min=0, max=MOST_SAMPLES, help="How many test samples the page has to click.")
]
FlashingOption = Annotated[
    bool, typer.Option("--flashing/--no-flashing", help="Whether the page can write the firmware to a board.")
]
PrepareOption = Annotated[
    str | None,
    typer.Option("--prepare", help=f"How drawings become images: {', '.join(PREPARATIONS)}; default: as the data was."),
]
WasmOption = Annotated[
    str | None, typer.Option("--wasm-compiler", help="The compiler for WebAssembly: a command, or ziglang.")
]


@dataclass(frozen=True, eq=False)
class Parts:
    """What pages of a build are made of."""

    graph: Graph
    content: Content
    firmware: Firmware | None
    figures: dict[str, Any]

    @property
    def flash(self) -> Flash | None:
        """What flashes the firmware, if there is one."""
        return flash_of(self.firmware) if self.firmware else None


@dataclass(frozen=True)
class Wishes:
    """What the user wants in the page: how many samples of which rows, flashing, preparation, compiler."""

    rows: RowsRequest
    samples: int
    flashing: bool
    prepare: str | None
    compiler: str | None


def command(
    build: BuildArgument,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="The page; default: BUILD/page.html.")] = None,
    samples: SamplesOption = 10,
    flashing: FlashingOption = True,
    prepare: PrepareOption = None,
    wasm: WasmOption = None,
    data: DataOption = None,
    part: PartOption = None,
    label: LabelOption = None,
    drop_missing: DropMissingOption = False,
    data_dir: DataDirOption = None,
    max_memory: MaxMemoryOption = "4GB",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write one self-contained page in which people draw, or set inputs, and the model's C answers as WebAssembly.

    The page needs no network and no server. It checks itself against the simulator when it is opened, and in Chrome
    and Edge it talks to a flashed board, or flashes one.

    Example: qnn playground build/ -o page.html
    """
    output = Output(json, quiet)
    path = out or build / "page.html"
    check_replaceable([(path, PAGE)], [build / "model.qnn"])
    rows = request(data, part, label, drop_missing, data_dir, max_memory)
    parts = parts_of(output, build, Wishes(rows, samples, flashing, prepare, wasm))
    text = page(parts.graph, parts.content, parts.flash, parts.figures).encode("utf-8")
    write_whole(path, text)
    document = parts.content.document
    facts = (
        ("page, bytes", f"{len(text):,}"),
        ("WebAssembly, bytes", f"{document['module']:,}"),
        ("test samples", f"{len(document['samples'])}"),
        ("golden vectors", f"{len(document['samples']) + document['golden']['count']}"),
        ("can flash a board", "yes" if parts.flash else "no"),
    )
    output.table(f"{path}: {parts.graph.name}", ("", "value"), facts)
    output.say(f"open {path} in a browser; with a board: qnn serve {build}")
    output.emit(
        {
            "page": str(path),
            "bytes": len(text),
            "module_bytes": document["module"],
            "samples": len(document["samples"]),
            "golden": len(document["samples"]) + document["golden"]["count"],
            "flashing": parts.flash is not None,
        }
    )


def parts_of(output: Output, build: Path, wishes: Wishes) -> Parts:
    """What the pages of a build are made of. What is only nice to have is left out with a warning."""
    if wishes.prepare is not None and wishes.prepare not in PREPARATIONS:
        raise QnnError("--prepare", f"{wishes.prepare!r} is not known", f"use one of {', '.join(PREPARATIONS)}")
    graph = load_graph(build / "model.qnn")
    compiler = wasm_compiler(wishes.compiler)
    samples = _samples(output, graph, wishes)
    with output.progress("making the page") as progress:
        progress(0, 3, "compiling WebAssembly")
        module = compile_module(build, interface_of(graph), compiler)
        progress(1, 3, "building the firmware")
        firmware = _firmware(output, build) if wishes.flashing else None
        progress(2, 3, "computing golden vectors")
        made = content(graph, module, samples, wishes.prepare or preparation_of(graph))
    return Parts(graph, made, firmware, _figures(build))


def _firmware(output: Output, build: Path) -> Firmware | None:
    try:
        return build_firmware(build)
    except QnnError as error:
        output.warn(f"the page cannot flash a board: {error}")
        return None


def _samples(output: Output, graph: Graph, wishes: Wishes) -> Samples:
    if not wishes.samples:
        return no_samples(graph)
    try:
        found = load_rows(output, wishes.rows, graph.schema, graph.record, "evaluate")
    except QnnError as error:
        if wishes.rows.data is not None:
            raise
        output.warn(f"the page has no test samples: {error}")
        return no_samples(graph)
    return pick(graph, found.x, found.y, wishes.samples)


def _figures(build: Path) -> dict[str, Any]:
    path = build / "manifest.json"
    try:
        found = jsonlib.loads(read_bounded(path, MAX_JSON_BYTES))
        found["flash"]["total"] + found["ram"]["scratch"] + found["macs"]
        return dict(found)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise QnnError(path, "is not the manifest of a build", "compile the model again") from None
