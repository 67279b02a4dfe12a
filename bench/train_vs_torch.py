# SPDX-License-Identifier: MIT
"""Seconds per epoch of 60,000 MNIST images, batches of 128, Adam: qnn and, if installed, PyTorch.

    python bench/train_vs_torch.py [--epochs 5] [--threads 2] [NETWORK ...]

NETWORK: mlp (784-64-10) and cnn (the preset cnn-7k: three convolutions with batch norm), both without a name.
Both sides get the same: float32 arithmetic, random batches, no validation. PyTorch's data is a preloaded float32 tensor
that batches index, its optimizer Adam(fused=True), its fastest on a CPU: no DataLoader. The median epoch counts.
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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch

SAMPLES, BATCH, CLASSES, HIDDEN = 60_000, 128, 10, 64
NETWORKS = (("mlp", f"dense {HIDDEN} relu, dense {CLASSES}"), ("cnn", "cnn-7k"))
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    """Print the rows of each network; 0, or 1 where qnn with PyTorch's recipe is slower."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    known = [name for name, _ in NETWORKS]
    for name in arguments.networks:
        if name not in known:
            parser.error(f"{name!r} is no network; use {', '.join(known)}")
    for name in THREAD_VARIABLES:
        os.environ[name] = str(arguments.threads)  # read when numpy and torch are first imported, so not before here
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    chosen = [(name, net) for name, net in NETWORKS if name in (arguments.networks or known)]
    ratios = [compared(name, net, arguments.epochs, arguments.threads) for name, net in chosen]
    return 0 if all(ratio is None or ratio <= 1 for ratio in ratios) else 1


def compared(name: str, net: str, epochs: int, threads: int) -> float | None:
    """Print the rows of one network; its time as a part of PyTorch's, None without PyTorch."""
    print(f"{name}: {net}, {SAMPLES:,} images, batch {BATCH}, threads {threads}, epochs {epochs}")
    same = median_epoch(qnn_epochs(net, epochs, extras=False))
    print(f"{'qnn, Adam':<42}{same:8.3f} s/epoch")
    full = median_epoch(qnn_epochs(net, epochs, extras=True))
    print(f"{'qnn, default (changed images, averaging)':<42}{full:8.3f} s/epoch")
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed: pip install torch to compare")
        return None
    torch_seconds = median_epoch(torch_epochs(name, epochs, threads))
    print(f"{'torch, Adam(fused=True)':<42}{torch_seconds:8.3f} s/epoch")
    print(f"{'qnn / torch':<42}{same / torch_seconds:8.2f}")
    return same / torch_seconds


def median_epoch(run: Callable[[], list[float]]) -> float:
    """The median of the seconds that `run` measures, without its first epoch."""
    return statistics.median(run()[1:])


def qnn_epochs(net: str, epochs: int, extras: bool) -> Callable[[], list[float]]:
    """Trains with qnn; `extras`: with the changed images and the moving average of qnn train."""
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
        plain = {"averaging": 0, "shift": 0, "rotate": 0, "zoom": 0, "shear": 0, "weight_decay": 0, "smoothing": 0}
        options = replace(options, **plain)

    def run() -> list[float]:
        ends = [0.0, *(epoch.seconds for epoch in train(data, net, options).history)]
        return [after - before for before, after in itertools.pairwise(ends)]

    return run


def torch_model(name: str) -> torch.nn.Module:
    """The network in PyTorch; convolutions without bias where batch norm follows, as is usual there."""
    from torch import nn

    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))
    return nn.Sequential(
        *(nn.Conv2d(1, 7, 5, 2, bias=False), nn.BatchNorm2d(7), nn.ReLU()),
        *(nn.Conv2d(7, 14, 3, bias=False), nn.BatchNorm2d(14), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(14, 28, 3, bias=False), nn.BatchNorm2d(28), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(252, CLASSES)),
    )


def torch_epochs(name: str, epochs: int, threads: int) -> Callable[[], list[float]]:
    """Trains the same with PyTorch."""
    import torch

    torch.set_num_threads(threads)
    images, labels = images_and_labels()
    x = torch.tensor(images).reshape(SAMPLES, 1, 28, 28).float() / 255
    y = torch.tensor(labels)
    model = torch_model(name)
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
