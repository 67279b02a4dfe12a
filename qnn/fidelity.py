# SPDX-License-Identifier: MIT
"""How close the integer network comes to the float one, and when that is too little to be silent about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from qnn.blas import blas_threads
from qnn.evaluation import answers_of
from qnn.forward import forward
from qnn.graph import Graph
from qnn.metrics import Score, accuracy, predicted_classes, rmse
from qnn.model import Model
from qnn.normalize import target_values
from qnn.simulator import simulate
from qnn.widths import MIXED, TRAINED, bits_text, names_narrow

LEAST_SQNR = 20.0  # dB
MOST_CHANGED = 0.01  # of the samples
MOST_ACCURACY = 0.01
MOST_RMSE = 1.5
REMEDY = "calibrate on more samples (--data) or by another --method"
WIDER = "--bits w8a16, 16 or mixed are finer"
NARROWER = "train it for them with --qat, give single layers more (--weight-bits first=8,4), or say --bits mixed"
LESS_DROP = "a smaller --max-drop or wider limits leave it more bits"
TRAINING = "train with --qat for longer, or with more bits"
LOST_SQNR = 10.0  # dB: below that the integer network is another one
ONE_CLASS = 0.98  # of the samples: so many get the same class from a collapsed network


@dataclass(frozen=True)
class Fidelity:
    """The integer network against the float one on the same samples, without labels.

    sqnr_db: power of the float outputs by that of the differences, None where they are equal.
    changed: the part of the samples that get another class (classification, else None).
    difference: the rms difference of the answers, in the targets' unit (regression, else None).
    drop: the part of the samples that it gets wrong and the float network right, less the reverse (classification with
    labels, else None). one_class: the part that gets the commonest class, where the float network gives that class to
    clearly fewer, else None.
    """

    samples: int
    sqnr_db: float | None
    changed: float | None
    difference: float | None
    drop: float | None = None
    one_class: float | None = None

    def document(self) -> dict[str, Any]:
        """The fields as JSON, and why it is a collapse, if it is one."""
        return {**asdict(self), "collapse": list(self.collapse)}

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

    @property
    def collapse(self) -> tuple[str, ...]:
        """Why the integer network has nothing to do with the float one any more; empty where it has."""
        reasons = []
        if self.drop is not None and self.drop > MOST_ACCURACY:
            reasons.append(f"{100 * self.drop:.2f} points of accuracy are lost")
        if self.one_class is not None and self.one_class >= ONE_CLASS:
            reasons.append(f"one class is given to {100 * self.one_class:.1f} % of the samples")
        if self.sqnr_db is not None and self.sqnr_db < LOST_SQNR:
            reasons.append(f"the output's SQNR is {self.sqnr_db:.1f} dB")
        return tuple(reasons)


def fidelity(model: Model, graph: Graph, x: np.ndarray, labels: np.ndarray | None = None) -> Fidelity | None:
    """The Fidelity of `graph`, made from `model`, on raw samples x (N, *shape); None without samples.

    labels: what is right for them, as Dataset.y, or None.
    """
    if not len(x):
        return None
    with blas_threads(0):
        wanted = forward(model, x)
    tensors = simulate(graph, x)
    got = tensors[graph.output].reshape(len(x), -1) * graph.type_of(graph.output).scale
    noise, power = float(np.sum(np.square(wanted - got))), float(np.sum(np.square(wanted)))
    sqnr = 10 * math.log10(max(power, 1e-300) / noise) if noise > 0 else None
    answers = answers_of(graph, tensors)
    if model.schema.task != "classification":
        return Fidelity(len(x), sqnr, None, rmse(answers, target_values(model.normalization, wanted)))
    real = predicted_classes(wanted)
    drop = None if labels is None else accuracy(real, labels) - accuracy(answers, labels)
    return Fidelity(len(x), sqnr, float(np.mean(answers != real)), None, drop, _one_class(answers, real))


def _one_class(answers: np.ndarray, real: np.ndarray) -> float | None:
    """The part of `answers` that are the commonest, where clearly fewer of `real` are; else None."""
    commonest = int(np.bincount(answers).argmax())
    share, before = float(np.mean(answers == commonest)), float(np.mean(real == commonest))
    return share if share - before > MOST_CHANGED else None


def coarse_text(
    found: Fidelity, sqnr: Sequence[tuple[str, float]], bits: str, weight_bits: str | None = None
) -> str | None:
    """A warning where `bits` cost more than should be passed over, a collapse above all; None where they do not.

    sqnr: dB of the tensors, in order (layersqnr). bits, weight_bits: as these options name them.
    """
    told, advice = widths_text(bits_text(bits, weight_bits)), remedy(bits, weight_bits)
    if not found.collapse:
        return f"{told} are coarse for this network ({found}); {advice}" if found.poor else None
    lost = next((f"; {name} is the first below {LEAST_SQNR:g} dB" for name, db in sqnr if db < LEAST_SQNR), "")
    reasons = ", ".join(found.collapse)
    return f"COLLAPSE: {told} are coarse for this network: {reasons} ({found}{lost}); {advice}"


def remedy(bits: str, weight_bits: str | None = None) -> str:
    """What to try where `bits` and `weight_bits`, as these options name them, lose too much."""
    if bits == TRAINED:
        return TRAINING
    if names_narrow(bits, weight_bits):
        return NARROWER
    more = {"16": (), MIXED: (LESS_DROP,)}.get(bits, (WIDER,))
    return "; or ".join((*more, REMEDY))


def widths_text(bits: str) -> str:
    """What `bits`, as --bits names them, are called."""
    return {MIXED: "mixed widths", TRAINED: "the trained widths"}.get(bits, f"{bits} bits")


def loss_text(reference: Score, score: Score, bits: str, weight_bits: str | None = None) -> str | None:
    """A line on what `bits` lost from the float `reference` to the integer `score`; None where it is little.

    bits, weight_bits: as these options name them.
    """
    told, advice = widths_text(bits_text(bits, weight_bits)), remedy(bits, weight_bits)
    if reference.metric == "accuracy":
        lost = reference.value - score.value
        return f"{told} lose {100 * lost:.2f} points of accuracy here; {advice}" if lost > MOST_ACCURACY else None
    if score.value <= MOST_RMSE * reference.value:
        return None
    return f"{told} raise the rmse from {reference.value:.3g} to {score.value:.3g}; {advice}"
