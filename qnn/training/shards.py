# SPDX-License-Identifier: MIT
"""A batch in parts, each with its own gradient, so that two processes share even the smallest layers.

How many parts there are depends on the network alone, and they are summed in order, so a result does not depend on the
number of cores. Batch norm measures each part by itself ("ghost batch normalization", Hoffer et al. 2017).
"""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qnn.losses import Distillation, Loss
from qnn.model import Model, Node
from qnn.training.batches import Batches
from qnn.training.engine import bind, run_backward, run_forward, statistics_of
from qnn.training.teacher import folded_nodes

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


class Partner(Protocol):
    """Who learns the last part of every batch meanwhile."""

    alive: bool

    def start(self, parameters: np.ndarray, rows: np.ndarray, share: float, seed: int) -> None:
        """Begin to learn `rows`."""
        ...

    def finish(self, vector: np.ndarray) -> float | None:
        """Wait, put the gradient into `vector`; the loss, or None if the partner is gone."""
        ...


@dataclass(frozen=True, eq=False)
class Team:
    """The shards of a training, and who else learns (None: nobody)."""

    shards: tuple[Shard, ...]
    parameters: np.ndarray
    partner: Partner | None

    def learn(self, rows: np.ndarray, seeds: np.ndarray, goal: Goal) -> float:
        """Write the gradient of the mean loss of a batch into the first shard's vector; that mean."""
        parts = [part for part in np.array_split(rows, len(self.shards)) if len(part)]
        shares = [len(part) / len(rows) for part in parts]
        partner = self.partner if self.partner is not None and self.partner.alive and len(parts) > 1 else None
        last = len(parts) - 1
        if partner is not None:
            partner.start(self.parameters, parts[last], shares[last], int(seeds[last]))
        total = 0.0
        for index, (shard, part, share) in enumerate(zip(self.shards, parts, shares, strict=False)):
            loss = partner.finish(shard.vector) if partner is not None and index == last else None
            if loss is None:
                loss = shard.learn(part, share, int(seeds[index]), goal)
            total += share * loss
            if index:
                self.shards[0].vector[...] += shard.vector
        return total


def team(
    nodes: tuple[Node, ...], parameters: np.ndarray, batches: tuple[Batches, ...], partner: Partner | None = None
) -> Team:
    """A Team of as many shards as `batches`, whose network has `parameters`."""
    bound = bind(nodes, parameters)
    vectors = [np.zeros_like(parameters) for _ in batches]
    shards = tuple(
        Shard(batch, bound, bind(nodes, vector), vector) for batch, vector in zip(batches, vectors, strict=True)
    )
    return Team(shards, parameters, partner)


def goal_of(loss: Loss, teacher: Model | None, weight: float, temperature: float) -> Goal:
    """What is minimized, with or without a teacher."""
    if teacher is None:
        return Goal(loss, None, ())
    return Goal(loss, Distillation(loss, weight, temperature), folded_nodes(teacher))


def processors() -> int:
    """How many processors this process may use: one where it is a worker of several."""
    if multiprocessing.parent_process() is not None:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
