# SPDX-License-Identifier: MIT
"""A second process that trains one part of every batch.

Threads would not do: Python's interpreter lock passes from thread to thread more slowly than a step of a small layer
takes (measured: two threads are slower than one). Files that both processes map carry what changes; a byte each way
says when. Without the helper, and if it ends, this process trains all parts itself, with the same result.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from qnn.blas import blas_threads
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.forward import output_shape
from qnn.losses import loss_for
from qnn.model import Model
from qnn.modelfile import load_model, save_model
from qnn.process import Companion
from qnn.schemafile import Document
from qnn.training.batches import Batches
from qnn.training.engine import bind, flat_parameters
from qnn.training.fakenodes import training_nodes
from qnn.training.options import TrainOptions, augmentation_of, read_options
from qnn.training.shards import Shard, goal_of

START, DONE = b"s", b"d"
SHARED = (("parameters", "f4"), ("gradient", "f4"), ("order", "i8"), ("numbers", "f8"))  # the files of an Exchange
MODEL, TEACHER, OPTIONS, X, Y = "model.qnn", "teacher.qnn", "options.json", "x.npy", "y.npy"


@dataclass(frozen=True, eq=False)
class Exchange:
    """Memory that two processes share through files in a folder.

    parameters, gradient: float32 vectors. order: int64, how many rows, the seed, and the rows. numbers: float64, the
    part's share of the batch, and the loss.
    """

    parameters: np.ndarray
    gradient: np.ndarray
    order: np.ndarray
    numbers: np.ndarray


class Helper:
    """The process, and what it shares with this one."""

    def __init__(self, companion: Companion, exchange: Exchange, rows: np.ndarray) -> None:
        """`rows`: those of the dataset that the process has, ascending."""
        self._companion, self._exchange, self._rows = companion, exchange, rows
        self.alive = True

    def start(self, parameters: np.ndarray, rows: np.ndarray, share: float, seed: int) -> None:
        """Let it learn `rows`, while this process does something else."""
        exchange = self._exchange
        exchange.parameters[...] = parameters
        exchange.order[:2] = len(rows), seed
        exchange.order[2 : 2 + len(rows)] = np.searchsorted(self._rows, rows)
        exchange.numbers[0] = share
        self.alive = self._companion.tell(START)

    def finish(self, vector: np.ndarray) -> float | None:
        """Wait until it is done, put its gradient into `vector`; the loss, or None if it has ended."""
        self.alive = self.alive and self._companion.answer() == DONE
        if not self.alive:
            return None
        vector[...] = self._exchange.gradient
        return float(self._exchange.numbers[1])

    def end(self) -> None:
        """End the process and let go of the files, which some systems only then delete."""
        self.alive = False
        self._companion.close()
        del self._exchange


@contextmanager
def helper_for(model: Model, teacher: Model | None, dataset: Dataset, options: TrainOptions) -> Iterator[Helper | None]:
    """A Helper for a training, which ends with the context; None where no process can be started."""
    with tempfile.TemporaryDirectory(prefix="qnn-", ignore_cleanup_errors=True) as name:
        helper = _started(Path(name), model, teacher, dataset, options)
        try:
            yield helper
        finally:
            if helper is not None:
                helper.end()


def _started(
    folder: Path, model: Model, teacher: Model | None, dataset: Dataset, options: TrainOptions
) -> Helper | None:
    """A Helper that shares files in `folder`; None where they cannot be written or no process can be started."""
    try:
        rows = np.sort(dataset.train)
        exchange = _write(folder, model, teacher, replace(dataset, train=rows), options)
        return Helper(Companion("qnn.training.helper", str(folder)), exchange, rows)
    except (OSError, QnnError):
        return None


def main(folder: str) -> None:
    """What the process does: learn what it is told, until nobody tells it anything."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    place = Path(folder)
    options = read_options(Document(json.loads((place / OPTIONS).read_text()), place / OPTIONS))
    model = load_model(place / MODEL)
    teacher = load_model(place / TEACHER) if (place / TEACHER).exists() else None
    exchange = _exchange(place)
    x, y = (np.load(place / name, mmap_mode="r") for name in (X, Y))
    rows = np.arange(len(x), dtype=np.int64)
    dataset = Dataset(model.schema, model.record, x, y, rows, rows[:0], rows[:0])
    batches = Batches(dataset, model.normalization, options.batch, augmentation_of(options))
    nodes = training_nodes(model)
    shard = Shard(batches, bind(nodes, exchange.parameters), bind(nodes, exchange.gradient), exchange.gradient)
    loss = loss_for(model.schema, output_shape(model)[0], options.smoothing)
    goal = goal_of(loss, teacher, options.distill, options.temperature)
    with blas_threads(0), np.errstate(over="ignore", invalid="ignore"):
        while sys.stdin.buffer.read(1) == START:
            count, seed = (int(number) for number in exchange.order[:2])
            chosen = np.array(exchange.order[2 : 2 + count])
            exchange.numbers[1] = shard.learn(chosen, float(exchange.numbers[0]), seed, goal)
            sys.stdout.buffer.write(DONE)
            sys.stdout.buffer.flush()


def _write(folder: Path, model: Model, teacher: Model | None, dataset: Dataset, options: TrainOptions) -> Exchange:
    """Put what the process needs into the folder; the memory to share."""
    save_model(model, folder / MODEL)
    if teacher is not None:
        save_model(teacher, folder / TEACHER)
    (folder / OPTIONS).write_text(json.dumps(asdict(options)))
    np.save(folder / X, dataset.x[dataset.train])
    np.save(folder / Y, np.zeros(0) if dataset.y is None else dataset.y[dataset.train])
    vectors = flat_parameters(training_nodes(model)).size
    sizes = (vectors, vectors, 2 + options.batch, 2)
    for (file, dtype), size in zip(SHARED, sizes, strict=True):
        # Written, not only extended: a full disk is an error here, and would be a signal in a mapped file.
        np.zeros(size, dtype).tofile(folder / file)
    return _exchange(folder)


def _exchange(folder: Path) -> Exchange:
    return Exchange(*(_mapped(folder / file, np.dtype(dtype)) for file, dtype in SHARED))


def _mapped(file: Path, dtype: np.dtype) -> np.ndarray:
    """The file as memory; nothing to map where it is empty."""
    return np.asarray(np.memmap(file, dtype, "r+")) if file.stat().st_size else np.zeros(0, dtype)
