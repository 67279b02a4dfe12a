# SPDX-License-Identifier: MIT
"""qnn run: inference from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.cli.simulate import BuildArgument, build_file
from qnn.data.image import is_image, read_image
from qnn.data.load import STANDARD_INPUT, load_samples, parse_samples
from qnn.evaluate import answers_of
from qnn.graph import PROBABILITIES, Graph
from qnn.graphfile import load_graph
from qnn.schema import Schema
from qnn.simulator import simulate

SHOWN_CLASSES = 3
Q15 = 32768


def command(
    build: BuildArgument,
    values: Annotated[
        list[str], typer.Argument(help="Raw values, or one file (CSV, image), or - for values on standard input.")
    ],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the integer network on one vector, a CSV without labels, an image, or standard input.

    Put -- before a first value that is negative.

    Example: qnn run build/ 2048 3310 1996
    """
    output = Output(json, quiet)
    graph = load_graph(build_file(build))
    x = read_samples(values, graph.schema)
    tensors = simulate(graph, x)
    answers = answers_of(graph, tensors)
    results = [_result(graph, tensors, answers.tolist(), row) for row in range(len(x))]
    for result in results:
        output.say(_line(result))
    output.emit({"results": results})


def read_samples(values: list[str], schema: Schema) -> np.ndarray:
    """Raw samples (N, *shape) from the command's arguments. Raises QnnError where they do not fit the network."""
    single = values[0] if len(values) == 1 else ""
    if single and is_image(Path(single)):
        return read_image(Path(single), schema)
    if single == STANDARD_INPUT or (single and Path(single).is_file()):
        return load_samples(single, schema)
    return parse_samples(",".join(values).encode(), "VALUES", schema)


def _result(graph: Graph, tensors: dict[str, Any], answers: list[Any], row: int) -> dict[str, Any]:
    outputs = tensors[graph.output][row].reshape(-1).tolist()
    if graph.schema.task == "regression":
        return {"values": dict(zip(graph.schema.targets, answers[row], strict=True)), "outputs": outputs}
    result = {"class": graph.schema.classes[answers[row]], "index": answers[row], "outputs": outputs}
    if PROBABILITIES in tensors:
        shares = tensors[PROBABILITIES][row].tolist()
        result["probabilities"] = {
            name: round(share / Q15, 5) for name, share in zip(graph.schema.classes, shares, strict=True)
        }
    return result


def _line(result: dict[str, Any]) -> str:
    if "values" in result:
        return ", ".join(f"{name} {value:.10g}" for name, value in result["values"].items())
    shares = sorted(result.get("probabilities", {}).items(), key=lambda item: -item[1])[:SHOWN_CLASSES]
    likely = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares)
    return f"{result['class']}" + (f"  ({likely})" if likely else "")
