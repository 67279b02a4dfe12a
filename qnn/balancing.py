# SPDX-License-Identifier: MIT
"""Whether a network is quantized with equalized weights, and what that brings on its calibration samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from qnn.calibration import DEFAULT_METHOD, calibrate
from qnn.equalization import pairs
from qnn.errors import QnnError
from qnn.forward import forward
from qnn.graph import Graph
from qnn.model import Model
from qnn.prepare import prepare
from qnn.progress import Progress, silent
from qnn.quantization import quantize
from qnn.reference import sqnr_db
from qnn.scales import Scales
from qnn.simulator import simulate
from qnn.widths import EIGHT, Widths

AUTO, ON, OFF = "auto", "on", "off"
CHOICES = (AUTO, ON, OFF)
LEAST_GAIN = 3.0  # dB: half of the noise. What is less comes and goes with the samples and the seed of the training


@dataclass(frozen=True, eq=False)
class Candidates:
    """The Scales of a network as it is, and with equalized weights: None where nothing is to be equalized."""

    plain: Scales
    equalized: Scales | None = None


@dataclass(frozen=True)
class Effect:
    """What equalization brings: the ratio of signal to noise at the output in dB, inf without any difference.

    pairs: of layers that were equalized. chosen: whether the network is quantized so.
    """

    pairs: int
    plain_db: float
    equalized_db: float
    chosen: bool

    def __str__(self) -> str:
        what = "chosen" if self.chosen else "not chosen"
        before, after = (_decibels(ratio) for ratio in (self.plain_db, self.equalized_db))
        pairs = "one pair" if self.pairs == 1 else f"{self.pairs} pairs"
        return f"equalization of {pairs} of layers {what}: SQNR {before} without, {after} with it"

    def document(self) -> dict[str, Any]:
        """The fields as JSON; null where nothing is lost."""
        return {name: None if value == math.inf else value for name, value in asdict(self).items()}


def candidates(
    model: Model, x: np.ndarray, method: str = DEFAULT_METHOD, choice: str = AUTO, progress: Progress = silent
) -> Candidates:
    """What `choose` chooses from, calibrated on raw samples x (N, *shape). Raises QnnError as `calibrate` does."""
    check_choice(choice)
    plain = calibrate(model, x, method, progress)
    if choice == OFF or not pairs(prepare(model)):
        return Candidates(plain)
    return Candidates(plain, calibrate(model, x, method, progress, equalize=True))


def choose(
    model: Model,
    found: Candidates,
    choice: str = AUTO,
    widths: Widths = EIGHT,
    graph_of: Callable[[Scales], Graph] | None = None,
) -> tuple[Scales, Effect | None]:
    """The Scales to quantize `model` by, and what equalization brings at these widths on the samples that it carries.

    graph_of: the integer graph as it is to be built; None: without headroom, weights rounded to the nearest step.
    "on": equalized; "off": not; "auto": where that gains LEAST_GAIN. The Effect is None where there is nothing to
    equalize or the model has no samples; then "auto" leaves the weights as they are.
    """
    check_choice(choice)
    if found.equalized is None:
        return found.plain, None
    if not len(model.samples):
        return (found.equalized if choice == ON else found.plain), None
    real = forward(model, model.samples)
    make = graph_of or (lambda scales: quantize(model, scales, "trial", (), widths))
    plain, equal = (_ratio(model, make(scales), real) for scales in (found.plain, found.equalized))
    gains = plain != equal and equal - plain >= LEAST_GAIN
    effect = Effect(len(pairs(prepare(model))), plain, equal, choice == ON or (choice == AUTO and gains))
    return (found.equalized if effect.chosen else found.plain), effect


def check_choice(choice: str) -> None:
    """Raises QnnError unless it is one of CHOICES."""
    if choice not in CHOICES:
        raise QnnError(f"--equalize {choice[:80]}", "is not a choice", f"use one of {', '.join(CHOICES)}")


def _ratio(model: Model, graph: Graph, real: np.ndarray) -> float:
    output = simulate(graph, model.samples, keep=(graph.output,))[graph.output]
    return sqnr_db(real, output.reshape(real.shape) * graph.type_of(graph.output).scale)


def _decibels(ratio: float) -> str:
    return "without any noise" if math.isinf(ratio) else f"{ratio:.1f} dB"
