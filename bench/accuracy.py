# SPDX-License-Identifier: MIT
"""Trains the reference networks with several seeds and prints float and int8 accuracy: `make accuracy`."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from qnn.calibration import calibrate
from qnn.data import LoadOptions, load
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.evaluation import evaluate
from qnn.metrics import score
from qnn.quantization import quantize
from qnn.training import TrainOptions, train
from qnn.training.options import LAST

DEFAULT = TrainOptions()


@dataclass(frozen=True)
class Reference:
    """A network to train: its median float accuracy must reach `floor`. validation: the part held out; None: usual."""

    data: str
    net: str
    floor: float
    most_lost: float  # by int8, in points
    options: TrainOptions = DEFAULT
    validation: float | None = None


# As qnn train mnist --net cnn-7k --epochs 120 --validation 0 --keep last: all training images, no selection.
ALL_OF_IT = TrainOptions(epochs=120, keep=LAST)
REFERENCES = (
    Reference("digits", "dense 32 relu, dense 10", 0.96, 0.5),
    Reference("mnist", "dense 64 relu, dense 10", 0.98, 0.10),
    Reference("mnist", "cnn-5k", 0.992, 0.05, ALL_OF_IT, 0.0),
    Reference("mnist", "cnn-7k", 0.994, 0.05, ALL_OF_IT, 0.0),
)


@dataclass(frozen=True)
class Run:
    """One training: float and int8 accuracy on the test part, seconds."""

    seed: int
    float_accuracy: float
    int8_accuracy: float
    seconds: float


def run_reference(reference: Reference, dataset: Dataset, seed: int, folder: Path) -> Run:
    """Train, quantize and score one network; the model stays in `folder`."""
    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{reference.data}-{REFERENCES.index(reference)}-{seed}.qnn"
    result = train(dataset, reference.net, replace(reference.options, seed=seed), path)
    if result.model is None:
        raise QnnError(reference.net, "gave no model", "train longer")
    seconds = time.perf_counter() - start
    rows = dataset.test
    graph = quantize(result.model, calibrate(result.model, result.model.samples), "net")
    y = None if dataset.y is None else dataset.y[rows]
    quantized = evaluate(graph, dataset.x[rows], y).score.value
    return Run(seed, score(result.model, dataset, rows).value, quantized, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=Path("build/accuracy"))
    arguments = parser.parse_args()
    table = Table("data", "network", "seed", "float %", "int8 %", "seconds", title="Reference networks, test part")
    failures = 0
    for reference in REFERENCES:
        options = (
            LoadOptions() if reference.validation is None else LoadOptions(validation_fraction=reference.validation)
        )
        dataset = load(reference.data, options)
        runs = []
        for seed in range(arguments.seeds):
            run = run_reference(reference, dataset, seed, arguments.output)
            runs.append(run)
            numbers = (f"{100 * run.float_accuracy:.2f}", f"{100 * run.int8_accuracy:.2f}", f"{run.seconds:.0f}")
            table.add_row(reference.data, reference.net, str(seed), *numbers)
            print(reference.data, f"seed {seed}:", *numbers, file=sys.stderr)
        middle = statistics.median(run.float_accuracy for run in runs)
        lost = max(100 * (run.float_accuracy - run.int8_accuracy) for run in runs)
        ok = middle >= reference.floor and lost <= reference.most_lost
        failures += not ok
        verdict = "ok" if ok else f"below {100 * reference.floor:.1f} or losing more than {reference.most_lost}"
        table.add_row(reference.data, reference.net, "median", f"{100 * middle:.2f}", f"{lost:+.2f} lost", verdict)
    Console().print(table)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
