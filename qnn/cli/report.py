# SPDX-License-Identifier: MIT
"""qnn report: accuracy versus size."""

from __future__ import annotations

import json as jsonlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from qnn.balancing import AUTO, choose
from qnn.calibration import DEFAULT_METHOD
from qnn.cli.calibrate import MethodOption, ModelArgument
from qnn.cli.choices import ConstantTimeOption, OptimizeOption, chosen
from qnn.cli.console import JsonOption, Output, QuietOption, typed
from qnn.cli.equalize import EqualizeOption, candidates_for
from qnn.cli.loading import (
    DataDirOption,
    DataOption,
    DropMissingOption,
    LabelOption,
    MaxMemoryOption,
    PartOption,
    Request,
    Samples,
    load_rows,
    request,
)
from qnn.cli.mixed import MaxDropOption, limits_of
from qnn.cli.verify import show_failures
from qnn.compiler import build_graph
from qnn.data import LoadOptions, load
from qnn.data.steinhart import NAME as STEINHART_HART
from qnn.data.steinhart import celsius_by, steinhart_hart
from qnn.data.thermistor import FEATURES
from qnn.errors import QnnError
from qnn.fidelity import coarse_text, loss_text
from qnn.files import write_all_whole
from qnn.graphfile import INTEGER_MODEL, load_graph
from qnn.learned import default_bits
from qnn.metrics import answers_on, score_of
from qnn.model import Model
from qnn.modelfile import load_model
from qnn.names import name_from
from qnn.ops.choices import DEFAULT
from qnn.outputs import Kind, check_replaceable
from qnn.report.cells import (
    SUMMARY_COLUMNS,
    TARGET_FIGURES,
    baseline_cells,
    float_cells,
    summary_cells,
    target_texts,
)
from qnn.report.csvfile import report_csv
from qnn.report.document import REPORT_CSV, REPORT_JSON, REPORT_PAGE, report_document
from qnn.report.measure import measure, measure_build
from qnn.report.page import report_page
from qnn.report.residuals import residuals
from qnn.report.row import Baseline, Row, row_document
from qnn.widths import EIGHT, MIXED, TRAINED, check_bits, widths_named

SHOWN_TARGETS, THERMISTOR = 8, "thermistor"
BitsOption = Annotated[
    str | None,
    typer.Option(
        "--bits",
        show_default="8, or trained after --qat",
        help="Widths, separated by commas: 4 to 8, 16, pairs such as w4a8, mixed, trained.",
    ),
]


def command(
    model: ModelArgument,
    data: DataOption = None,
    bits: BitsOption = None,
    max_drop: MaxDropOption = None,
    optimize: OptimizeOption = None,
    constant_time: ConstantTimeOption = False,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="Write FILE.html, FILE.json and FILE.csv.")] = None,
    scales: Annotated[Path | None, typer.Option("--scales", help="A scales file; it decides the ranges.")] = None,
    method: MethodOption = DEFAULT_METHOD,
    equalize: EqualizeOption = AUTO,
    part: PartOption = None,
    label: LabelOption = None,
    drop_missing: DropMissingOption = False,
    data_dir: DataDirOption = None,
    max_memory: MaxMemoryOption = "4GB",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compile a model at each width; say what it scores, what it costs, and whether the C is exact.

    Exit code 1 if the C crashes or any of its values differs from the simulator's.

    Example: qnn report model.qnn --data digits --bits 8,16,mixed -o report.html
    """
    output = Output(json, quiet)
    widths = [width.strip() for width in (bits or "8").split(",")]
    for width in widths:
        check_bits(width)
    limits, choices = limits_of(widths, max_drop), chosen(DEFAULT, optimize, constant_time)
    if out is not None:
        check_replaceable(report_files(out))
    if model.is_file() and INTEGER_MODEL.holds(model):
        asked = request(data, part, label, drop_missing, data_dir, max_memory)
        return _report_quantized(output, model, asked, out, optimize, constant_time)
    network = load_model(model)
    widths = widths if bits else [default_bits(network.learned)]
    asked = request(data, part, label, drop_missing, data_dir, max_memory)
    samples = load_rows(output, asked, network.schema, network.record, "evaluate")
    if samples.y is None:
        raise QnnError(samples.source, "has no labels to compare with", "use data with labels")
    answers = answers_on(network, samples.x)
    reference = score_of(network.schema, answers, samples.y)
    baseline = _baseline(network, samples)
    found = candidates_for(output, network, scales, network.samples, method, equalize)
    rows: list[Row] = []
    for width in widths:
        if width == TRAINED:
            given = candidates_for(output, network, scales, network.samples, method, equalize, width)
            ranges, effect = given.plain, None
        else:
            ranges, effect = choose(network, found, equalize, EIGHT if width == MIXED else widths_named(width))
        with output.progress(f"verifying {width} bits") as progress:
            prefix = name_from(model.stem)
            row = measure(network, ranges, prefix, width, samples.x, samples.y, progress, limits, choices)
        rows.append(replace(row, equalization=effect))
    names = network.schema.targets
    plotted = residuals(names, answers, samples.y) if names else []
    told = typed(sys.argv[1:])
    shown = [row_document(row, network, samples.x, samples.y) for row in rows]
    document = report_document(network, samples.source, samples.part, reference, shown, told, plotted, baseline)
    if out is not None:
        write_report(out, f"{model.stem}: accuracy versus size", document)
        output.say(f"wrote {', '.join(str(path) for path, _ in report_files(out))}")
    show_report(output, f"{model}: {samples.source} ({samples.part}, {len(samples.x):,} samples)", document)
    output.emit(document)
    for row in rows:
        if row.equalization is not None:
            output.say(f"{row.bits} bits: {row.equalization}")
        lost = loss_text(reference, row.evaluation.score, str(row.bits))
        if lost:
            output.warn(f"{model}: {lost}")
        if row.fidelity is not None and row.fidelity.collapse:
            output.warn(f"{model}: {coarse_text(row.fidelity, row.sqnr, str(row.bits))}")
        show_failures(row.verification)
    if not all(row.verification.ok for row in rows):
        raise typer.Exit(1)
    return None


def _baseline(network: Model, samples: Samples) -> Baseline | None:
    """Of the built-in thermistor, the Steinhart-Hart equation fitted to the rows that the network learned from."""
    if network.record.source != THERMISTOR or samples.source != THERMISTOR or samples.y is None:
        return None
    dataset = load(THERMISTOR, LoadOptions().like(network.record), schema=network.schema)
    if dataset.y is None or tuple(f.name for f in network.schema.features) != FEATURES:
        return None
    coefficients = steinhart_hart(dataset.x[dataset.train], dataset.y[dataset.train])
    answers = celsius_by(coefficients, samples.x)
    score = score_of(network.schema, answers, samples.y)
    return Baseline(STEINHART_HART, score, residuals(network.schema.targets, answers, samples.y))


def _report_quantized(
    output: Output, model: Path, asked: Request, out: Path | None, optimize: str | None, constant_time: bool
) -> None:
    """The one column of a model that was quantized elsewhere: there is no float model beside it."""
    if out is not None:
        raise QnnError(model, "was quantized elsewhere: there is no float model for a page", "leave -o out")
    graph = load_graph(model)
    graph = replace(graph, choices=chosen(graph.choices, optimize, constant_time))
    samples = load_rows(output, asked, graph.schema, graph.record, "evaluate")
    if samples.y is None:
        raise QnnError(samples.source, "has no labels to compare with", "use data with labels")
    with output.progress("verifying") as progress:
        row = measure_build(build_graph(graph, None, None), "as imported", samples.x, samples.y, progress)
    document = row_document(row, None, samples.x, samples.y)
    lines = list(zip(SUMMARY_COLUMNS, summary_cells(document), strict=True))[1:]
    title = f"{model}: {samples.source} ({samples.part}, {len(samples.x):,} samples)"
    output.table(title, ("", str(document["bits"])), lines)
    output.emit({"data": samples.source, "part": samples.part, "rows": [document]})
    show_failures(row.verification)
    if not row.verification.ok:
        raise typer.Exit(1)


def report_files(out: Path) -> list[tuple[Path, Kind]]:
    """The page, the JSON and the CSV that a report called `out` (with or without one of their suffixes) consists of."""
    if not out.name:
        raise QnnError(out, "is a folder", "name a file, such as report.html")
    stem = out.stem if out.suffix in (".html", ".json", ".csv") else out.name
    kinds = ((".html", REPORT_PAGE), (".json", REPORT_JSON), (".csv", REPORT_CSV))
    return [(out.with_name(stem + suffix), kind) for suffix, kind in kinds]


def write_report(out: Path, title: str, document: dict[str, Any]) -> None:
    """Write the files of `report_files`. Raises QnnError where something else is in their place."""
    files = report_files(out)
    check_replaceable(files)
    page = report_page(title, document).encode()
    text = (jsonlib.dumps(document, indent=1, allow_nan=False) + "\n").encode()
    contents = (page, text, report_csv(document).encode())
    write_all_whole([(path, content) for (path, _), content in zip(files, contents, strict=True)])


def show_report(output: Output, title: str, document: dict[str, Any]) -> None:
    """The table of a report: a column for float, one for each width, so that it is never wider than a terminal."""
    reference, rows = document["float"], document["rows"]
    baseline = [document["baseline"]] if "baseline" in document else []
    columns = [
        *(baseline_cells(part) for part in baseline),
        float_cells(reference),
        *(summary_cells(row) for row in rows),
    ]
    lines = list(zip(SUMMARY_COLUMNS, *columns, strict=True))[1:]
    parts = [part.get("per_target") or [] for part in (*baseline, reference, *rows)]
    if {len(part) for part in parts} == {len(parts[0])}:
        for targets in list(zip(*parts, strict=True))[:SHOWN_TARGETS]:
            figures = zip(TARGET_FIGURES, *(target_texts(target) for target in targets), strict=True)
            lines += [(f"{figure} of {targets[0]['name']}", *texts) for figure, *texts in figures]
    names = (*(part["name"] for part in baseline), "float", *(f"{row['bits']} bits" for row in rows))
    output.table(title, ("", *names), lines)
