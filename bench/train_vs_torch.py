# SPDX-License-Identifier: MIT
"""Seconds per epoch of 60,000 MNIST images through 784-64-10, batches of 128, Adam: qnn and, if installed, PyTorch.

    python bench/train_vs_torch.py [--epochs 5] [--threads 1]

Both get the same: float32 arithmetic, random batches, no validation. PyTorch's data is a preloaded float32 tensor that
batches index, its optimizer Adam(fused=True), its fastest on a CPU: no DataLoader. --threads are PyTorch's: qnn uses
one for products as small as these. The median epoch counts.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SAMPLES, BATCH, CLASSES, HIDDEN = 60_000, 128, 10, 64
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    """Print one row per recipe; 0, or 1 where qnn with PyTorch's recipe is slower."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    for name in THREAD_VARIABLES:
        os.environ[name] = str(arguments.threads)  # read when numpy and torch are first imported, so not before here
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    print(f"784-64-10, {SAMPLES:,} images, batch {BATCH}, threads {arguments.threads}, epochs {arguments.epochs}")
    same = median_epoch(qnn_epochs(arguments.epochs, extras=False))
    print(f"{'qnn, Adam':<34}{same:8.3f} s/epoch")
    full = median_epoch(qnn_epochs(arguments.epochs, extras=True))
    print(f"{'qnn, default (shifts, averaging)':<34}{full:8.3f} s/epoch")
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed: pip install torch to compare")
        return 0
    torch_seconds = median_epoch(torch_epochs(arguments.epochs, arguments.threads))
    print(f"{'torch, Adam(fused=True)':<34}{torch_seconds:8.3f} s/epoch")
    print(f"{'qnn / torch':<34}{same / torch_seconds:8.2f}")
    return 0 if same <= torch_seconds else 1


def median_epoch(run: Callable[[], list[float]]) -> float:
    """The median of the seconds that `run` measures, without its first epoch."""
    return statistics.median(run()[1:])


def qnn_epochs(epochs: int, extras: bool) -> Callable[[], list[float]]:
    """Trains with qnn; `extras`: with the shifts and the moving average of qnn train."""
    import numpy as np

    from qnn.data.dataset import Dataset
    from qnn.schema import DataRecord, Schema
    from qnn.training import TrainOptions, train

    images, labels = images_and_labels()
    schema = Schema((28, 28, 1), "uint8", (), "classification", tuple("0123456789"), (), ())
    one = np.arange(1, dtype=np.int64)  # validation needs a row
    record = DataRecord("bench", "", 0, 0.0, 0.0)
    data = Dataset(schema, record, images, labels, np.arange(SAMPLES, dtype=np.int64), one, one)
    options = TrainOptions(epochs=epochs + 1, batch=BATCH)
    if not extras:
        options = TrainOptions(epochs=epochs + 1, batch=BATCH, averaging=0, shift=0, weight_decay=0)

    def run() -> list[float]:
        ends = [0.0, *(epoch.seconds for epoch in train(data, f"dense {HIDDEN} relu, dense 10", options).history)]
        return [after - before for before, after in itertools.pairwise(ends)]

    return run


def torch_epochs(epochs: int, threads: int) -> Callable[[], list[float]]:
    """Trains the same with PyTorch."""
    import torch

    torch.set_num_threads(threads)
    images, labels = images_and_labels()
    x = torch.tensor(images).reshape(SAMPLES, -1).float() / 255
    y = torch.tensor(labels)
    model = torch.nn.Sequential(torch.nn.Linear(784, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, CLASSES))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    loss = torch.nn.CrossEntropyLoss()

    def epoch() -> float:
        start = time.perf_counter()
        order = torch.randperm(SAMPLES)
        for first in range(0, SAMPLES, BATCH):
            rows = order[first : first + BATCH]
            optimizer.zero_grad()
            loss(model(x[rows]), y[rows]).backward()
            optimizer.step()
        return time.perf_counter() - start

    return lambda: [epoch() for _ in range(epochs + 1)]


def images_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """MNIST's 60,000 training images where they are found, else random ones, which train as fast."""
    import numpy as np

    from qnn.data import LoadOptions, load
    from qnn.errors import QnnError

    try:
        data = load("mnist", LoadOptions())
        rows = np.sort(np.concatenate([data.train, data.validation]))
        return data.x[rows], data.y[rows]
    except QnnError as error:
        print(f"random images ({error})")
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (SAMPLES, 28, 28, 1), dtype=np.uint8), rng.integers(0, CLASSES, SAMPLES)


if __name__ == "__main__":
    sys.exit(main())
