# SPDX-License-Identifier: MIT
"""What qnn train tells: the data, a line an epoch, the table at the end, the JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qnn.cli.console import Output
from qnn.cli.inputlines import InputLine
from qnn.data.dataset import Dataset
from qnn.metrics import Score, metric_name, score
from qnn.model import Model
from qnn.training import Epoch, TrainOptions, TrainResult
from qnn.training.epoch import describe, held_name
from qnn.training.fakenodes import as_trained
from qnn.training.options import BEST, augmentation_of

PARTS = ("validation", "test")


@dataclass(frozen=True, eq=False)
class Report:
    """What a training gave: the result, its scores by part, the model's path, the command that goes on with it, how the
    inputs were normalized."""

    result: TrainResult
    scores: Mapping[str, Score | None]
    path: Path
    again: str | None
    inputs: tuple[InputLine, ...] = ()


def show_data(output: Output, dataset: Dataset) -> None:
    """What is learned from how many samples."""
    schema = dataset.schema
    shape = "x".join(str(size) for size in schema.shape)
    if schema.task == "classification":
        what = f"classification, {len(schema.classes)} classes"
    else:
        what = f"regression, {', '.join(schema.targets[:4])}{' ...' if len(schema.targets) > 4 else ''}"
    counts = ", ".join(f"{len(dataset.rows(part)):,} {part}" for part in ("train", *PARTS))
    output.say(f"{dataset.record.source}: {shape} {schema.dtype}, {what} (--task changes that); {counts}")


def show_recipe(output: Output, options: TrainOptions, phase: str = "") -> None:
    """What was decided for the user, as options that change it. phase: of which training, of several."""
    changes = {name: value for name, value in vars(augmentation_of(options)).items() if value}
    parts = [f"--epochs {options.epochs} --batch {options.batch} --rate {options.rate:g}"]
    parts += [f"--{name} {value:g}" for name, value in changes.items()]
    parts += [f"--smoothing {options.smoothing:g}"] if options.smoothing else []
    output.say(f"recipe{phase}: {' '.join(parts)}")


def epoch_line(dataset: Dataset, epoch: Epoch, options: TrainOptions) -> str:
    """An epoch for people who are not at a terminal, or read the log later."""
    left = epoch.seconds / epoch.number * (options.epochs - epoch.number)
    mark = "  best so far" if epoch.best and options.keep == BEST else ""
    held = describe(dataset.schema.task, epoch)
    times = f"{epoch.seconds:.1f} s, {left:.0f} s left"
    start = f"epoch {epoch.number}/{options.epochs}  loss {epoch.train_loss:.4f}"
    return f"{start}  {held_name(dataset)} {held}  {times}{mark}"


def parameter_count(model: Model) -> int:
    """How many numbers were trained."""
    return sum(array.size for node in model.nodes for array in node.parameters)


def scores(dataset: Dataset, model: Model | None) -> dict[str, Score | None]:
    """The model's score on the validation and the test part; None where there is nothing to measure.

    What was trained for few bits is scored as it was trained, with rounded weights.
    """
    model = as_trained(model) if model else None
    rows = {part: dataset.rows(part) for part in PARTS}
    return {part: score(model, dataset, rows[part]) if model and len(rows[part]) else None for part in PARTS}


def document(dataset: Dataset, report: Report) -> dict[str, Any]:
    """The JSON document of qnn train."""
    result, model, best = report.result, report.result.model, report.result.best
    return {
        "model": str(report.path) if model else None,
        "net": model.net if model else None,
        "task": dataset.schema.task,
        "metric": metric_name(dataset.schema),
        **{part: asdict(value) if value else None for part, value in report.scores.items()},
        "parameters": parameter_count(model) if model else None,
        "epochs": len(result.history),
        "best_epoch": best.number if best else None,
        "seconds": result.history[-1].seconds if result.history else 0.0,
        "stopped": result.stopped,
        "resume": report.again,
        "options": asdict(result.options),
        "inputs": [asdict(line) for line in report.inputs],
        "history": [asdict(epoch) for epoch in result.history],
    }


def show_result(output: Output, report: Report) -> None:
    """The table at the end; after Ctrl-C also what there is and how to go on."""
    model, best, history = report.result.model, report.result.best, report.result.history
    if model is not None and best is not None:
        rows = [(_label(value, part), _value(value)) for part, value in report.scores.items() if value]
        rows += [
            ("parameters", f"{parameter_count(model):,}"),
            ("epochs (kept)", f"{len(history)} ({best.number})"),
            ("seconds", f"{history[-1].seconds:.1f}"),
        ]
        output.table(f"{report.path}: {model.net}", ("as quantized" if model.learned else "float model", ""), rows)
    if report.again is not None:
        kept = (
            f"the best model so far is in {report.path}" if best else "no epoch was finished, so there is no model yet"
        )
        output.say(f"stopped; {kept}; to go on: {report.again}")


def _label(value: Score, part: str) -> str:
    return f"{value.metric}, {value.samples:,} {part} samples"


def _value(value: Score) -> str:
    return f"{100 * value.value:.2f} %" if value.metric == "accuracy" else f"{value.value:.5g}"
