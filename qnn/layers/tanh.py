# SPDX-License-Identifier: MIT
"""tanh: the hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.layers.elementwise import Elementwise
from qnn.layers.layer import Arrays


@dataclass(frozen=True)
class Tanh(Elementwise):
    """y = tanh(x)."""

    kind: ClassVar[str] = "tanh"
    useful: ClassVar[tuple[float, float]] = (-4.0, 4.0)  # the rest is within 1/1490 of -1 or 1
    useful_wide: ClassVar[tuple[float, float]] = (-6.0, 6.0)  # the rest is within 1/81,000
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def forward(
        self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        output = np.tanh(inputs[0])
        return output, output

    def backward(
        self, gradient: np.ndarray, saved: np.ndarray, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (gradient * (1.0 - saved * saved),), ()
