# SPDX-License-Identifier: MIT
"""The float network's answers on samples, and how much worse an integer network's are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qnn.blas import blas_threads
from qnn.evaluation import answers_of
from qnn.forward import forward
from qnn.graph import Graph
from qnn.metrics import accuracy, predicted_classes, rmse
from qnn.model import Model
from qnn.normalize import target_values
from qnn.simulator import simulate


@dataclass(frozen=True, eq=False)
class Reference:
    """Raw samples x (N, *shape), what the float network gives for them, and what is right.

    outputs: float64 (N, O). answers: classes (N,), or values (N, T) in the targets' unit. labels: as Dataset.y, or
    None where they are not known.
    """

    x: np.ndarray
    outputs: np.ndarray
    answers: np.ndarray
    labels: np.ndarray | None
    classifies: bool

    @property
    def unit(self) -> str:
        """What `drop` is counted in."""
        if self.labels is not None:
            return "points of accuracy" if self.classifies else "% of the rmse"
        return "% of the classes that change" if self.classifies else "% of the answers' spread"


@dataclass(frozen=True)
class Loss:
    """How much worse an integer network is: see Reference.unit. sqnr_db: at the output, inf without any difference."""

    drop: float
    sqnr_db: float


def reference_of(model: Model, x: np.ndarray, labels: np.ndarray | None) -> Reference:
    """The Reference of the float `model` on raw samples x (N, *shape), at least one."""
    with blas_threads(0):
        outputs = forward(model, x)
    classifies = model.schema.task == "classification"
    answers = predicted_classes(outputs) if classifies else target_values(model.normalization, outputs)
    return Reference(x, outputs, answers, labels, classifies)


def loss_of(reference: Reference, graph: Graph) -> Loss:
    """The Loss of an integer network on the samples of `reference`."""
    tensors = simulate(graph, reference.x)
    answers, labels = answers_of(graph, tensors), reference.labels
    if reference.classifies:
        if labels is None:
            drop = 100 * float(np.mean(answers != reference.answers))
        else:
            drop = 100 * (accuracy(reference.answers, labels) - accuracy(answers, labels))
    elif labels is None:
        drop = 100 * _ratio(rmse(answers, reference.answers), float(np.std(reference.answers, axis=0).max()))
    else:
        drop = 100 * (_ratio(rmse(answers, labels), rmse(reference.answers, labels)) - 1)
    got = tensors[graph.output].reshape(reference.outputs.shape) * graph.type_of(graph.output).scale
    return Loss(drop, sqnr_db(reference.outputs, got))


def sqnr_db(wanted: np.ndarray, got: np.ndarray) -> float:
    """The power of `wanted` by that of its difference from `got`, in dB; inf where there is none."""
    noise, power = float(np.sum(np.square(wanted - got))), float(np.sum(np.square(wanted)))
    return 10 * math.log10(max(power, 1e-300) / noise) if noise > 0 else math.inf


def _ratio(value: float, whole: float) -> float:
    return value / whole if whole > 0 else (1.0 if value == whole else math.inf)
