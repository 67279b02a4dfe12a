# SPDX-License-Identifier: MIT
"""What training remembers between epochs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.optimizers import Optimizer


@dataclass(frozen=True)
class Epoch:
    """One epoch's outcome.

    train_loss: mean over the epoch's batches, as trained (with dropout and shifts).
    loss, metric: of the averaged parameters on the validation rows: the plain loss, and accuracy (0..1) or rmse (in
    the targets' unit). rate: the last learning rate. seconds: since training began. best: better than all before?
    """

    number: int
    train_loss: float
    loss: float
    metric: float
    rate: float
    seconds: float
    best: bool


@dataclass(eq=False)
class State:
    """Everything that the next epoch depends on; the vectors change in place, float32, as long as the parameters."""

    parameters: np.ndarray
    average: np.ndarray
    best: np.ndarray
    memory: tuple[np.ndarray, ...]
    rng: np.random.Generator
    step: int
    history: tuple[Epoch, ...]

    @property
    def best_epoch(self) -> Epoch | None:
        """The epoch whose parameters are in `best`."""
        return next((epoch for epoch in reversed(self.history) if epoch.best), None)


def fresh_state(parameters: np.ndarray, optimizer: Optimizer, rng: np.random.Generator) -> State:
    """The state before the first epoch."""
    memory = tuple(np.zeros_like(parameters) for _ in range(optimizer.vectors))
    return State(parameters, parameters.copy(), parameters.copy(), memory, rng, 0, ())
