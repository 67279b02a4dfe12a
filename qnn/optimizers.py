# SPDX-License-Identifier: MIT
"""How parameters follow their gradient: in place, on one flat float32 vector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

Vectors = tuple[np.ndarray, ...]
FLUSH_EVERY = 128  # steps; 0.9 ** 128 takes TINY not yet into the denormal numbers, which slow many processors down
TINY = 1e-30


class Optimizer(Protocol):
    """A rule for one step; `memory` is what it remembers between steps: `vectors` vectors of the parameters' size."""

    vectors: ClassVar[int]

    def step(self, parameters: np.ndarray, gradient: np.ndarray, memory: Vectors, step: int, rate: float) -> None:
        """Change `parameters` and `memory` in place (and spoil `gradient`); `step` counts from 1."""
        ...


@dataclass(frozen=True)
class Sgd:
    """Gradient descent with momentum: v = momentum * v + g; p -= rate * v (Polyak 1964; Sutskever et al. 2013)."""

    vectors: ClassVar[int] = 1
    momentum: float = 0.9

    def step(self, parameters: np.ndarray, gradient: np.ndarray, memory: Vectors, step: int, rate: float) -> None:
        (velocity,) = memory
        _flush(velocity, step)
        velocity *= self.momentum
        velocity += gradient
        np.multiply(velocity, rate, out=gradient)
        parameters -= gradient


@dataclass(frozen=True)
class Adam:
    """p -= rate * m / (sqrt(v) + epsilon), m and v the bias-corrected means of g and g * g (Kingma, Ba 2015).

    The memory holds the sums m / (1 - beta1) and v / (1 - beta2): two passes over the vectors less.
    """

    vectors: ClassVar[int] = 2
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def step(self, parameters: np.ndarray, gradient: np.ndarray, memory: Vectors, step: int, rate: float) -> None:
        first, second = memory
        _flush(first, step)
        first *= self.beta1
        first += gradient
        gradient *= gradient
        second *= self.beta2
        second += gradient
        mean_scale = (1.0 - self.beta1) / (1.0 - self.beta1**step)
        root_scale = math.sqrt((1.0 - self.beta2) / (1.0 - self.beta2**step))
        np.sqrt(second, out=gradient)
        gradient += self.epsilon / root_scale
        np.divide(first, gradient, out=gradient)
        gradient *= rate * mean_scale / root_scale
        parameters -= gradient


OPTIMIZERS: tuple[str, ...] = ("adam", "sgd")


def optimizer_for(name: str, momentum: float) -> Optimizer:
    """The optimizer of that name; `momentum` is Sgd's and Adam's beta1."""
    return Sgd(momentum) if name == "sgd" else Adam(momentum)


def _flush(vector: np.ndarray, step: int) -> None:
    """Now and then make what has decayed to almost nothing zero."""
    if step % FLUSH_EVERY == 0:
        vector[np.abs(vector) < TINY] = 0.0
