# SPDX-License-Identifier: MIT
"""qnn inspect: what is in a file that qnn wrote."""

from __future__ import annotations

import json as jsonlib
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from qnn.cli.calibrate import show_scales
from qnn.cli.compiled import show_build, show_kernels
from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.cli.learnedtable import show_learned
from qnn.cli.memorymap import show_memory
from qnn.cli.reporttable import show_report
from qnn.compiler import build_graph
from qnn.container import read
from qnn.errors import QnnError
from qnn.files import read_bounded
from qnn.forward import node_shapes
from qnn.graphfile import load_graph
from qnn.model import Model, Node
from qnn.modelfile import KIND as FLOAT_KIND
from qnn.modelfile import load_model
from qnn.net import net_text, sketch_net, wired_nodes
from qnn.prepare import folds
from qnn.report.document import check_report
from qnn.scales import FORMAT as SCALES_FORMAT
from qnn.scales import load_scales
from qnn.schema import Schema
from qnn.training.resume import KIND as UNFINISHED_KIND
from qnn.training.resume import read_resume_file

BIAS_BYTES = 4
COUNTS = ("parameters", "macs", "weight_bytes")
MAX_INPUTS = 1 << 20
MAX_JSON_BYTES = 64 << 20


def command(
    file: Annotated[
        Path | None, typer.Argument(help="A model.qnn, a build folder, a scales file, a manifest or a report.")
    ] = None,
    net: Annotated[str | None, typer.Option("--net", help="In place of a file: a network before training.")] = None,
    shape: Annotated[str, typer.Option("--input", help="What --net reads: 28x28x1, or 64 features.")] = "28x28x1",
    outputs: Annotated[int, typer.Option("--outputs", min=1, help="Where --net leaves its last width open.")] = 10,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show layers, shapes, parameters, scales, bounds and memory of any file that qnn writes, or of a network to be.

    Example: qnn inspect build/

    Example: qnn inspect --net "conv 3x3 8 bn relu, maxpool 2, dense 10" --input 28x28x1
    """
    output = Output(json, quiet)
    if (file is None) == (net is None):
        raise QnnError("qnn inspect", "takes either a file or --net", "name one of them")
    if file is None:
        return _inspect_net(output, str(net), parse_shape(shape), outputs)
    path = file / "model.qnn" if file.is_dir() else file
    if path.suffix == ".json":
        _inspect_json(output, path)
    else:
        kind = read(path).kind
        if kind == FLOAT_KIND:
            _inspect_model(output, path, load_model(path))
        elif kind == UNFINISHED_KIND:
            _inspect_unfinished(output, path)
        else:
            _inspect_graph(output, path)
    return None


def _inspect_net(output: Output, text: str, shape: tuple[int, ...], outputs: int) -> None:
    items = sketch_net(text, shape, outputs)
    nodes = _show_nodes(output, net_text(items), wired_nodes(items), shape)
    output.emit({"kind": "net", "net": net_text(items), "input": list(shape), **_totals(nodes), "nodes": nodes})


def _inspect_model(output: Output, path: Path, model: Model) -> None:
    show_schema(output, model.schema)
    nodes = _show_nodes(output, f"{path}: float model, {model.net}", model.nodes, model.schema.shape)
    record = model.record
    output.say(f"trained on {record.source} (seed {record.seed}); {len(model.samples)} samples stored for calibration")
    learned = show_learned(output, model)
    document = {"kind": "float", "net": model.net, "task": model.schema.task, **_totals(nodes), "nodes": nodes}
    output.emit({**document, **learned})


def _inspect_unfinished(output: Output, path: Path) -> None:
    found = read_resume_file(path)
    history, best = found.state.history, found.state.best_epoch
    record, number = found.record, best.number if best else None
    output.say(f"{path}: unfinished training of {found.net}")
    output.say(
        f"on {record.source} (seed {record.seed}); {len(history)} of {found.options.epochs} epochs done, best: {number}"
    )
    output.say(
        f"go on: qnn train {record.source} -o {path.with_name(path.name.replace('.resume.qnn', '.qnn'))} --resume"
    )
    document = {"kind": UNFINISHED_KIND, "net": found.net, "epochs": len(history), "best_epoch": number}
    output.emit({**document, "of": found.options.epochs, "source": record.source})


def _show_nodes(
    output: Output, title: str, nodes: tuple[Node, ...], shape: tuple[int, ...]
) -> list[dict[str, int | str | list[int] | list[str]]]:
    """Print the float nodes that read samples of `shape`; what --json says of them."""
    shapes = node_shapes(nodes, shape)
    found: list[dict[str, int | str | list[int] | list[str]]] = []
    for node in nodes:
        inputs = tuple(shapes[name] for name in node.inputs)
        sizes = [math.prod(size) for size in node.layer.parameter_shapes(inputs)]
        weighs = node.layer.has_weights or (node.layer.scales_channels and not folds(node, nodes))
        found.append(
            {
                "name": node.name,
                "layer": node.layer.kind,
                "inputs": list(node.inputs),
                "shape": list(shapes[node.name]),
                "parameters": sum(sizes),
                "macs": node.layer.macs(inputs),
                "weight_bytes": sizes[0] + BIAS_BYTES * sizes[1] if weighs else 0,
            }
        )
    columns = ("node", "layer", "output", "parameters", "MACs", "bytes at 8 bits")
    rows = [(str(n["name"]), str(n["layer"]), _shape(n["shape"]), *(f"{n[key]:,}" for key in COUNTS)) for n in found]
    totals = _totals(found)
    output.table(title, columns, [*rows, ("total", "", "", *(f"{totals[key]:,}" for key in COUNTS))])
    return found


def _totals(nodes: list[dict[str, int | str | list[int] | list[str]]]) -> dict[str, int]:
    return {key: sum(int(str(node[key])) for node in nodes) for key in COUNTS}


def parse_shape(text: str) -> tuple[int, ...]:
    """The shape that the user wrote: 28x28x1, 28x28 (one channel), or 64 features. Raises QnnError."""
    words = text.lower().split("x")
    sizes = tuple(int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 7)
    if len(sizes) != len(words) or len(sizes) > 3 or min(sizes) < 1 or math.prod(sizes) > MAX_INPUTS:
        raise QnnError(f"--input {text[:40]}", "is no shape of a sample", "write 28x28x1, or 64 for 64 features")
    return (*sizes, 1) if len(sizes) == 2 else sizes


def _inspect_graph(output: Output, path: Path) -> None:
    graph = load_graph(path)
    build = build_graph(graph, None, None)
    show_schema(output, graph.schema)
    show_build(output, build, path.parent)
    show_kernels(output, build.manifest)
    show_memory(output, build.manifest)
    output.say(str(graph))
    output.emit({"kind": "integer", **build.manifest})


def _inspect_json(output: Output, path: Path) -> None:
    try:
        document: Any = jsonlib.loads(read_bounded(path, MAX_JSON_BYTES), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise QnnError(path, f"is not JSON ({error})", "name a file that qnn wrote") from None
    if not isinstance(document, dict):
        raise QnnError(path, "is not a file of qnn", "name a file that qnn wrote")
    if document.get("format") == SCALES_FORMAT:
        scales = load_scales(path)
        show_scales(output, scales, f"{path}: {scales.method} ranges of {scales.samples} samples")
    elif "graph_sha256" in document:
        return _inspect_graph(output, path.with_name("model.qnn"))
    elif "rows" in document and ("float" in document or "networks" in document):
        check_report(document, path)
        show_report(output, str(path), document)
    else:
        raise QnnError(path, "is not a scales file, a manifest or a report", "name a file that qnn wrote")
    return output.emit(document)


def _refuse(constant: str) -> None:
    """NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(f"{constant} is no number")


def show_schema(output: Output, schema: Schema) -> None:
    """One line on what goes in and one on what comes out."""
    features = ", ".join(feature.name for feature in schema.features[:12])
    more = ", ..." if len(schema.features) > 12 else ""
    output.say(f"in: {_shape(schema.shape)} {schema.dtype} {features}{more}".rstrip())
    names = schema.classes or schema.targets
    output.say(f"out: {schema.task} of {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}")


def _shape(shape: object) -> str:
    return "x".join(str(size) for size in shape) if isinstance(shape, (list, tuple)) else str(shape)
