# SPDX-License-Identifier: MIT
"""The options of qnn train, and how they become TrainOptions and LoadOptions."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

import typer

from qnn.cli.console import given
from qnn.data import LoadOptions
from qnn.data.options import parse_bytes
from qnn.errors import QnnError
from qnn.layers.initial import INITS
from qnn.model import IMPORTED, Model
from qnn.modelfile import load_model
from qnn.net import PRESETS, WORDS
from qnn.optimizers import OPTIMIZERS
from qnn.schedules import SCHEDULES
from qnn.training import TrainOptions, Unfinished
from qnn.training.normalization import CHOICES as NORMALIZATIONS
from qnn.training.options import QAT_SHARE

DATA, TRAINING, RECIPE, IMAGES = "Data", "Training", "Recipe", "Images, changed at random"
TEACHER = "Knowledge distillation"
AWARE = "Quantization-aware training"

DataArgument = Annotated[
    str, typer.Argument(metavar="DATA", help="A built-in name (digits, thermistor, mnist), CSV, IDX folder or .npz.")
]
NetOption = Annotated[
    str | None,
    typer.Option(
        "--net",
        help='The network: "dense 64 relu, dropout 0.2, dense 10", "conv 5x5 6 stride 2 bn relu, maxpool 2, dense 10", '
        f"or {', '.join(p.name for p in PRESETS)}. Words: {', '.join(w.name for w in WORDS)}, "
        "residual(...), concat(...; ...). Behind windows: stride S, same (in brackets the default), pad P. "
        "The last width may be left out.",
    ),
]
OutOption = Annotated[Path, typer.Option("--output", "-o", help="The model file.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training of this model.")]

EpochsOption = Annotated[
    int, typer.Option("--epochs", min=0, show_default="as suits the data", help="Epochs.", rich_help_panel=TRAINING)
]
BatchOption = Annotated[
    int,
    typer.Option("--batch", min=0, show_default="as suits the data", help="Samples a step.", rich_help_panel=TRAINING),
]
RateOption = Annotated[
    float,
    typer.Option("--rate", min=0, show_default="0.01, sgd 0.05", help="Peak learning rate.", rich_help_panel=TRAINING),
]
ScheduleOption = Annotated[
    str, typer.Option("--schedule", help=f"Of the learning rate: {', '.join(SCHEDULES)}.", rich_help_panel=TRAINING)
]
OptimizerOption = Annotated[
    str, typer.Option("--optimizer", help=f"{' or '.join(OPTIMIZERS)}.", rich_help_panel=TRAINING)
]
PatienceOption = Annotated[
    int,
    typer.Option(
        "--patience", min=0, help="Stop after so many epochs without a better one; 0: never.", rich_help_panel=TRAINING
    ),
]
KeepOption = Annotated[
    str,
    typer.Option("--keep", help="The best epoch on the validation samples, or the last one.", rich_help_panel=TRAINING),
]
MomentumOption = Annotated[
    float, typer.Option("--momentum", help="Of sgd; of adam the first beta.", rich_help_panel=RECIPE)
]
DecayOption = Annotated[
    float, typer.Option("--weight-decay", help="Decoupled decay of weights, times the rate.", rich_help_panel=RECIPE)
]
L2Option = Annotated[float, typer.Option("--l2", help="L2 term of the loss.", rich_help_panel=RECIPE)]
SmoothingOption = Annotated[
    float,
    typer.Option(
        "--smoothing",
        show_default="0.03 for convolutions, 0 else",
        help="Label smoothing, 0 to 0.9.",
        rich_help_panel=RECIPE,
    ),
]
AveragingOption = Annotated[
    float, typer.Option("--averaging", help="Moving average of the weights; 0: off.", rich_help_panel=RECIPE)
]
InitOption = Annotated[str, typer.Option("--init", help=f"First weights: {', '.join(INITS)}.", rich_help_panel=RECIPE)]
ShiftOption = Annotated[
    int,
    typer.Option(
        "--shift",
        min=-1,
        show_default="2 for convolutions, 1 else; images from 16 pixels",
        help="Move images at random while training, by so many pixels; 0: off.",
        rich_help_panel=IMAGES,
    ),
]
RotateOption = Annotated[
    float, typer.Option("--rotate", show_default="12 for convolutions", help="Turn, degrees.", rich_help_panel=IMAGES)
]
ZoomOption = Annotated[
    float,
    typer.Option("--zoom", show_default="0.12 for convolutions", help="Resize, part of it.", rich_help_panel=IMAGES),
]
ShearOption = Annotated[
    float, typer.Option("--shear", show_default="0.15 for convolutions", help="Slant, slope.", rich_help_panel=IMAGES)
]
ElasticOption = Annotated[
    float, typer.Option("--elastic", show_default="0.4 for convolutions", help="Bend, pixels.", rich_help_panel=IMAGES)
]
CutoutOption = Annotated[
    int, typer.Option("--cutout", min=0, help="Blank a square of so many pixels a side.", rich_help_panel=IMAGES)
]

TeacherOption = Annotated[
    Path | None,
    typer.Option("--teacher", help="A larger trained model to learn from as well.", rich_help_panel=TEACHER),
]
DistillOption = Annotated[
    float, typer.Option("--distill", help="The teacher's part of the loss, 0 to 1.", rich_help_panel=TEACHER)
]
TemperatureOption = Annotated[
    float, typer.Option("--temperature", help="Of both softmaxes that are compared.", rich_help_panel=TEACHER)
]

QatOption = Annotated[
    str,
    typer.Option(
        "--qat",
        show_default="off",
        help="After float training go on for weights of so many bits: 2 to 8, ternary; layer by layer: first=7,4; "
        "with activations of 4 to 8: w4a6, first=w8a8,w4a4.",
        rich_help_panel=AWARE,
    ),
]
FromOption = Annotated[
    Path | None,
    typer.Option("--from", help="A float model that is trained already, with --qat.", rich_help_panel=AWARE),
]

NormalizeOption = Annotated[
    str,
    typer.Option(
        "--normalize",
        help=f"Of columns: {', '.join(NORMALIZATIONS)}; of single ones NAME=CHOICE, with commas between.",
        rich_help_panel=DATA,
    ),
]
LabelOption = Annotated[
    str,
    typer.Option(
        "--label",
        "--target",
        help="Columns to learn: first, last or names, with commas between.",
        rich_help_panel=DATA,
    ),
]
TaskOption = Annotated[str, typer.Option("--task", help="auto, classification or regression.", rich_help_panel=DATA)]
InputsOption = Annotated[
    str,
    typer.Option(
        "--inputs", help="Columns to learn from, with commas between; * stands for anything.", rich_help_panel=DATA
    ),
]
InputUnitOption = Annotated[
    str,
    typer.Option(
        "--input-unit",
        show_default="as fine as the data",
        help="Decimal unit of the C's integers: 0.01, or air=0.1,pressure=1 by column.",
        rich_help_panel=DATA,
    ),
]
SplitOption = Annotated[
    str,
    typer.Option(
        "--split",
        help="random, or chronological: first rows for training, last ones for the test.",
        rich_help_panel=DATA,
    ),
]
DropColumnsOption = Annotated[
    str, typer.Option("--drop-columns", help="Columns to leave out, with commas between.", rich_help_panel=DATA)
]
DropMissingOption = Annotated[
    bool, typer.Option("--drop-missing", help="Leave out rows with missing values.", rich_help_panel=DATA)
]
MissingOption = Annotated[
    str, typer.Option("--missing", help='Values that mean "missing", with commas between.', rich_help_panel=DATA)
]
HeaderOption = Annotated[str, typer.Option("--header", help="auto, yes or no.", rich_help_panel=DATA)]
SeparatorOption = Annotated[
    str, typer.Option("--separator", help="Of the CSV: auto, a character, or tab, space ...", rich_help_panel=DATA)
]
TestFileOption = Annotated[
    Path | None, typer.Option("--test-file", help="The test samples, in place of a split.", rich_help_panel=DATA)
]
ValidationOption = Annotated[
    float, typer.Option("--validation", help="Part held out to choose the best epoch.", rich_help_panel=DATA)
]
TestOption = Annotated[float, typer.Option("--test", help="Part held out as the test set.", rich_help_panel=DATA)]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Where mnist is looked for first.", rich_help_panel=DATA)
]
MaxMemoryOption = Annotated[
    str, typer.Option("--max-memory", help="What the samples may take, such as 800MB.", rich_help_panel=DATA)
]

LISTS = ("label", "inputs", "input_units", "drop_columns", "missing")
LOAD_NAMES = {"validation": "validation_fraction", "test": "test_fraction", "input_unit": "input_units"}


def train_options(context: typer.Context, unfinished: Unfinished | None) -> TrainOptions:
    """The TrainOptions of the command line; those of `unfinished` where the user wrote nothing else."""
    for name in ("distill", "temperature"):
        if given(context, name) and not context.params["teacher"]:
            raise QnnError(f"--{name}", "says nothing without a teacher", "name one with --teacher, or leave it out")
    if context.params["start"] and not context.params["qat"]:
        raise QnnError("--from", "says nothing without --qat", "say for how many bits, or leave it out")
    base = unfinished.options if unfinished else TrainOptions()
    names = [field.name for field in fields(TrainOptions)]
    return replace(base, **{name: context.params[name] for name in names if given(context, name)})


def begun_with(path: Path, net: str | None) -> Model:
    """The float model at `path`, which --from names. Raises QnnError where NET is given as well."""
    if net is not None:
        raise QnnError("--net", "is that of the model that --from names", "leave one of them out")
    model = load_model(path)
    if model.net.startswith(IMPORTED):
        raise QnnError(path, "was imported; --from goes on with what qnn train wrote", "train the network here")
    return model


def first_phase(output: Path) -> Path:
    """Where the float model lies that --qat without --from begins with: model-float.qnn for model.qnn."""
    return output.with_name(f"{output.stem}-float{output.suffix}") if output.name else output


def float_options(options: TrainOptions) -> TrainOptions:
    """Those of the float training before that of `options`, whose rate is a part of the former's."""
    return replace(options, qat="", rate=options.rate / QAT_SHARE)


def load_options(context: typer.Context, unfinished: Unfinished | None) -> LoadOptions:
    """The LoadOptions of the command line, with the split of `unfinished`."""
    values = {LOAD_NAMES.get(name, name): value for name, value in context.params.items()}
    names = {field.name for field in fields(LoadOptions)} - {"low", "high", "max_memory"}
    chosen = {name: value for name, value in values.items() if name in names}
    for name in LISTS:
        chosen[name] = tuple(part.strip() for part in values[name].split(",") if part.strip())
    options = LoadOptions(**chosen, max_memory=parse_bytes(values["max_memory"]))
    return options.like(unfinished.record) if unfinished else options
