# SPDX-License-Identifier: MIT
"""sigmoid: the logistic function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.layers.elementwise import Elementwise
from qnn.layers.layer import Arrays


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow for any x."""
    return 0.5 * (np.tanh(0.5 * x) + 1.0)


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    """y = 1 / (1 + exp(-x))."""

    kind: ClassVar[str] = "sigmoid"
    useful: ClassVar[tuple[float, float]] = (-8.0, 8.0)  # the rest is within 1/2981 of 0 or 1
    useful_wide: ClassVar[tuple[float, float]] = (-12.0, 12.0)  # the rest is within 1/162,000
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def forward(
        self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        output = sigmoid(inputs[0])
        return output, output

    def backward(
        self, gradient: np.ndarray, saved: np.ndarray, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (gradient * saved * (1.0 - saved),), ()
