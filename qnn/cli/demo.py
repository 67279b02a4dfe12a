# SPDX-License-Identifier: MIT
"""qnn demo: the whole road on the embedded default."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from qnn.calibration import calibrate
from qnn.cli.console import JsonOption, Output, QuietOption, SeedOption, typed
from qnn.cli.loading import DataDirOption
from qnn.cli.verify import show_failures
from qnn.compiler import write_build
from qnn.data import LoadOptions, load
from qnn.data.request import Samples
from qnn.errors import QnnError
from qnn.fidelity import loss_text
from qnn.mixedbuild import How
from qnn.modelfile import model_hash
from qnn.names import name_from
from qnn.report.baseline import reference_of
from qnn.report.cells import metric_in, metric_text, mismatches_text, number_text
from qnn.report.document import Network, Origin, report_document
from qnn.report.measure import measure
from qnn.report.row import row_document
from qnn.report.tools import tools_here
from qnn.report.variant import Variant
from qnn.training import TrainOptions, train
from qnn.verification import Verification
from qnn.verifier import RV32

DEFAULT_DATA, BITS = "digits", "8"


def command(
    data: Annotated[str, typer.Argument(help="What to learn: digits, thermistor, mnist, or a file.")] = DEFAULT_DATA,
    net: Annotated[str | None, typer.Option("--net", help="The network; default: one that suits the data.")] = None,
    out: Annotated[Path, typer.Option("--output", "-o", help="Where the model and its build go.")] = Path("demo"),
    seed: SeedOption = 0,
    data_dir: DataDirOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train, calibrate, compile, simulate and verify, then show what came out.

    Exit code 1 if the C crashes or any of its values differs from the simulator's.

    Example: qnn demo
    """
    output = Output(json, quiet)
    document, verification = run_demo(output, data, net, out, seed, data_dir)
    output.table(f"{data}: from float to the chip", ("", "value"), demo_rows(document))
    if RV32 not in document["rows"][0]["targets"]:
        output.warn("no RV32 compiler or emulator was found, so only this machine was verified; see qnn doctor")
    output.say(f"the C is {out / 'build'}; try: qnn verify {out / 'build'} --layers --count all")
    output.emit(document)
    show_failures(verification)
    if not verification.ok:
        raise typer.Exit(1)


def run_demo(
    output: Output, data: str, net: str | None, out: Path, seed: int, data_dir: Path | None
) -> tuple[dict[str, Any], Verification]:
    """The report document of a network trained on `data`, and how its C did; the model and its build are in `out`."""
    with output.progress(f"reading {data}") as progress:
        dataset = load(data, LoadOptions(data_dir=data_dir, seed=seed), progress=progress)
    model_path = out / f"{name_from(Path(data).stem)}.qnn"
    with output.progress(f"training on {len(dataset.train):,} samples") as progress:
        result = train(dataset, net, TrainOptions(seed=seed), model_path, progress=progress)
    if result.model is None or dataset.y is None:
        raise QnnError(data, "gave no model", "use more samples")
    output.say(f"trained {result.model.net!r} for {len(result.history)} epochs -> {model_path}")
    rows = dataset.test
    name, samples = name_from(Path(data).stem), Samples(dataset.x[rows], dataset.y[rows], data, "test")
    reference = reference_of(result.model, samples)
    scales = calibrate(result.model, result.model.samples)
    with output.progress("verifying every test sample") as progress:
        row = measure(result.model, scales, How(name), BITS, samples.x, dataset.y[rows], progress)
    write_build(row.build, out / "build")
    lost = loss_text(reference.score, row.evaluation.score, BITS)
    if lost:
        output.warn(f"{data}: {lost}")
    network = Network(name, result.model.net, seed, model_hash(result.model), reference.document, reference.baseline)
    origin = Origin(data, "test", typed(sys.argv[1:]), tools_here())
    shown = {"network": name, "seed": seed, **Variant(BITS).document()}
    shown |= row_document(row, result.model, samples.x, dataset.y[rows])
    return report_document(origin, [network], [shown]), row.verification


def demo_rows(document: dict[str, Any]) -> list[tuple[str, str]]:
    """The closing table: what the road gave, in the order of the road."""
    reference, row = document["float"], document["rows"][0]
    metric = metric_in(reference)
    return [
        (f"float {metric}", metric_text(metric, reference[metric])),
        (f"int8 {metric}", metric_text(metric, row[metric])),
        ("weights, bytes", number_text(row["weights_bytes"])),
        ("tables, bytes", number_text(row["tables_bytes"])),
        ("structs and padding, bytes", number_text(row["structs_bytes"])),
        ("code, bytes", number_text(row["code_bytes"])),
        ("RAM, bytes (scratch + stack)", number_text(row["ram_bytes"])),
        ("multiply-accumulates per inference", number_text(row["macs"])),
        ("RV32 instructions per inference", number_text(row["instructions"])),
        ("samples verified", number_text(reference["samples"])),
        (f"mismatches ({', '.join(row['targets'])})", mismatches_text(row)),
    ]
