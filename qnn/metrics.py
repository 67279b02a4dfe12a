# SPDX-License-Identifier: MIT
"""How good a float model is on given rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.blas import blas_threads
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.forward import forward
from qnn.model import Model
from qnn.normalize import target_values
from qnn.schema import Schema


@dataclass(frozen=True)
class TargetScore:
    """One target of a regression: its errors in its unit, and R2, the part of its variance that is explained.

    mae: the mean absolute error. maximum: the largest one. r2 is None where the target does not vary.
    """

    name: str
    rmse: float
    mae: float
    maximum: float
    r2: float | None


@dataclass(frozen=True)
class Score:
    """metric: "accuracy" (0..1) or "rmse" (in the targets' unit), its value, and of how many samples.

    targets: each target of a regression on its own.
    """

    metric: str
    value: float
    samples: int
    targets: tuple[TargetScore, ...] = ()


def metric_name(schema: Schema) -> str:
    """ "accuracy" for classes, "rmse" for values."""
    return "accuracy" if schema.task == "classification" else "rmse"


def predicted_classes(outputs: np.ndarray) -> np.ndarray:
    """int64 (N,): the class of outputs (N, O); of one logit 1 where it is positive; the lowest index among equals."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).astype(np.int64)
    return np.asarray(outputs.argmax(axis=1).astype(np.int64))


def accuracy(classes: np.ndarray, y: np.ndarray) -> float:
    """The part of predicted classes (N,) that equal y (N,)."""
    return float(np.mean(classes == y))


def rmse(values: np.ndarray, y: np.ndarray) -> float:
    """The root of the mean squared difference over all samples and targets, both (N, T), in their unit."""
    return float(np.sqrt(np.mean(np.square(values - y))))


def score_of(schema: Schema, answers: np.ndarray, y: np.ndarray) -> Score:
    """The Score of answers, classes (N,) or values (N, T) in the targets' unit, against labels y of that shape."""
    if schema.task == "classification":
        return Score(metric_name(schema), accuracy(answers, y), len(y))
    targets = tuple(_target_score(name, answers[:, i], y[:, i]) for i, name in enumerate(schema.targets))
    return Score(metric_name(schema), rmse(answers, y), len(y), targets)


def _target_score(name: str, values: np.ndarray, y: np.ndarray) -> TargetScore:
    variance = float(np.var(y))
    errors, squared = np.abs(values - y), rmse(values, y)
    r2 = 1 - squared**2 / variance if variance > 0 else None
    return TargetScore(name, squared, float(errors.mean()), float(errors.max()), r2)


def score(model: Model, dataset: Dataset, rows: np.ndarray) -> Score:
    """The float64 accuracy or rmse of `model` on `rows` (int64 indices) of `dataset`.

    Raises QnnError if the data has no labels or there are no rows.
    """
    if dataset.y is None:
        raise QnnError(dataset.record.source, "has no labels to compare with", "use data with labels")
    if not len(rows):
        raise QnnError(dataset.record.source, "has no samples in this part", "use --part all")
    return score_samples(model, dataset.x[rows], dataset.y[rows])


def score_samples(model: Model, x: np.ndarray, y: np.ndarray) -> Score:
    """The float64 accuracy or rmse of `model` on raw samples x (N, *shape) with labels y, as Dataset.y."""
    return score_of(model.schema, answers_on(model, x), y)


def answers_on(model: Model, x: np.ndarray) -> np.ndarray:
    """The float64 model's classes (N,) or values (N, T) in the targets' unit, for raw samples x (N, *shape)."""
    with blas_threads(0):
        outputs = forward(model, x)
    classes = model.schema.task == "classification"
    return predicted_classes(outputs) if classes else target_values(model.normalization, outputs)
