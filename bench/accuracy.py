# SPDX-License-Identifier: MIT
"""Trains the reference networks with several seeds and prints float and integer accuracy: `make accuracy`."""

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
from qnn.learned import Learned
from qnn.metrics import score
from qnn.model import Model
from qnn.modelfile import load_model
from qnn.training import TrainOptions, train
from qnn.training.options import LAST
from qnn.training.resume import resume_path
from qnn.widths import EIGHT

DEFAULT = TrainOptions()


@dataclass(frozen=True)
class Reference:
    """A network to train: its median integer accuracy must reach `floor`. validation: the part held out; None: usual.

    teacher: the network that it also learns from. float_teacher: whether it does before quantization-aware training,
    too. aware: how that is done, after the float training; None: not at all.
    """

    name: str
    data: str
    net: str
    floor: float
    most_lost: float  # by integers, in points
    options: TrainOptions = DEFAULT
    validation: float | None = None
    teacher: Reference | None = None
    float_teacher: bool = True
    aware: TrainOptions | None = None


# The recipe was chosen on held-out training images; here it gets all of them, so there is no epoch to select:
# qnn train mnist --net cnn-29k --validation 0 --keep last --smoothing 0 --elastic 0.8 --epochs 40 -o teacher.qnn
# qnn train mnist --net cnn-7k --validation 0 --keep last --smoothing 0 --teacher teacher.qnn --epochs 100
ALL_OF_IT = TrainOptions(epochs=100, keep=LAST, smoothing=0.0)
TEACHER = Reference("teacher", "mnist", "cnn-29k", 0.996, 0.05, replace(ALL_OF_IT, epochs=40, elastic=0.8), 0.0)
# Weights of four bits: the float networks of these steps, then quantization-aware training with the teacher:
# qnn train mnist --from float.qnn --qat 4 --validation 0 --keep last --smoothing 0 --teacher teacher.qnn --epochs 40 \
#     --rate 0.002
FLOAT_60, FLOAT_40 = replace(ALL_OF_IT, epochs=60), replace(ALL_OF_IT, epochs=40)
FOUR_BITS = replace(ALL_OF_IT, epochs=40, qat="4", rate=0.002)
TINY_BITS = replace(FOUR_BITS, epochs=30, rate=0.003)
SMALL = "conv 5x5 4 stride 2 bn relu, conv 3x3 12 bn relu, maxpool 2, conv 3x3 24 bn relu, dense"
TINY = "avgpool 2, conv 4x4 6 stride 2 bn relu, conv 3x3 18 stride 2 bn relu, dense"
REFERENCES = (
    Reference("digits", "digits", "dense 32 relu, dense 10", 0.96, 0.5),
    Reference("mlp", "mnist", "dense 64 relu, dense 10", 0.98, 0.10),
    Reference("cnn-7k", "mnist", "cnn-7k", 0.994, 0.05, ALL_OF_IT, 0.0, TEACHER),
    Reference("cnn-5k", "mnist", "cnn-5k", 0.992, 0.05, ALL_OF_IT, 0.0, TEACHER),
    Reference("cnn-5k-w4", "mnist", "cnn-5k", 0.9935, 0.1, FLOAT_60, 0.0, TEACHER, aware=FOUR_BITS),
    Reference("cnn-3k-w4", "mnist", SMALL, 0.9925, 0.1, FLOAT_40, 0.0, TEACHER, aware=replace(FOUR_BITS, epochs=20)),
    Reference("cnn-1k-w4", "mnist", TINY, 0.97, 1.0, replace(ALL_OF_IT, epochs=25), 0.0, TEACHER, False, TINY_BITS),
)


@dataclass(frozen=True)
class Run:
    """One training: float and integer accuracy on the test part, seconds."""

    seed: int
    float_accuracy: float
    integer_accuracy: float
    seconds: float


def trained(reference: Reference, dataset: Dataset, seed: int, folder: Path) -> Model:
    """The float model, also at folder/NAME-SEED.qnn: what is there is taken, what was interrupted is continued."""
    teacher = reference.teacher if reference.aware is None or reference.float_teacher else None
    return _trained(reference.name, reference.net, reference.options, dataset, seed, folder, teacher)


def made_aware(reference: Reference, model: Model, dataset: Dataset, seed: int, folder: Path) -> Model:
    """`model` after the quantization-aware training of `reference`, likewise; itself where there is none."""
    if reference.aware is None:
        return model
    name = f"{reference.name}-aware"
    return _trained(name, None, reference.aware, dataset, seed, folder, reference.teacher, model)


def _trained(
    name: str,
    net: str | None,
    options: TrainOptions,
    dataset: Dataset,
    seed: int,
    folder: Path,
    teacher: Reference | None,
    start: Model | None = None,
) -> Model:
    path = folder / f"{name}-{seed}.qnn"
    unfinished = resume_path(path).exists()
    if path.exists() and not unfinished:
        return load_model(path)
    taught = trained(teacher, dataset, seed, folder) if teacher else None
    options = replace(options, seed=seed)
    with Output().progress(path.stem) as progress:
        result = train(dataset, net, options, path, teacher=taught, start=start, resume=unfinished, progress=progress)
    if result.model is None:
        raise QnnError(name, "gave no model", "train longer")
    return result.model


def run_reference(reference: Reference, seed: int, folder: Path) -> Run:
    """Train, quantize and score one network; its models and its teacher's stay in `folder`."""
    options = LoadOptions() if reference.validation is None else LoadOptions(validation_fraction=reference.validation)
    dataset = load(reference.data, options)
    start = time.perf_counter()
    model = trained(reference, dataset, seed, folder)
    aware = made_aware(reference, model, dataset, seed, folder)
    seconds = time.perf_counter() - start
    rows = dataset.test
    learned = aware.learned or Learned(EIGHT, calibrate(model, model.samples))
    graph = compile_model(aware, learned.scales, "net", widths=learned.widths).graph
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
    table = Table("network", "seed", "float %", "integer %", "seconds", title="Reference networks, test part")
    failures = 0
    for reference in chosen:
        runs = []
        for seed in range(arguments.seeds):
            run = run_reference(reference, seed, arguments.output)
            runs.append(run)
            numbers = (f"{100 * run.float_accuracy:.2f}", f"{100 * run.integer_accuracy:.2f}", f"{run.seconds:.0f}")
            table.add_row(reference.name, str(seed), *numbers)
            print(reference.name, f"seed {seed}:", *numbers, file=sys.stderr, flush=True)
        failures += not add_median(table, reference, runs)
    Console().print(table)
    return 1 if failures else 0


def add_median(table: Table, reference: Reference, runs: list[Run]) -> bool:
    """Add the row of a network's median; does it reach the floor, losing no more than it may?"""
    middle = statistics.median(run.float_accuracy for run in runs)
    quantized = statistics.median(run.integer_accuracy for run in runs)
    lost = 100 * (middle - quantized)
    ok = quantized >= reference.floor and lost <= reference.most_lost
    verdict = "ok" if ok else f"below {100 * reference.floor:.1f} or losing more than {reference.most_lost}"
    table.add_row(reference.name, "median", f"{100 * middle:.2f}", f"{100 * quantized:.2f}", verdict)
    return ok


if __name__ == "__main__":
    sys.exit(main())
