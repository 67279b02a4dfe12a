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
from qnn.cli.console import Output
from qnn.compiler import compile_model
from qnn.data import LoadOptions, load
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.evaluation import evaluate
from qnn.metrics import score
from qnn.model import Model
from qnn.modelfile import load_model
from qnn.training import TrainOptions, train
from qnn.training.options import LAST
from qnn.training.resume import resume_path

DEFAULT = TrainOptions()


@dataclass(frozen=True)
class Reference:
    """A network to train: its median int8 accuracy must reach `floor`. validation: the part held out; None: usual.

    teacher: the network that it also learns from, trained with the same seed.
    """

    name: str
    data: str
    net: str
    floor: float
    most_lost: float  # by int8, in points
    options: TrainOptions = DEFAULT
    validation: float | None = None
    teacher: Reference | None = None


# The recipe was chosen on held-out training images; here it gets all of them, so there is no epoch to select:
# qnn train mnist --net cnn-29k --validation 0 --keep last --smoothing 0 --elastic 0.8 --epochs 40 -o teacher.qnn
# qnn train mnist --net cnn-7k --validation 0 --keep last --smoothing 0 --teacher teacher.qnn --epochs 100
ALL_OF_IT = TrainOptions(epochs=100, keep=LAST, smoothing=0.0)
TEACHER = Reference("teacher", "mnist", "cnn-29k", 0.996, 0.05, replace(ALL_OF_IT, epochs=40, elastic=0.8), 0.0)
REFERENCES = (
    Reference("digits", "digits", "dense 32 relu, dense 10", 0.96, 0.5),
    Reference("mlp", "mnist", "dense 64 relu, dense 10", 0.98, 0.10),
    Reference("cnn-7k", "mnist", "cnn-7k", 0.994, 0.05, ALL_OF_IT, 0.0, TEACHER),
    Reference("cnn-5k", "mnist", "cnn-5k", 0.992, 0.05, ALL_OF_IT, 0.0, TEACHER),
)


@dataclass(frozen=True)
class Run:
    """One training: float and int8 accuracy on the test part, seconds."""

    seed: int
    float_accuracy: float
    int8_accuracy: float
    seconds: float


def trained(reference: Reference, dataset: Dataset, seed: int, folder: Path) -> Model:
    """The trained model, also at folder/NAME-SEED.qnn: what is there is taken, what was interrupted is continued."""
    path = folder / f"{reference.name}-{seed}.qnn"
    unfinished = resume_path(path).exists()
    if path.exists() and not unfinished:
        return load_model(path)
    teacher = trained(reference.teacher, dataset, seed, folder) if reference.teacher else None
    options = replace(reference.options, seed=seed)
    with Output().progress(path.stem) as progress:
        result = train(dataset, reference.net, options, path, teacher=teacher, resume=unfinished, progress=progress)
    if result.model is None:
        raise QnnError(reference.net, "gave no model", "train longer")
    return result.model


def run_reference(reference: Reference, seed: int, folder: Path) -> Run:
    """Train, quantize and score one network; its model and its teacher's stay in `folder`."""
    options = LoadOptions() if reference.validation is None else LoadOptions(validation_fraction=reference.validation)
    dataset = load(reference.data, options)
    start = time.perf_counter()
    model = trained(reference, dataset, seed, folder)
    seconds = time.perf_counter() - start
    rows = dataset.test
    graph = compile_model(model, calibrate(model, model.samples), "net").graph
    y = None if dataset.y is None else dataset.y[rows]
    quantized = evaluate(graph, dataset.x[rows], y).score.value
    return Run(seed, score(model, dataset, rows).value, quantized, seconds)


def main() -> int:
    """Print a row for each training and each network's median; 1 if a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=", ".join(known.name for known in REFERENCES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=Path("build/accuracy"), help="keeps what is trained")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    chosen = [known for known in REFERENCES if known.name in (arguments.names or [each.name for each in REFERENCES])]
    table = Table("network", "seed", "float %", "int8 %", "seconds", title="Reference networks, test part")
    failures = 0
    for reference in chosen:
        runs = []
        for seed in range(arguments.seeds):
            run = run_reference(reference, seed, arguments.output)
            runs.append(run)
            numbers = (f"{100 * run.float_accuracy:.2f}", f"{100 * run.int8_accuracy:.2f}", f"{run.seconds:.0f}")
            table.add_row(reference.name, str(seed), *numbers)
            print(reference.name, f"seed {seed}:", *numbers, file=sys.stderr, flush=True)
        failures += not add_median(table, reference, runs)
    Console().print(table)
    return 1 if failures else 0


def add_median(table: Table, reference: Reference, runs: list[Run]) -> bool:
    """Add the row of a network's median; does it reach the floor, losing no more than it may?"""
    middle = statistics.median(run.float_accuracy for run in runs)
    quantized = statistics.median(run.int8_accuracy for run in runs)
    lost = 100 * (middle - quantized)
    ok = quantized >= reference.floor and lost <= reference.most_lost
    verdict = "ok" if ok else f"below {100 * reference.floor:.1f} or losing more than {reference.most_lost}"
    table.add_row(reference.name, "median", f"{100 * middle:.2f}", f"{100 * quantized:.2f}", verdict)
    return ok


if __name__ == "__main__":
    sys.exit(main())
