# SPDX-License-Identifier: MIT
"""One epoch: batches that change the parameters, then a look at rows that do not."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.metrics import accuracy, predicted_classes, rmse
from qnn.model import Node
from qnn.normalize import target_values
from qnn.schedules import rate_factor
from qnn.training.engine import bind, run_forward, statistics_of
from qnn.training.job import Job
from qnn.training.options import LAST
from qnn.training.shards import Partner, Shard, team
from qnn.training.state import Epoch, State
from qnn.training.statistics import measure_statistics

REPORT_EVERY = 8  # batches
STATISTICS_RATE = 0.1  # part of a batch's statistics that a layer's take on
MAX_SEED = 1 << 63


def run_epoch(job: Job, state: State, partner: Partner | None = None) -> float | None:
    """Train on every training row once, in random order; the mean loss, or None if it was asked to stop.

    `partner` learns a part of every batch, if there is one.
    Raises QnnError if the loss stops being a number.
    """
    order = state.rng.permutation(job.dataset.train)
    seeds = state.rng.integers(0, MAX_SEED, (job.steps_an_epoch, len(job.shards)))
    total = 0.0
    workers = team(job.nodes, state.parameters, job.shards, partner)
    with np.errstate(over="ignore", invalid="ignore"):
        for index, rows in enumerate(_slices(order, job.options.batch)):
            total += workers.learn(rows, seeds[index], job.goal) * len(rows)
            _step(job, state, workers.shards[0])
            if index % REPORT_EVERY == 0:
                _report(job, state, total / (index * job.options.batch + len(rows)))
            if job.callbacks.should_stop():
                return None
    if not job.options.averaging:
        state.average[...] = state.parameters
    loss = total / len(order)
    if not (math.isfinite(loss) and np.isfinite(state.parameters).all()):
        problem = f"diverged in epoch {len(state.history) + 1}: the loss is not finite"
        raise QnnError("training", problem, f"use a --rate below {job.options.rate:g}")
    return loss


def close_epoch(job: Job, state: State, train_loss: float, seconds: float) -> Epoch:
    """Evaluate the averaged parameters on the held rows, keep them if they are the best so far, note it all.

    They get statistics of their own, measured on training rows.
    """
    candidate = state.average.copy()
    nodes = bind(job.nodes, candidate)
    measure_statistics(nodes, job.batches, job.dataset.train, job.options.batch)
    loss, metric = _evaluate(job, nodes)
    if not math.isfinite(loss):
        raise QnnError(
            "training", "diverged: the validation loss is not finite", f"use a --rate below {job.options.rate:g}"
        )
    better = _is_better(job, state.best_epoch, loss, metric)
    if better:
        state.best[...] = candidate
    rate = _rate(job, state.step - 1)
    epoch = Epoch(len(state.history) + 1, train_loss, loss, metric, rate, seconds, better)
    state.history = (*state.history, epoch)
    return epoch


def _is_better(job: Job, best: Epoch | None, loss: float, metric: float) -> bool:
    """Is an epoch with this loss and metric to be kept in place of the best so far?"""
    if best is None or job.options.keep == LAST:
        return True
    if job.model.schema.task == "classification":
        return (-metric, loss) < (-best.metric, best.loss)
    return loss < best.loss


def _step(job: Job, state: State, shard: Shard) -> None:
    """Follow the gradient once: statistics, decay, the optimizer's step, the moving average."""
    options, rate, gradient = job.options, _rate(job, state.step), shard.vector
    for statistic, seen in zip(statistics_of(shard.nodes), statistics_of(shard.gradients), strict=True):
        statistic += STATISTICS_RATE * (seen - statistic)
        seen[...] = 0.0
    for node, by in zip(shard.nodes, shard.gradients, strict=True):
        for weights, by_weights in zip(node.parameters, by.parameters, strict=True):
            if weights.ndim > 1 and options.l2:
                by_weights += options.l2 * weights
            if weights.ndim > 1 and options.weight_decay:
                weights *= 1.0 - rate * options.weight_decay
    state.step += 1
    job.optimizer.step(state.parameters, gradient, state.memory, state.step, rate)
    if options.averaging:
        # A short memory at first, so that the average is not held up by the initial weights.
        kept = min(options.averaging, (1.0 + state.step) / (10.0 + state.step))
        np.subtract(state.parameters, state.average, out=gradient)
        gradient *= 1.0 - kept
        state.average += gradient


def _rate(job: Job, step: int) -> float:
    return job.options.rate * rate_factor(job.options.schedule, step / (job.options.epochs * job.steps_an_epoch))


def _evaluate(job: Job, nodes: tuple[Node, ...]) -> tuple[float, float]:
    """Plain loss and metric on the held rows."""
    schema, normalization = job.model.schema, job.model.normalization
    outputs, targets = [], []
    for rows in _slices(job.held, job.options.batch):
        inputs, wanted = job.batches.read(rows, None)
        outputs.append(run_forward(nodes, inputs, None)[0])
        targets.append(wanted)
    output, target = np.concatenate(outputs), np.concatenate(targets)
    loss = job.plain_loss.value(output, target)
    if schema.task == "classification":
        return loss, accuracy(predicted_classes(output), target)
    return loss, rmse(target_values(normalization, output), target_values(normalization, target))


def _report(job: Job, state: State, loss: float) -> None:
    epochs, done = job.options.epochs, len(state.history)
    text = f"epoch {done + 1}/{epochs}  loss {loss:.4f}"
    if state.history:
        text += f"  {held_name(job.dataset)} {describe(job.model.schema.task, state.history[-1])}"
    job.callbacks.progress(state.step, epochs * job.steps_an_epoch, text)


def held_name(dataset: Dataset) -> str:
    """What the rows are called that are looked at after an epoch."""
    return "validation" if len(dataset.validation) else "training samples"


def describe(task: str, epoch: Epoch) -> str:
    """The loss and metric of an epoch on the held rows for people: "0.0612  98.31 %"."""
    metric = f"{100 * epoch.metric:.2f} %" if task == "classification" else f"rmse {epoch.metric:.5g}"
    return f"{epoch.loss:.4f}  {metric}"


def _slices(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
