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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from qnn.blas import blas_threads
from qnn.data.dataset import Dataset
from qnn.forward import output_shape
from qnn.losses import loss_for
from qnn.model import Model
from qnn.modelfile import load_model, save_model
from qnn.process import Companion
from qnn.schemafile import Document
from qnn.training.batches import Batches
from qnn.training.engine import bind, flat_parameters
from qnn.training.options import TrainOptions, augmentation_of, read_options
from qnn.training.shards import Shard, goal_of

START, DONE = b"s", b"d"
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
        folder = Path(name)
        try:
            exchange = _write(folder, model, teacher, dataset, options)
            companion = Companion("qnn.training.helper", name)
        except OSError:
            yield None
            return
        helper = Helper(companion, exchange, dataset.train)
        del exchange
        try:
            yield helper
        finally:
            helper.end()


def main(folder: str) -> None:
    """What the process does: learn what it is told, until nobody tells it anything."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    place = Path(folder)
    options = read_options(Document(json.loads((place / OPTIONS).read_text()), place / OPTIONS))
    model = load_model(place / MODEL)
    teacher = load_model(place / TEACHER) if (place / TEACHER).exists() else None
    exchange = _exchange(place, flat_parameters(model.nodes).size, options.batch, "r+")
    x, y = (np.load(place / name, mmap_mode="r") for name in (X, Y))
    rows = np.arange(len(x), dtype=np.int64)
    dataset = Dataset(model.schema, model.record, x, y, rows, rows[:0], rows[:0])
    batches = Batches(dataset, model.normalization, options.batch, augmentation_of(options))
    shard = Shard(
        batches, bind(model.nodes, exchange.parameters), bind(model.nodes, exchange.gradient), exchange.gradient
    )
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
    return _exchange(folder, flat_parameters(model.nodes).size, options.batch, "w+")


def _exchange(folder: Path, parameters: int, batch: int, mode: Literal["r+", "w+"]) -> Exchange:
    def shared(name: str, dtype: str, size: int) -> np.ndarray:
        return np.asarray(np.memmap(folder / name, np.dtype(dtype), mode, shape=(max(size, 1),)))[:size]

    return Exchange(
        parameters=shared("parameters", "f4", parameters),
        gradient=shared("gradient", "f4", parameters),
        order=shared("order", "i8", batch + 2),
        numbers=shared("numbers", "f8", 2),
    )
