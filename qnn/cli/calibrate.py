# SPDX-License-Identifier: MIT
"""qnn calibrate: ranges and scales from representative samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnn.balancing import AUTO, choose
from qnn.calibration import DEFAULT_METHOD
from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.cli.equalize import EqualizeOption, candidates_for
from qnn.cli.loading import (
    DataDirOption,
    DataOption,
    DropMissingOption,
    LabelOption,
    MaxMemoryOption,
    load_rows,
    request,
)
from qnn.lowering import output_type
from qnn.modelfile import load_model
from qnn.outputs import check_replaceable
from qnn.ranges import METHODS
from qnn.scales import SCALES, Scales, save_scales

NOTE = (
    "The output, the last tensor, is 16 bits wide and uses minimum and maximum; the others use low and high, "
    "at 16 bits the wider of both. "
    "A tensor whose layer keeps its input's range, or that a clamp follows, goes by that one's."
)
ModelArgument = Annotated[Path, typer.Argument(help="A float model that qnn train wrote.")]
MethodOption = Annotated[str, typer.Option("--method", help=f"How ranges are chosen: {', '.join(METHODS)}.")]


def command(
    model: ModelArgument,
    data: DataOption = None,
    method: MethodOption = DEFAULT_METHOD,
    equalize: EqualizeOption = AUTO,
    out: Annotated[Path, typer.Option("--output", "-o", help="The scales file.")] = Path("scales.json"),
    part: Annotated[
        str | None,
        typer.Option("--part", help="Rows: train, validation, test or all; default: train, or all if unlabelled."),
    ] = None,
    label: LabelOption = None,
    drop_missing: DropMissingOption = False,
    data_dir: DataDirOption = None,
    max_memory: MaxMemoryOption = "4GB",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find every tensor's range on representative samples and write them to a file that can be edited.

    Without --data the samples stored in the model are used.

    Example: qnn calibrate model.qnn --data digits --method percentile -o scales.json
    """
    output = Output(json, quiet)
    check_replaceable([(out, SCALES)])
    network = load_model(model)
    samples = network.samples
    if data is not None or part is not None:
        asked = request(data, part, label, drop_missing, data_dir, max_memory)
        samples = load_rows(output, asked, network.schema, network.record, "train").x
    scales, effect = choose(network, candidates_for(output, network, None, samples, method, equalize), equalize)
    save_scales(scales, out)
    show_scales(output, scales, f"{out}: {method} ranges of {scales.samples} samples")
    if effect is not None:
        output.say(f"at 8 bits: {effect}")
    output.emit({"scales": str(out), "method": method, "samples": scales.samples, "equalized": scales.equalized})


def show_scales(output: Output, scales: Scales, title: str) -> None:
    """The table of a scales file: what was seen, what is kept, which of the two counts, and the step it gives."""
    rows = []
    for index, tensor in enumerate(scales.tensors, 1):
        seen = tensor.range
        if index == len(scales.tensors):
            counts, step = "minimum, maximum", output_type((1,), seen.minimum, seen.maximum).scale
        else:
            counts, step = "low, high", (seen.high - seen.low) / 255
        numbers = (seen.minimum, seen.maximum, seen.low, seen.high)
        rows.append((tensor.name, *(f"{number:.6g}" for number in numbers), counts, f"{step:.6g}"))
    output.table(title, ("tensor", "minimum", "maximum", "low", "high", "what counts", "step"), rows)
    output.say(NOTE)
