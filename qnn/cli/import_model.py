# SPDX-License-Identifier: MIT
"""qnn import: a model of another tool becomes a model.qnn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.compiler import build_graph
from qnn.graph import Graph
from qnn.graphfile import INTEGER_MODEL, save_graph
from qnn.importing.load import OWN, ROUNDINGS, Imported, ImportOptions, import_file, rounding_difference
from qnn.importing.schemas import read_labels
from qnn.names import check_name, comment_text
from qnn.outputs import check_replaceable


def command(
    file: Annotated[Path, typer.Argument(help="A TensorFlow Lite file (.tflite).")],
    out: Annotated[Path, typer.Option("--output", "-o", help="The model to write.")] = Path("model.qnn"),
    name: Annotated[
        str | None, typer.Option("--name", help="Prefix of every C symbol; default: the file's name.")
    ] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="A text file of class names, one a line.")] = None,
    rounding: Annotated[
        str,
        typer.Option("--rounding", help=f"{' or '.join(ROUNDINGS)}: the framework's bits, or one rounding each."),
    ] = OWN,
    explain: Annotated[bool, typer.Option("--explain", help="List each operator, its fate and its memory.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take over a model that another tool made; int8 models keep every bit of TensorFlow Lite Micro.

    Example: qnn import kws.tflite -o kws.qnn && qnn compile kws.qnn -o kws/ && qnn verify kws/
    """
    output = Output(json, quiet)
    check_replaceable([(out, INTEGER_MODEL)], [file])
    options = ImportOptions(None if name is None else check_name(name), read_labels(labels), rounding)
    found = import_file(file, options)
    graph = found.network
    build = build_graph(graph, None, None)
    save_graph(graph, out)
    if explain:
        _show_fates(output, found, build.manifest)
    flash, ram = build.manifest["flash"], build.manifest["ram"]
    output.say(f"{file}: int8 network, {len(found.fates)} operators became {len(graph.nodes)} nodes")
    output.say(f"flash {flash['total']:,} bytes, scratch {ram['scratch']:,} bytes, {build.manifest['macs']:,} MACs")
    differs = None
    if rounding != OWN:
        differs = rounding_difference(graph, import_file(file, replace(options, rounding=OWN)).network)
        output.say(f"rounding {rounding} against the file's own, on random inputs: {differs}")
    output.say(f"wrote {out}; go on: qnn compile {out} -o build/")
    output.emit(_document(out, graph, found, build.manifest) | {"rounding": asdict(differs) if differs else None})


def _show_fates(output: Output, found: Imported, manifest: Mapping[str, Any]) -> None:
    """A line for each operator of the file: what became of it, and the bytes of its constants and its result."""
    nodes = {node["name"]: node for node in manifest["nodes"]}
    sizes = {node.name: node.type.bytes for node in found.network.nodes}
    rows = []
    for fate in found.fates:
        constants = sum(nodes[name]["weights"] + nodes[name]["tables"] for name in fate.nodes)
        result = sizes[fate.nodes[-1]] if fate.nodes else 0
        became = ", ".join(f"{name} ({nodes[name]['operator']})" for name in fate.nodes)
        note = fate.note or "; ".join(nodes[name]["reason"] for name in fate.nodes if nodes[name]["reason"])
        rows.append(
            (str(fate.index), comment_text(fate.operator), fate.fate, became, f"{constants:,}", f"{result:,}", note)
        )
    output.table(
        "Operators", ("#", "operator", "fate", "became", "constants B", "result B", "why, or which kernel"), rows
    )


def _document(out: Path, graph: Graph, found: Imported, manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": str(out),
        "kind": "integer",
        "name": graph.name,
        "operators": [asdict(fate) for fate in found.fates],
        "flash": manifest["flash"],
        "ram": manifest["ram"],
        "macs": manifest["macs"],
    }
