# SPDX-License-Identifier: MIT
"""A batch in parts: each has its own gradient and its own thread, so that two cores share even the smallest layers.

How many parts there are depends on the network alone, and they are summed in order, so a result does not depend on the
number of cores. Batch norm measures each part by itself ("ghost batch normalization", Hoffer et al. 2017).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from qnn.losses import Distillation, Loss
from qnn.model import Node
from qnn.training.batches import Batches
from qnn.training.engine import bind, run_backward, run_forward, statistics_of

SHARDS = 2  # of a batch where layers work on maps


@dataclass(frozen=True, eq=False)
class Goal:
    """What is minimized: the loss of the labels, or, with a `teacher` (nodes), the distilled one."""

    loss: Loss
    distilled: Distillation | None
    teacher: tuple[Node, ...]

    def measure(self, inputs: np.ndarray, outputs: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss of the outputs for the inputs, and its gradient by the outputs."""
        if self.distilled is None:
            return self.loss.value(outputs, targets), self.loss.gradient(outputs, targets)
        wanted, _ = run_forward(self.teacher, inputs, None)
        return self.distilled.value(outputs, targets, wanted), self.distilled.gradient(outputs, targets, wanted)


@dataclass(frozen=True, eq=False)
class Shard:
    """What one part of a batch needs: its buffers, the network, and the network's gradient as nodes and as a vector."""

    batches: Batches
    nodes: tuple[Node, ...]
    gradients: tuple[Node, ...]
    vector: np.ndarray

    def learn(self, rows: np.ndarray, share: float, seed: int, goal: Goal) -> float:
        """Write the gradient of `share` times the mean loss of `rows`; that mean. `seed`: of what chance decides."""
        rng = np.random.Generator(np.random.PCG64(seed))
        inputs, targets = self.batches.read(rows, rng)
        outputs, saved = run_forward(self.nodes, inputs, rng)
        loss, gradient = goal.measure(inputs, outputs, targets)
        gradient *= share
        run_backward(self.nodes, saved, gradient, self.gradients)
        for statistic in statistics_of(self.gradients):
            statistic *= share
        return loss


@dataclass(frozen=True, eq=False)
class Team:
    """The shards of a training, and who runs all but the first of them (None: nobody else)."""

    shards: tuple[Shard, ...]
    others: Executor | None

    def learn(self, rows: np.ndarray, seeds: np.ndarray, goal: Goal) -> float:
        """Write the gradient of the mean loss of a batch into the first shard's vector; that mean."""
        parts = [part for part in np.array_split(rows, len(self.shards)) if len(part)]
        shares = [len(part) / len(rows) for part in parts]
        tasks = [
            _task(shard, part, share, int(seed), goal)
            for shard, part, share, seed in zip(self.shards, parts, shares, seeds, strict=False)
        ]
        pending = [self.others.submit(task) for task in tasks[1:]] if self.others else []
        losses = [tasks[0]()]
        losses += [future.result() for future in pending] if self.others else [task() for task in tasks[1:]]
        for shard in self.shards[1 : len(parts)]:
            self.shards[0].vector[...] += shard.vector
        return sum(value * share for value, share in zip(losses, shares, strict=True))


@contextmanager
def team(nodes: tuple[Node, ...], parameters: np.ndarray, batches: tuple[Batches, ...]) -> Iterator[Team]:
    """A Team of as many shards as `batches`, whose network has `parameters`; its threads end with the context."""
    bound = bind(nodes, parameters)
    vectors = [np.zeros_like(parameters) for _ in batches]
    shards = tuple(
        Shard(batch, bound, bind(nodes, vector), vector) for batch, vector in zip(batches, vectors, strict=True)
    )
    threads = min(len(shards), processors()) - 1
    if not threads:
        yield Team(shards, None)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield Team(shards, pool)


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _task(shard: Shard, rows: np.ndarray, share: float, seed: int, goal: Goal) -> Callable[[], float]:
    return lambda: shard.learn(rows, share, seed, goal)
