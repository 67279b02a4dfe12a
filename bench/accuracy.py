# SPDX-License-Identifier: MIT
"""Trains the reference networks with several seeds and prints float and integer accuracy: `make accuracy`."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from recipes import REFERENCES, Reference
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
from qnn.training.resume import resume_path
from qnn.widths import EIGHT

CHOICE_EPOCHS = 15  # enough to tell networks apart that differ by a tenth of a point


@dataclass(frozen=True)
class Run:
    """One training: float and integer accuracy on the test part, seconds."""

    seed: int
    float_accuracy: float
    integer_accuracy: float
    seconds: float


def trained(reference: Reference, dataset: Dataset, seed: int, folder: Path) -> Model:
    """The float model, also at folder/NAME-SEED.qnn: what is there is taken, what was interrupted is continued."""
    teacher = taught(reference, reference.teacher, dataset, seed, folder)
    return kept(folder / f"{reference.name}-{seed}.qnn", reference.net, reference.options, dataset, seed, teacher)


def made_aware(reference: Reference, model: Model, dataset: Dataset, seed: int, folder: Path) -> Model:
    """`model` after the quantization-aware training of `reference`, likewise; itself where there is none."""
    if reference.aware is None:
        return model
    teacher = taught(reference, reference.aware_teacher, dataset, seed, folder)
    return kept(folder / f"{reference.name}-aware-{seed}.qnn", None, reference.aware, dataset, seed, teacher, model)


def taught(reference: Reference, teacher: Reference | None, dataset: Dataset, seed: int, folder: Path) -> Model | None:
    """A teacher of `reference`, None without one."""
    return None if teacher is None else trained(teacher, dataset, 0 if reference.one_teacher else seed, folder)


def kept(
    path: Path,
    net: str | None,
    options: TrainOptions,
    dataset: Dataset,
    seed: int,
    teacher: Model | None,
    start: Model | None = None,
) -> Model:
    """The model at `path`, trained if it is not there. Raises QnnError if training gives none."""
    unfinished = resume_path(path).exists()
    if path.exists() and not unfinished:
        return load_model(path)
    options = replace(options, seed=seed)
    with Output().progress(path.stem) as progress:
        result = train(dataset, net, options, path, teacher=teacher, start=start, resume=unfinished, progress=progress)
    if result.model is None:
        raise QnnError(path, "training gave no model", "train longer")
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


def choose(reference: Reference, seeds: int, folder: Path) -> Table:
    """The accuracy of a network and of its rivals on the validation samples after CHOICE_EPOCHS."""
    table = Table("network", "validation %", title=f"{reference.name}: to choose from")
    dataset = load(reference.data)
    options = replace(reference.options, epochs=CHOICE_EPOCHS)
    for number, net in enumerate((reference.net, *reference.rivals)):
        found = []
        for seed in range(seeds):
            path = folder / f"{reference.name}-choice-{number}-{seed}.qnn"
            model = kept(path, net, options, dataset, seed, None)
            found.append(f"{100 * score(model, dataset, dataset.validation).value:.2f}")
        table.add_row(net, ", ".join(found))
    return table


def main() -> int:
    """Print a row for each training and each network's median; 1 if a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=", ".join(known.name for known in REFERENCES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--choose", action="store_true", help="compare with its rivals, on validation samples only")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/accuracy"), help="keeps what is trained")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {known.name for known in REFERENCES}
    if unknown:
        parser.error(f"no network is called {', '.join(sorted(unknown))}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    chosen = [known for known in REFERENCES if known.name in arguments.names or not arguments.names]
    if arguments.choose:
        for reference in chosen:
            if reference.rivals:
                Console().print(choose(reference, arguments.seeds, arguments.output))
        return 0
    return 1 if score_all(chosen, arguments.seeds, arguments.output) else 0


def score_all(chosen: list[Reference], seeds: int, folder: Path) -> int:
    """Print the table; how many floors were missed."""
    table = Table("network", "seed", "float %", "integer %", "seconds", title="Reference networks, test part")
    failures = 0
    for reference in chosen:
        runs = []
        for seed in range(seeds):
            run = run_reference(reference, seed, folder)
            runs.append(run)
            numbers = (f"{100 * run.float_accuracy:.2f}", f"{100 * run.integer_accuracy:.2f}", f"{run.seconds:.0f}")
            table.add_row(reference.name, str(seed), *numbers)
            print(reference.name, f"seed {seed}:", *numbers, file=sys.stderr, flush=True)
        failures += not add_median(table, reference, runs)
    Console().print(table)
    return failures


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
