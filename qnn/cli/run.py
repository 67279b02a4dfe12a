# SPDX-License-Identifier: MIT
"""qnn run: inference from the shell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.cli.loading import DropMissingOption, remedies_within
from qnn.cli.simulate import BuildArgument, build_file
from qnn.data.builtin import NAMES
from qnn.data.image import is_image, read_image
from qnn.data.load import STANDARD_INPUT, load_samples, parse_samples
from qnn.data.options import FIRST, LAST, LoadOptions
from qnn.errors import QnnError
from qnn.evaluation import answers_of
from qnn.graph import PROBABILITIES, Graph
from qnn.graphfile import load_graph
from qnn.ops.compand import straight_of
from qnn.schema import DataRecord, Schema
from qnn.simulator import simulate

SHOWN_CLASSES = 3
SHOWN_ROWS = 3
Q15 = 32768
NUMBERS = re.compile(r"[-+0-9.,;\s]*(?:[eE][-+]?[0-9]+)?[-+0-9.,;\s]*")
SETTINGS = {"ignore_unknown_options": True}  # of the command line: -5 is a value, not an option


def command(
    build: BuildArgument,
    values: Annotated[
        list[str],
        typer.Argument(help="One sample's values, or one file (CSV, image), or - for rows on standard input."),
    ],
    raw: Annotated[
        bool, typer.Option("--raw", help="Values are the raw integers that the C takes, without decimal point.")
    ] = False,
    drop_missing: DropMissingOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the integer network on one vector, a CSV without labels, an image, or standard input.

    Values are written as in the data the model was trained on ("21.5"); with --raw as the C takes them (215).

    Example: qnn run build/ 2048 3310 1996
    """
    output = Output(json, quiet)
    graph = load_graph(build_file(build))
    schema = raw_schema(graph.schema) if raw else graph.schema
    with remedies_within(("--drop-missing",), graph.schema):
        x = read_samples(values, schema, options_of(graph.record, drop_missing))
    tensors = simulate(graph, x)
    answers = answers_of(graph, tensors)
    outside = saturated(graph, x)
    results = [_result(graph, tensors, answers.tolist(), row) for row in range(len(x))]
    for result in results:
        output.say(_line(result))
    for feature in outside:
        output.warn(feature.text(len(x)))
    output.emit({"results": results, "saturated": [{"feature": f.name, "rows": list(f.rows)} for f in outside]})


@dataclass(frozen=True)
class Saturated:
    """A feature with values beyond the range low..high (as text, in its unit) that it was calibrated for, in `rows`."""

    name: str
    low: str
    high: str
    rows: tuple[int, ...]

    def text(self, total: int) -> str:
        """One line for people; rows count from 1."""
        listed = ", ".join(str(row + 1) for row in self.rows[:SHOWN_ROWS])
        more = f" and {len(self.rows) - SHOWN_ROWS:,} more" if len(self.rows) > SHOWN_ROWS else ""
        where = f" (row {listed}{more})" if total > 1 else ""
        return f"saturated: feature {self.name} is outside {self.low}..{self.high}{where}"


def saturated(graph: Graph, x: np.ndarray) -> tuple[Saturated, ...]:
    """The features of raw samples x (N, *shape) that lie beyond the range at which the network cuts readings off."""
    op = straight_of(graph.nodes[0].op)
    if op is None:
        return ()
    flat = x.reshape(len(x), -1)
    beyond = (flat < op.low) | (flat > op.high)
    found = []
    for index in np.flatnonzero(beyond.any(axis=0)).tolist():
        named = graph.schema.features[index] if graph.schema.features else None
        decimals = named.decimals if named else 0
        low, high = (f"{int(limit) / 10**decimals:.{decimals}f}" for limit in (op.low[index], op.high[index]))
        rows = tuple(np.flatnonzero(beyond[:, index]).tolist())
        found.append(Saturated(named.name if named else f"x{index + 1}", low, high, rows))
    return tuple(found)


def raw_schema(schema: Schema) -> Schema:
    """`schema` with every feature in its raw integers."""
    return replace(schema, features=tuple(replace(feature, decimals=0) for feature in schema.features))


def options_of(record: DataRecord, drop_missing: bool) -> LoadOptions:
    """How a file to run on is read: as the training data was, but that labels may be absent, and without its splits."""
    told = record.reading.label
    label = told if told in ((FIRST,), (LAST,)) else (LAST,)
    options = LoadOptions().like(record)
    return replace(options, label=label, test_file=None, drop_missing=drop_missing)


def read_samples(values: Sequence[str], schema: Schema, options: LoadOptions) -> np.ndarray:
    """Raw samples (N, *shape) from the command's arguments. Raises QnnError where they do not fit the network."""
    single = values[0] if len(values) == 1 else ""
    if single and is_image(Path(single)):
        return read_image(Path(single), schema)
    if single == STANDARD_INPUT:
        return load_samples(single, schema, options)
    if single and (single in NAMES or Path(single).exists() or not NUMBERS.fullmatch(single)):
        if single.startswith("--"):
            raise QnnError(single, "no such option", "see qnn run --help")
        return load_samples(single, schema, options)
    for word in values:
        if not NUMBERS.fullmatch(word):
            what = "no such option" if word.startswith("--") else "is not a number"
            raise QnnError(word, what, "give numbers, or one file" if word[:2] != "--" else "see qnn run --help")
    return parse_samples(",".join(values).encode(), "VALUES", schema, replace(options, header="no", separator=","))


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
