# SPDX-License-Identifier: MIT
"""What training makes small: cross-entropy for classes, mean squared error for values; value next to gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qnn.layers.sigmoid import sigmoid
from qnn.layers.softmax import softmax
from qnn.schema import Schema


class Loss(Protocol):
    """A mean over a batch, in the dtype of `outputs`."""

    def value(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """The loss of outputs (N, O)."""
        ...

    def gradient(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Its gradient by the outputs, (N, O)."""
        ...


@dataclass(frozen=True)
class CrossEntropy:
    """-log softmax(outputs)[class], targets int64 (N,); `smoothing` of the probability is spread over all classes.

    Label smoothing: Szegedy et al. 2016.
    """

    smoothing: float = 0.0

    def value(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        shifted = outputs - outputs.max(axis=1, keepdims=True)  # (N, O)
        log_sum = np.log(np.exp(shifted).sum(axis=1))  # (N,)
        right = shifted[np.arange(len(targets)), targets]  # (N,)
        losses = log_sum - (1.0 - self.smoothing) * right - self.smoothing * shifted.mean(axis=1)
        return float(losses.mean(dtype=np.float64))

    def gradient(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        count, classes = outputs.shape
        gradient = softmax(outputs)
        if self.smoothing:
            gradient -= self.smoothing / classes
        gradient[np.arange(count), targets] -= 1.0 - self.smoothing
        gradient *= 1.0 / count
        return gradient


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Cross-entropy of one logit (N, 1), targets int64 (N,) of 0 and 1."""

    smoothing: float = 0.0

    def value(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        losses = np.logaddexp(0, outputs) - self._wanted(outputs, targets) * outputs
        return float(losses.mean(dtype=np.float64))

    def gradient(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        gradient = sigmoid(outputs) - self._wanted(outputs, targets)
        gradient *= 1.0 / len(outputs)
        return gradient

    def _wanted(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return targets.astype(outputs.dtype)[:, None] * (1.0 - self.smoothing) + 0.5 * self.smoothing  # (N, 1)


@dataclass(frozen=True)
class MeanSquaredError:
    """mean((outputs - targets) ** 2) over samples and outputs, both (N, O)."""

    def value(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        return float(np.square(outputs - targets).mean(dtype=np.float64))

    def gradient(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        gradient = outputs - targets
        gradient *= 2.0 / gradient.size
        return gradient


@dataclass(frozen=True)
class Distillation:
    """(1 - weight) times `labels`' loss, plus weight times how far outputs are from a teacher's (Hinton et al. 2015).

    Classes: temperature ** 2 times the cross-entropy of both softmaxes of outputs / temperature (of one output, of both
    sigmoids), less the teacher's entropy, so that 0 is reached. Values: the mean squared error. A teacher's outputs
    have the shape of the student's.
    """

    labels: Loss
    weight: float
    temperature: float

    def value(self, outputs: np.ndarray, targets: np.ndarray, teacher: np.ndarray) -> float:
        """The loss of outputs (N, O)."""
        if isinstance(self.labels, MeanSquaredError):
            apart = self.labels.value(outputs, teacher)
        else:
            wanted, found = (_log_probabilities(logits / self.temperature) for logits in (teacher, outputs))
            losses = (np.exp(wanted) * (wanted - found)).sum(axis=1)
            apart = self.temperature**2 * float(losses.mean(dtype=np.float64))
        return (1.0 - self.weight) * self.labels.value(outputs, targets) + self.weight * apart

    def gradient(self, outputs: np.ndarray, targets: np.ndarray, teacher: np.ndarray) -> np.ndarray:
        """Its gradient by the outputs, (N, O)."""
        if isinstance(self.labels, MeanSquaredError):
            apart = self.labels.gradient(outputs, teacher)
        else:
            probabilities = sigmoid if outputs.shape[1] == 1 else softmax
            apart = probabilities(outputs / self.temperature) - probabilities(teacher / self.temperature)
            apart *= self.temperature / len(outputs)
        apart *= self.weight
        gradient = self.labels.gradient(outputs, targets)
        gradient *= 1.0 - self.weight
        gradient += apart
        return gradient


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    """log of the softmax (N, O), of one logit those of both classes, (N, 2)."""
    if logits.shape[1] == 1:
        return np.concatenate([-np.logaddexp(0, logits), -np.logaddexp(0, -logits)], axis=1)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def loss_for(schema: Schema, outputs: int, smoothing: float = 0.0) -> Loss:
    """The loss of a network with that many outputs on data of `schema`."""
    if schema.task == "regression":
        return MeanSquaredError()
    return BinaryCrossEntropy(smoothing) if outputs == 1 else CrossEntropy(smoothing)
