# SPDX-License-Identifier: MIT
"""qnn train: a float model from data."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import typer

from qnn.cli import trainoptions as options
from qnn.cli.console import JsonOption, Output, QuietOption, SeedOption, typed
from qnn.cli.inputlines import InputLine, input_lines, show_inputs
from qnn.cli.trainoptions import float_options, load_options
from qnn.cli.trainplan import Plan, plan_of
from qnn.cli.trainreport import Report, document, epoch_line, scores, show_data, show_recipe, show_result
from qnn.data import load
from qnn.data.dataset import Dataset
from qnn.data.options import DEFAULT_MAX_MEMORY, LoadOptions
from qnn.model import Model
from qnn.modelfile import FLOAT_MODEL, load_model
from qnn.outputs import keep_previous
from qnn.progress import silent
from qnn.training import Epoch, TrainOptions, TrainResult, train
from qnn.training.normalization import Fitted
from qnn.training.options import LAST

FLOAT = TrainOptions()
LOAD = LoadOptions()
LABEL = ",".join(LOAD.label)
MEMORY = f"{DEFAULT_MAX_MEMORY // 10**9}GB"
STOPPED = 130  # the exit code of a program that Ctrl-C ended
SHOWN_EPOCHS = 25
FLOAT_FIRST, ROUNDED = " of the float network", " with rounding"  # the phases of --qat


def command(
    context: typer.Context,
    data: options.DataArgument,
    net: options.NetOption = None,
    output: options.OutOption = Path("model.qnn"),
    resume: options.ResumeOption = False,
    seed: SeedOption = FLOAT.seed,
    epochs: options.EpochsOption = FLOAT.epochs,
    batch: options.BatchOption = FLOAT.batch,
    rate: options.RateOption = FLOAT.rate,
    schedule: options.ScheduleOption = FLOAT.schedule,
    optimizer: options.OptimizerOption = FLOAT.optimizer,
    patience: options.PatienceOption = FLOAT.patience,
    keep: options.KeepOption = FLOAT.keep,
    momentum: options.MomentumOption = FLOAT.momentum,
    weight_decay: options.DecayOption = FLOAT.weight_decay,
    l2: options.L2Option = FLOAT.l2,
    smoothing: options.SmoothingOption = FLOAT.smoothing,
    averaging: options.AveragingOption = FLOAT.averaging,
    init: options.InitOption = FLOAT.init,
    shift: options.ShiftOption = FLOAT.shift,
    rotate: options.RotateOption = FLOAT.rotate,
    zoom: options.ZoomOption = FLOAT.zoom,
    shear: options.ShearOption = FLOAT.shear,
    elastic: options.ElasticOption = FLOAT.elastic,
    cutout: options.CutoutOption = FLOAT.cutout,
    teacher: options.TeacherOption = None,
    distill: options.DistillOption = FLOAT.distill,
    temperature: options.TemperatureOption = FLOAT.temperature,
    qat: options.QatOption = FLOAT.qat,
    start: options.FromOption = None,
    label: options.LabelOption = LABEL,
    task: options.TaskOption = LOAD.task,
    inputs: options.InputsOption = "",
    input_unit: options.InputUnitOption = "",
    normalize: options.NormalizeOption = FLOAT.normalize,
    drop_columns: options.DropColumnsOption = "",
    drop_missing: options.DropMissingOption = LOAD.drop_missing,
    missing: options.MissingOption = "",
    header: options.HeaderOption = LOAD.header,
    separator: options.SeparatorOption = LOAD.separator,
    test_file: options.TestFileOption = None,
    split: options.SplitOption = LOAD.split,
    validation: options.ValidationOption = LOAD.validation_fraction,
    test: options.TestOption = LOAD.test_fraction,
    data_dir: options.DataDirOption = None,
    max_memory: options.MaxMemoryOption = MEMORY,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a float network and write it to a file, with up to 512 training samples for calibration.

    The best model so far is on disk after every epoch; Ctrl-C keeps it and says how to go on.

    The test samples are only read at the end, to be reported.

    With --qat, training goes on with rounded weights whose steps are learned; qnn compile then takes widths, steps and
    ranges as they were trained.

    Example: qnn train mnist --net "dense 64 relu, dense 10" -o mnist.qnn

    Example: qnn train mnist --from mnist.qnn --qat 4 -o mnist4.qnn
    """
    console = Output(json, quiet)
    plan = plan_of(context)
    dataset = _load(console, data, load_options(context, plan.unfinished), plan.options.keep)
    show_data(console, dataset)
    plan = plan.with_data(dataset)
    _keep_previous(console, plan)
    begun = _float_first(console, dataset, plan) if plan.first is not None else plan.start
    show_recipe(console, plan.options, "" if plan.first is None else ROUNDED)
    last = replace(plan, start=begun, resume=plan.resume and not plan.float_unfinished)
    result, lines = _train(console, dataset, last, plan.options, output)
    _warn_overdue(console, plan)
    report = Report(result, scores(dataset, result.model), output, _again() if result.stopped else None, lines)
    console.emit(document(dataset, report))
    show_result(console, report)
    if result.stopped:
        raise typer.Exit(STOPPED)


def _keep_previous(console: Output, plan: Plan) -> None:
    """Models that were there before get another name."""
    for path in () if plan.resume else plan.paths:
        kept = keep_previous(path, FLOAT_MODEL)
        if kept is not None:
            console.say(f"the model that was in {path} is now in {kept}")


def _warn_overdue(console: Output, plan: Plan) -> None:
    done = len(plan.unfinished.state.history) if plan.unfinished is not None else 0
    if done > plan.options.epochs:
        epochs = plan.options.epochs
        console.warn(f"{done} epochs are done, more than --epochs {epochs}; nothing was trained or changed")


def _load(console: Output, data: str, wanted: LoadOptions, keep: str) -> Dataset:
    with console.progress(f"reading {data}") as progress:
        dataset = load(data, wanted, progress=progress)
    for warning in dataset.warnings:
        console.warn(warning)
    if not len(dataset.validation) and keep != LAST:
        console.warn("there are no validation samples, so the best epoch is chosen on the training samples")
    return dataset


def _train(
    console: Output, dataset: Dataset, plan: Plan, chosen: TrainOptions, path: Path
) -> tuple[TrainResult, tuple[InputLine, ...]]:
    """Train with a bar on a terminal, else about SHOWN_EPOCHS lines; Ctrl-C ends it after the batch."""
    every = -(-chosen.epochs // SHOWN_EPOCHS)
    inputs: list[InputLine] = []

    def prepared(fitted: Fitted) -> None:
        inputs.extend(input_lines(dataset.schema, fitted))
        show_inputs(console, inputs)

    with stop_on_interrupt() as should_stop, console.progress("training") as progress:

        def observe(epoch: Epoch) -> None:
            if progress is silent and (epoch.number % every == 0 or epoch.number in (1, chosen.epochs)):
                console.say(epoch_line(dataset, epoch, chosen))

        result = train(
            dataset,
            plan.net,
            chosen,
            path,
            teacher=plan.teacher,
            start=plan.start,
            resume=plan.resume,
            progress=progress,
            observer=observe,
            should_stop=should_stop,
            prepared=prepared,
        )
    return result, tuple(inputs)


def _float_first(console: Output, dataset: Dataset, plan: Plan) -> Model:
    """The float model that --qat without --from begins with: trained now, or before where that is resumed.

    Exits where it is stopped.
    """
    assert plan.first is not None
    if plan.resume and not plan.float_unfinished:
        return load_model(plan.first)
    chosen = float_options(plan.options)
    show_recipe(console, chosen, FLOAT_FIRST)
    result, lines = _train(console, dataset, plan, chosen, plan.first)
    if result.stopped or result.model is None:
        show_result(console, Report(result, scores(dataset, result.model), plan.first, _again(), lines))
        raise typer.Exit(STOPPED)
    return result.model


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """A function that tells whether Ctrl-C was pressed; a second Ctrl-C interrupts at once."""
    pressed: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def _again() -> str:
    """The command that goes on with this training, for any shell."""
    return typed([*(word for word in sys.argv[1:] if word != "--resume"), "--resume"])
