# SPDX-License-Identifier: MIT
"""qnn simulate: the integer simulator on a data set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from qnn.cli.console import JsonOption, Output, QuietOption
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
from qnn.errors import QnnError
from qnn.evaluation import Evaluation, evaluate
from qnn.files import write_whole
from qnn.graph import Graph
from qnn.graphfile import load_graph
from qnn.outputs import Kind, check_replaceable, head_of

BuildArgument = Annotated[Path, typer.Argument(help="A build folder, or the model.qnn in one.")]

PREDICTIONS = Kind(
    "a file of predictions", lambda path: re.match(r'sample,(class\n|").*\n?(0,|$)', head_of(path)) is not None
)


def build_file(build: Path) -> Path:
    """The integer graph's file of a build folder, or `build` itself."""
    return build / "model.qnn" if build.is_dir() else build


def build_folder(build: Path) -> Path:
    """The build folder that the user named, or whose model.qnn. Raises QnnError where it is another file."""
    if build.name != "model.qnn" and build.is_file():
        raise QnnError(build, "is a file, not a build folder", "name the folder that qnn compile -o wrote")
    return build.parent if build.name == "model.qnn" and not build.is_dir() else build


def command(
    build: BuildArgument,
    data: DataOption = None,
    part: PartOption = None,
    predictions: Annotated[Path | None, typer.Option("--predictions", help="Write each answer to this CSV.")] = None,
    label: LabelOption = None,
    drop_missing: DropMissingOption = False,
    data_dir: DataDirOption = None,
    max_memory: MaxMemoryOption = "4GB",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compute, in Python, exactly what the chip computes, and say how good it is.

    Example: qnn simulate build/ --data digits
    """
    output = Output(json, quiet)
    if predictions is not None:
        check_replaceable([(predictions, PREDICTIONS)])
    graph = load_graph(build_file(build))
    asked = request(data, part, label, drop_missing, data_dir, max_memory)
    samples = load_rows(output, asked, graph.schema, graph.record, "evaluate")
    with output.progress("simulating") as progress:
        found = evaluate(graph, samples.x, samples.y, progress)
    if predictions is not None:
        write_whole(predictions, predictions_csv(graph, found).encode())
    score = found.score
    shown = f"{100 * score.value:.2f} %" if score.metric == "accuracy" else f"{score.value:.6g}"
    file = graph.record.reading.test_file if samples.part == "test" and samples.source == graph.record.source else ""
    source = file or samples.source
    output.say(f"{score.metric} {shown} on {score.samples:,} samples of {source} ({samples.part})")
    if found.saturated:
        output.say(f"{found.saturated:,} outputs were saturated")
    output.emit({"metric": score.metric, "value": score.value, "samples": score.samples, "saturated": found.saturated})


def predictions_csv(graph: Graph, found: Evaluation) -> str:
    """One line a sample: its row in the part, the class or the values."""
    if graph.schema.task == "classification":
        names = [name.replace('"', '""') for name in graph.schema.classes]
        lines = [f'{row},"{names[answer]}"' for row, answer in enumerate(found.answers.tolist())]
        return "\n".join(["sample,class", *lines]) + "\n"
    titles = ",".join('"' + target.replace('"', '""') + '"' for target in graph.schema.targets)
    lines = [f"{row}," + ",".join(map(repr, values)) for row, values in enumerate(found.answers.tolist())]
    return "\n".join([f"sample,{titles}", *lines]) + "\n"
