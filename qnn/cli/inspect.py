# SPDX-License-Identifier: MIT
"""qnn inspect: what is in a file that qnn wrote."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

from qnn.cli.calibrate import show_scales
from qnn.cli.compile import show_build
from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.cli.report import show_report
from qnn.compiler import build_graph
from qnn.container import read
from qnn.errors import QnnError
from qnn.files import read_bounded
from qnn.forward import node_shapes
from qnn.graphfile import load_graph
from qnn.model import Model
from qnn.modelfile import load_model
from qnn.scales import FORMAT as SCALES_FORMAT
from qnn.scales import load_scales
from qnn.schema import Schema


def command(
    file: Annotated[Path, typer.Argument(help="A model.qnn, a build folder, a scales file, a manifest or a report.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show layers, shapes, parameters, scales, bounds and memory of any file that qnn writes.

    Example: qnn inspect build/
    """
    output = Output(json, quiet)
    path = file / "model.qnn" if file.is_dir() else file
    if path.suffix == ".json":
        _inspect_json(output, path)
    elif read(path).kind == "float":
        _inspect_model(output, path, load_model(path))
    else:
        _inspect_graph(output, path)


def _inspect_model(output: Output, path: Path, model: Model) -> None:
    shapes = node_shapes(model.nodes, model.schema.shape)
    nodes = [
        {
            "name": node.name,
            "layer": node.layer.kind,
            "inputs": list(node.inputs),
            "shape": list(shapes[node.name]),
            "parameters": sum(array.size for array in node.parameters),
            "macs": sum(array.size for array in node.parameters if array.ndim > 1),
        }
        for node in model.nodes
    ]
    rows = [
        (str(n["name"]), str(n["layer"]), _shape(n["shape"]), f"{n['parameters']:,}", f"{n['macs']:,}") for n in nodes
    ]
    show_schema(output, model.schema)
    output.table(f"{path}: float model, {model.net}", ("node", "layer", "output", "parameters", "MACs"), rows)
    record = model.record
    output.say(f"trained on {record.source} (seed {record.seed}); {len(model.samples)} samples stored for calibration")
    total = sum(int(str(node["parameters"])) for node in nodes)
    output.emit({"kind": "float", "net": model.net, "task": model.schema.task, "parameters": total, "nodes": nodes})


def _inspect_graph(output: Output, path: Path) -> None:
    graph = load_graph(path)
    build = build_graph(graph, None, None)
    show_schema(output, graph.schema)
    show_build(output, build, path.parent)
    rows = [
        (", ".join(b["tensors"]), str(b["offset"]), str(b["bytes"]), f"{b['first_node']} .. {b['last_node']}")
        for b in build.manifest["memory_plan"]
    ]
    output.table("Scratch memory", ("tensors", "offset", "bytes", "alive during nodes"), rows)
    output.say(str(graph))
    output.emit({"kind": "integer", **build.manifest})


def _inspect_json(output: Output, path: Path) -> None:
    try:
        document: Any = jsonlib.loads(read_bounded(path))
    except (ValueError, RecursionError) as error:
        raise QnnError(path, f"is not JSON ({error})", "name a file that qnn wrote") from None
    if not isinstance(document, dict):
        raise QnnError(path, "is not a file of qnn", "name a file that qnn wrote")
    if document.get("format") == SCALES_FORMAT:
        scales = load_scales(path)
        show_scales(output, scales, f"{path}: {scales.method} ranges of {scales.samples} samples")
    elif "graph_sha256" in document:
        return _inspect_graph(output, path.with_name("model.qnn"))
    elif "rows" in document and "float" in document:
        show_report(output, str(path), document)
    else:
        raise QnnError(path, "is not a scales file, a manifest or a report", "name a file that qnn wrote")
    return output.emit(document)


def show_schema(output: Output, schema: Schema) -> None:
    """One line on what goes in and one on what comes out."""
    features = ", ".join(feature.name for feature in schema.features[:12])
    more = ", ..." if len(schema.features) > 12 else ""
    output.say(f"in: {_shape(schema.shape)} {schema.dtype} {features}{more}")
    names = schema.classes or schema.targets
    output.say(f"out: {schema.task} of {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}")


def _shape(shape: object) -> str:
    return "x".join(str(size) for size in shape) if isinstance(shape, (list, tuple)) else str(shape)
