# SPDX-License-Identifier: MIT
"""qnn import: a model of another tool becomes a model.qnn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from qnn.cli.console import JsonOption, Output, QuietOption, given
from qnn.compiler import build_graph
from qnn.data import load
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.graphfile import save_graph
from qnn.importing.explain import Fate
from qnn.importing.floatmodel import InputMeaning
from qnn.importing.load import (
    OWN,
    ROUNDINGS,
    Imported,
    ImportOptions,
    comparison_samples,
    import_file,
)
from qnn.importing.onnxcompare import compared
from qnn.importing.roundings import rounding_change
from qnn.importing.schemas import read_labels
from qnn.model import Model
from qnn.modelfile import save_model
from qnn.names import check_name, comment_text
from qnn.outputs import Kind, check_replaceable, container_kind

MODEL = Kind("a model", lambda path: container_kind(path) in ("float", "integer"))


FLOAT_ONLY = (("--data", "data"), ("--scale", "scale"), ("--offset", "offset"))


def command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A TensorFlow Lite file (.tflite) or an ONNX file (.onnx).")],
    out: Annotated[Path, typer.Option("--output", "-o", help="The model to write.")] = Path("model.qnn"),
    name: Annotated[
        str | None, typer.Option("--name", help="Prefix of every C symbol; default: the file's name.")
    ] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="A text file of class names, one a line.")] = None,
    rounding: Annotated[
        str,
        typer.Option("--rounding", help=f"{' or '.join(ROUNDINGS)}: the framework's bits, or one rounding each."),
    ] = OWN,
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="Float networks: what they were trained on, for calibration.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option("--scale", help="Float networks: they read (raw - offset) * scale; images: 1/255.")
    ] = None,
    offset: Annotated[float, typer.Option("--offset", help="Float networks: see --scale.")] = 0.0,
    explain: Annotated[bool, typer.Option("--explain", help="List each operator, its fate and its memory.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take over a model that another tool made; int8 models keep every bit of TensorFlow Lite Micro.

    Quantized ONNX models keep weights, scales and zero points; how far outputs are from onnxruntime's is counted. A
    float network becomes a float model, to be calibrated and quantized by compile.

    Example: qnn import kws.tflite -o kws.qnn && qnn compile kws.qnn -o kws/ && qnn verify kws/
    """
    output = Output(json, quiet)
    check_replaceable([(out, MODEL)], [file])
    dataset = None if data is None else load(data)
    prefix = None if name is None else check_name(name)
    options = ImportOptions(prefix, read_labels(labels), rounding, InputMeaning(scale, offset), dataset)
    found = import_file(file, options)
    _refuse_idle(context, file, found)
    if isinstance(found.network, Model):
        save_model(found.network, out)
        return _show_model(output, file, out, found, found.network, explain)
    save_graph(found.network, out)
    return _show_graph(output, file, out, found, found.network, explain, options)


def _refuse_idle(context: typer.Context, file: Path, found: Imported) -> None:
    """Raises QnnError for options that say nothing about a network of this kind."""
    if isinstance(found.network, Model):
        if given(context, "rounding"):
            remedy = "leave it out: qnn compile quantizes this network, with one rounding each"
            raise QnnError("--rounding", f"says nothing about {file}, a float network", remedy)
        return
    written = [option for option, name in FLOAT_ONLY if given(context, name)]
    if written:
        subject = " and ".join(written)
        raise QnnError(subject, f"says nothing about {file}, which is quantized and has its ranges", "leave it out")


def _show_model(output: Output, file: Path, out: Path, found: Imported, model: Model, explain: bool) -> None:
    if explain:
        rows = [(*_start(fate), ", ".join(fate.nodes), fate.note) for fate in found.fates]
        output.table("Operators", ("#", "operator", "fate", "became", "why"), rows)
    schema = model.schema
    names = ", ".join((schema.classes or schema.targets)[:12])
    output.say(f"{file}: float network, {len(found.fates)} operators became {len(model.nodes)} layers")
    output.say(f"in: {'x'.join(map(str, schema.shape))} {schema.dtype}; out: {schema.task} of {names}")
    calibration = "" if len(model.samples) else " --data DATA"
    output.say(f"wrote {out}; go on: qnn compile {out}{calibration} -o build/")
    output.emit({"model": str(out), "kind": "float", "operators": [asdict(fate) for fate in found.fates]})


def _show_graph(
    output: Output, file: Path, out: Path, found: Imported, graph: Graph, explain: bool, options: ImportOptions
) -> None:
    manifest = build_graph(graph, None, None).manifest
    if explain:
        _show_fates(output, found, graph, manifest)
    flash, ram = manifest["flash"], manifest["ram"]
    output.say(f"{file}: quantized network, {len(found.fates)} operators became {len(graph.nodes)} nodes")
    output.say(f"flash {flash['total']:,} bytes, scratch {ram['scratch']:,} bytes, {manifest['macs']:,} MACs")
    change = None
    if options.rounding != OWN:
        own = import_file(file, replace(options, rounding=OWN)).network
        change = rounding_change(own, graph) if isinstance(own, Graph) else None
        output.say(f"rounding {options.rounding} against the file's own, on random and edge inputs: {change}")
    ours = None if found.reference is None else compared(found.reference, graph, comparison_samples(graph))
    if ours is not None:
        output.say(f"against onnxruntime, on random and edge inputs: {ours}")
    output.say(f"wrote {out}; go on: qnn compile {out} -o build/")
    differences = {
        "rounding": change.document() if change else None,
        "onnxruntime": asdict(ours.difference) if ours and ours.difference else None,
    }
    output.emit(_document(out, graph, found, manifest) | differences)


def _start(fate: Fate) -> tuple[str, str, str]:
    return str(fate.index), comment_text(fate.operator), fate.fate


def _show_fates(output: Output, found: Imported, graph: Graph, manifest: Mapping[str, Any]) -> None:
    """A line for each operator of the file: what became of it, and the bytes of its constants and its result."""
    nodes = {node["name"]: node for node in manifest["nodes"]}
    sizes = {node.name: node.type.bytes for node in graph.nodes}
    rows = []
    for fate in found.fates:
        constants = sum(nodes[name]["weights"] + nodes[name]["tables"] + nodes[name]["structs"] for name in fate.nodes)
        result = sizes[fate.nodes[-1]] if fate.nodes else 0
        became = ", ".join(f"{name} ({nodes[name]['operator']})" for name in fate.nodes)
        note = fate.note or "; ".join(nodes[name]["reason"] for name in fate.nodes if nodes[name]["reason"])
        rows.append((*_start(fate), became, f"{constants:,}", f"{result:,}", note))
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
