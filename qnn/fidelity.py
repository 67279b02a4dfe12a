# SPDX-License-Identifier: MIT
"""How close the integer network comes to the float one, and when that is too little to be silent about."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from qnn.blas import blas_threads
from qnn.evaluation import answers_of
from qnn.forward import forward
from qnn.graph import Graph
from qnn.metrics import Score, predicted_classes, rmse
from qnn.model import Model
from qnn.normalize import target_values
from qnn.simulator import simulate

LEAST_SQNR = 20.0  # dB
MOST_CHANGED = 0.01  # of the samples
MOST_ACCURACY = 0.01
MOST_RMSE = 1.5
REMEDY = "calibrate on more samples (--data) or by another --method"
WIDER = "--bits 16 is finer"


@dataclass(frozen=True)
class Fidelity:
    """The integer network against the float one on the same samples, without labels.

    sqnr_db: power of the float outputs by that of the differences, None where they are equal.
    changed: the part of the samples that get another class (classification, else None).
    difference: the rms difference of the answers, in the targets' unit (regression, else None).
    """

    samples: int
    sqnr_db: float | None
    changed: float | None
    difference: float | None

    def document(self) -> dict[str, Any]:
        """The fields as JSON."""
        return asdict(self)

    def __str__(self) -> str:
        ratio = "no difference" if self.sqnr_db is None else f"SQNR {self.sqnr_db:.1f} dB"
        if self.changed is not None:
            what = f"{100 * self.changed:.2f} % of the classes change"
        else:
            what = f"the answers differ by {self.difference:.4g} rms"
        return f"{self.samples:,} calibration samples: {what}, {ratio} at the output"

    @property
    def poor(self) -> bool:
        """Is it so far from the float network that the user must hear of it?"""
        noisy = self.sqnr_db is not None and self.sqnr_db < LEAST_SQNR
        return noisy or (self.changed is not None and self.changed > MOST_CHANGED)


def fidelity(model: Model, graph: Graph, x: np.ndarray) -> Fidelity | None:
    """The Fidelity of `graph`, made from `model`, on raw samples x (N, *shape); None without samples."""
    if not len(x):
        return None
    with blas_threads(0):
        wanted = forward(model, x)
    tensors = simulate(graph, x)
    got = tensors[graph.output].reshape(len(x), -1) * graph.type_of(graph.output).scale
    noise, power = float(np.sum(np.square(wanted - got))), float(np.sum(np.square(wanted)))
    sqnr = 10 * math.log10(max(power, 1e-300) / noise) if noise > 0 else None
    answers = answers_of(graph, tensors)
    if model.schema.task == "classification":
        return Fidelity(len(x), sqnr, float(np.mean(answers != predicted_classes(wanted))), None)
    return Fidelity(len(x), sqnr, None, rmse(answers, target_values(model.normalization, wanted)))


def remedy(bits: str) -> str:
    """What to try where `bits`, as --bits names them, lose too much."""
    return REMEDY if bits == "16" else f"{WIDER}; or {REMEDY}"


def loss_text(reference: Score, score: Score, bits: str) -> str | None:
    """A line on what `bits` lost from the float `reference` to the integer `score`; None where it is little."""
    if reference.metric == "accuracy":
        lost = reference.value - score.value
        if lost <= MOST_ACCURACY:
            return None
        return f"{bits} bits lose {100 * lost:.2f} points of accuracy here; {remedy(bits)}"
    if score.value <= MOST_RMSE * reference.value:
        return None
    return f"{bits} bits raise the rmse from {reference.value:.3g} to {score.value:.3g}; {remedy(bits)}"
