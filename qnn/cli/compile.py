# SPDX-License-Identifier: MIT
"""qnn compile: a float model becomes one integer-only C header."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from qnn.balancing import choose
from qnn.calibration import DEFAULT_METHOD
from qnn.cli.calibrate import MethodOption, ModelArgument
from qnn.cli.choices import ConstantTimeOption, OptimizeOption, PackOption, WeightsOption, chosen, weights_of
from qnn.cli.compiled import Compiled, show_build, tell
from qnn.cli.console import JsonOption, Output, QuietOption, given
from qnn.cli.equalize import EqualizeOption, candidates_for
from qnn.cli.loading import (
    DataDirOption,
    DataOption,
    DropMissingOption,
    LabelOption,
    MaxMemoryOption,
    Samples,
    load_rows,
    request,
)
from qnn.cli.mixed import FlashOption, InstructionsOption, MaxDropOption, RamOption, limits_of
from qnn.compiler import build_graph, check_build_folder, write_build
from qnn.data.synthetic import random_samples
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.graphfile import INTEGER_MODEL, load_graph
from qnn.headroom import AUTO, CHOICES
from qnn.learned import default_bits, learned_of
from qnn.mixed import Limits
from qnn.mixedbuild import How, MixedBuild, compile_mixed
from qnn.model import Model
from qnn.modelfile import load_model
from qnn.names import check_name, name_from
from qnn.ops.choices import Choices, Weights
from qnn.prepare import weighted_layers
from qnn.rounding import CHOICES as ROUNDINGS
from qnn.rounding import GPTQ, Rounding, rounding_effect
from qnn.scales import Scales
from qnn.units import wanted_units
from qnn.widths import EIGHT, MIXED, TRAINED, Widths, check_bits, widths_named, with_weight_bits

EIGHT_NAME = "8"
RoundingOption = Annotated[
    str,
    typer.Option(
        "--rounding",
        help=f"Of weights of less than 8 bits: {', '.join(ROUNDINGS)} ; the former looks at the stored samples.",
    ),
]
BiasOption = Annotated[
    bool,
    typer.Option("--bias-correction/--no-bias-correction", help="Biases make good for the mean error of such weights."),
]
ReduceRangeOption = Annotated[
    str,
    typer.Option(
        "--reduce-range",
        help=f"Whose weights leave a bit of headroom for faster kernels: {', '.join(CHOICES)}; auto: where it is free.",
    ),
]
BitsOption = Annotated[
    str | None,
    typer.Option(
        "--bits",
        show_default="8, or trained after --qat",
        help="Width of weights and activations: 4 to 8, 16, a pair such as w4a8, mixed: chosen per layer, trained.",
    ),
]
WeightBitsOption = Annotated[
    str | None,
    typer.Option(
        "--weight-bits",
        help="Bits of the weights alone: 2 to 8, 16 or ternary, or layer by layer: first=8,last=8,4.",
    ),
]


CALIBRATION = (
    ("--scales", "scales"),
    ("--data", "data"),
    ("--label", "label"),
    ("--bits", "bits"),
    ("--weight-bits", "weight_bits"),
    ("--method", "method"),
    ("--equalize", "equalize"),
    ("--reduce-range", "reduce_range"),
    ("--rounding", "rounding"),
    ("--bias-correction", "bias_correction"),
)
"""Options that a quantized model leaves nothing to do, and their parameters."""
NOT_IDLE = ("scales", "bits", "weight_bits", "equalize")
IDLE_IF_TRAINED = tuple(pair for pair in CALIBRATION if pair[1] not in NOT_IDLE)
"""Those that trained widths leave nothing to do."""
NARROW_ONLY = CALIBRATION[-2:]  # those that concern weights of less than 8 bits


def command(
    context: typer.Context,
    model: ModelArgument,
    bits: BitsOption = None,
    weight_bits: WeightBitsOption = None,
    out: Annotated[Path, typer.Option("--output", "-o", help="The build folder.")] = Path("build"),
    name: Annotated[
        str | None, typer.Option("--name", help="Prefix of every C symbol; default: the file's name.")
    ] = None,
    scales: Annotated[Path | None, typer.Option("--scales", help="A scales file; it decides the ranges.")] = None,
    data: DataOption = None,
    method: MethodOption = DEFAULT_METHOD,
    equalize: EqualizeOption = AUTO,
    reduce_range: ReduceRangeOption = AUTO,
    rounding: RoundingOption = GPTQ,
    bias_correction: BiasOption = True,
    max_drop: MaxDropOption = None,
    flash: FlashOption = None,
    ram: RamOption = None,
    instructions: InstructionsOption = None,
    weights: WeightsOption = None,
    optimize: OptimizeOption = None,
    constant_time: ConstantTimeOption = False,
    pack: PackOption = None,
    unit: Annotated[
        str | None,
        typer.Option("--unit", help="Decimal unit of NAME_value's integers: 0.001, or co=0.1,no2=1 by target."),
    ] = None,
    self_test: Annotated[
        int, typer.Option("--self-test", min=0, help="How many samples the header carries to test itself on the chip.")
    ] = 0,
    label: LabelOption = None,
    drop_missing: DropMissingOption = False,
    data_dir: DataDirOption = None,
    max_memory: MaxMemoryOption = "4GB",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Quantize a model and write build/NAME.h, model.qnn, manifest.json, scales.json and example.c.

    Ranges come from --scales, else from --data, else from the samples stored in the model. A model that was quantized
    elsewhere (qnn import) has them already.

    --bits mixed chooses each layer's widths: the smallest flash that loses at most --max-drop, or the best that fits
    --flash, --ram and --instructions, measured on the same samples. Exit code 1 if no widths meet these limits; what
    comes closest is written.

    Example: qnn compile model.qnn --bits 8 -o build/ --name digits

    Example: qnn compile model.qnn --weight-bits first=8,4 -o small/

    Example: qnn compile model.qnn --bits mixed --flash 8K --ram 2K --instructions 500k

    Example: qnn compile model.qnn --weights auto --weights dense2=flash

    Example: qnn compile model.qnn --optimize size --constant-time
    """
    output = Output(json, quiet)
    check_bits(bits or EIGHT_NAME)
    choices = chosen(Choices(weights_of(weights) or Weights()), optimize, constant_time, pack)
    limits = limits_of((bits or EIGHT_NAME,), max_drop, flash, ram, instructions)
    if model.is_file() and INTEGER_MODEL.holds(model):
        _refuse_calibration(model, [option for option, name in CALIBRATION if given(context, name)])
        if unit is not None:
            raise QnnError(model, "is quantized already: its values have their unit", "leave --unit out")
        graph = _renamed(load_graph(model), name)
        placed = replace(graph.choices, weights=weights_of(weights) or graph.choices.weights)
        graph = replace(graph, choices=chosen(placed, optimize, constant_time, pack))
        _compile_quantized(output, model, out, graph, self_test)
        return
    prefix = check_name(name) if name is not None else name_from(model.stem)
    check_build_folder(out, prefix, [model])
    network = load_model(model)
    units = wanted_units(unit, network.schema)
    bits = bits or (default_bits(network.learned) if weight_bits is None else EIGHT_NAME)
    widths = _widths(network, str(model), bits, weight_bits)
    if bits == TRAINED:
        _refuse_idle(model, [option for option, name in IDLE_IF_TRAINED if given(context, name)])
    asked = request(data, None, label, drop_missing, data_dir, max_memory)
    samples = Samples(network.samples, network.labels, str(model), "train")
    if data is not None and (scales is None or bits == MIXED):
        samples = load_rows(output, asked, network.schema, network.record, "train")
    found = candidates_for(output, network, scales, samples.x, method, equalize, bits)
    how = How(prefix, reduce_range, self_test, choices, units, Rounding(rounding, bias_correction), samples.x)
    built = None if bits == MIXED else lambda scales: how.graph(network, scales, widths)
    ranges, effect = choose(network, found, equalize, widths, built)
    mixed = _mixed(output, network, ranges, limits, samples, how) if bits == MIXED else None
    widths = mixed.widths if mixed else widths
    build = mixed.build if mixed else how.build(network, ranges, widths)
    removed = write_build(build, out)
    steps = rounding_effect(network, ranges, widths, samples.x)
    if not steps:
        _tell_idle(output, [option for option, name in NARROW_ONLY if given(context, name)])
    text = bits if weight_bits is None else f"weights of {weight_bits} and activations of {bits}"
    tell(output, model, out, Compiled(network, bits, text, ranges, widths, build, effect, tuple(steps), mixed), removed)


def _widths(network: Model, subject: str, bits: str, weight_bits: str | None) -> Widths:
    """What --bits and --weight-bits name; 8 bits where the former says mixed. Raises QnnError where they contradict."""
    if weight_bits is not None and bits in (MIXED, TRAINED):
        problem = "chooses" if bits == MIXED else "has in the model"
        raise QnnError("--weight-bits", f"says what --bits {bits} {problem}", "leave one of them out")
    if weight_bits is not None and bits.startswith("w"):
        raise QnnError("--weight-bits", f"says what --bits {bits} says as well", "leave one out, or say --bits 8")
    if bits == TRAINED:
        return learned_of(network.learned, subject).widths
    if weight_bits is None:
        return EIGHT if bits == MIXED else widths_named(bits)
    return with_weight_bits(widths_named(bits), weight_bits, weighted_layers(network))


def _refuse_calibration(model: Path, written: list[str]) -> None:
    """Raises QnnError for options of calibration: a quantized model has its ranges."""
    if written:
        remedy = "leave them out, or import the float model"
        raise QnnError(model, f"is quantized already; {' and '.join(written)} cannot change its ranges", remedy)


def _refuse_idle(model: Path, written: list[str]) -> None:
    """Raises QnnError for options that say nothing where widths, steps and ranges were trained."""
    if written:
        problem = f"was trained for its widths (--qat); {' and '.join(written)} cannot change its steps and ranges"
        raise QnnError(model, problem, "leave them out, or name other --bits")


def _tell_idle(output: Output, written: list[str]) -> None:
    """Say it of options that are for narrow weights where no layer has any."""
    if written:
        verb = "change" if len(written) > 1 else "changes"
        output.warn(f"{' and '.join(written)} {verb} nothing: no layer's weights have less than 8 bits")


def _renamed(graph: Graph, name: str | None) -> Graph:
    """The graph under another name, if one is given."""
    return graph if name is None else replace(graph, name=check_name(name))


def _compile_quantized(output: Output, model: Path, out: Path, graph: Graph, self_test: int) -> None:
    """The build of the integer graph that was read from `model`; its samples are random ones."""
    check_build_folder(out, graph.name, [model])
    samples = random_samples(graph.schema, (), (), max(self_test, 1), np.random.default_rng(0))
    build = build_graph(graph, None, samples[0], samples[:self_test])
    removed = write_build(build, out)
    show_build(output, build, out)
    if removed is not None:
        output.say(f"removed {removed}, the header of the build that was there")
    output.emit({**build.manifest, "header": str(out / build.manifest["header"]), "fidelity": None})


def _mixed(output: Output, network: Model, ranges: Scales, limits: Limits, samples: Samples, how: How) -> MixedBuild:
    with output.progress("choosing widths") as progress:
        return compile_mixed(network, ranges, limits, samples.x, samples.y, how, progress)
