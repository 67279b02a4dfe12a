# SPDX-License-Identifier: MIT
"""qnn compile: a float model becomes one integer-only C header."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from qnn.calibration import DEFAULT_METHOD
from qnn.cli.calibrate import MethodOption, ModelArgument
from qnn.cli.choices import (
    ConstantTimeOption,
    OptimizeOption,
    PackOption,
    WeightsOption,
    chosen,
    tell_idle_pack,
    weights_of,
)
from qnn.cli.compiled import show_build
from qnn.cli.console import JsonOption, Output, QuietOption, given
from qnn.cli.equalize import EqualizeOption
from qnn.cli.loading import (
    DataDirOption,
    DataOption,
    DropMissingOption,
    LabelOption,
    MaxMemoryOption,
    request,
)
from qnn.cli.mixed import FlashOption, InstructionsOption, MaxDropOption, RamOption, limits_of
from qnn.cli.quantizing import Order, compile_float
from qnn.compiler import build_graph, check_build_folder, write_build
from qnn.data.synthetic import random_samples
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.graphfile import INTEGER_MODEL, load_graph
from qnn.headroom import AUTO, CHOICES
from qnn.names import check_name
from qnn.ops.choices import Choices, Weights
from qnn.precision import CLIPPINGS, MSE
from qnn.rounding import CHOICES as ROUNDINGS
from qnn.rounding import GPTQ, Rounding
from qnn.widths import EIGHT_NAME, check_bits

RoundingOption = Annotated[
    str,
    typer.Option(
        "--rounding",
        help=f"Of weights of less than 8 bits: {', '.join(ROUNDINGS)}; the former looks at the stored samples.",
    ),
]
BiasOption = Annotated[
    bool,
    typer.Option("--bias-correction/--no-bias-correction", help="Biases make good for the mean error of such weights."),
]
ClippingOption = Annotated[
    str,
    typer.Option(
        "--clipping",
        help=f"Of the largest of such weights: {', '.join(CLIPPINGS)}; mse clips where squared errors get less by it.",
    ),
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
        help="Width of weights and activations: 4 to 8, 16, a pair such as w4a8, "
        "mixed: chosen per layer, or trained: what --qat trained it for.",
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
    ("--clipping", "clipping"),
)
"""Options that a quantized model leaves nothing to do, and their parameters."""


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
    clipping: ClippingOption = MSE,
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
    --flash, --ram and --instructions, measured on the same samples. Where a compiler for RV32 and the emulator are
    installed (see qnn doctor) these are what the C takes, else predictions. Exit code 1 if no widths meet the limits;
    what comes closest is written.

    Example: qnn compile model.qnn --bits 8 -o build/ --name digits

    Example: qnn compile model.qnn --weight-bits first=8,4 -o small/

    Example: qnn compile model.qnn --bits mixed --flash 8K --ram 2K --instructions 500k

    Example: qnn compile model.qnn --weights auto --weights dense2=flash

    Example: qnn compile model.qnn --optimize size --constant-time
    """
    output = Output(json, quiet)
    check_bits(EIGHT_NAME if bits is None else bits)
    choices = chosen(Choices(weights_of(weights) or Weights()), optimize, constant_time, pack)
    order = Order(
        model=model,
        out=out,
        name=name,
        bits=bits,
        weight_bits=weight_bits,
        scales=scales,
        rows=request(data, None, label, drop_missing, data_dir, max_memory),
        method=method,
        equalize=equalize,
        reduce_range=reduce_range,
        rounding=Rounding(rounding, bias_correction, clipping),
        limits=limits_of((bits or EIGHT_NAME,), max_drop, flash, ram, instructions),
        choices=choices,
        pack=pack,
        unit=unit,
        self_test=self_test,
        written=tuple(option for option, parameter in CALIBRATION if given(context, parameter)),
    )
    if not (model.is_file() and INTEGER_MODEL.holds(model)):
        return compile_float(output, order)
    graph = _quantized_graph(order)
    placed = replace(graph.choices, weights=weights_of(weights) or graph.choices.weights)
    graph = replace(graph, choices=chosen(placed, optimize, constant_time, pack))
    return _compile_quantized(output, order, graph)


def _quantized_graph(order: Order) -> Graph:
    """The graph of a quantized model, under another name if one is given. Raises QnnError for options of calibration
    and of units: it has its ranges and its unit."""
    if order.written:
        remedy = "leave them out, or import the float model"
        problem = f"is quantized already; {' and '.join(order.written)} cannot change its ranges"
        raise QnnError(order.model, problem, remedy)
    if order.unit is not None:
        raise QnnError(order.model, "is quantized already: its values have their unit", "leave --unit out")
    graph = load_graph(order.model)
    return graph if order.name is None else replace(graph, name=check_name(order.name))


def _compile_quantized(output: Output, order: Order, graph: Graph) -> None:
    """The build of the integer graph that was read from the order's model; its samples are random ones."""
    out, self_test = order.out, order.self_test
    check_build_folder(out, graph.name, [order.model])
    samples = random_samples(graph.schema, (), (), max(self_test, 1), np.random.default_rng(0))
    build = build_graph(graph, None, samples[0], samples[:self_test])
    removed = write_build(build, out)
    show_build(output, build, out)
    if removed is not None:
        output.say(f"removed {removed}, the header of the build that was there")
    tell_idle_pack(output, graph, order.pack)
    output.emit({**build.manifest, "header": str(out / build.manifest["header"]), "fidelity": None})
