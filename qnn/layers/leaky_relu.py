# SPDX-License-Identifier: MIT
"""leaky_relu: the positive part, and a fraction of the negative one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.layers.elementwise import Elementwise
from qnn.layers.layer import Arrays


@dataclass(frozen=True)
class LeakyRelu(Elementwise):
    """y = x where x > 0, else slope * x; 0 <= slope < 1."""

    kind: ClassVar[str] = "leaky_relu"
    homogeneous: ClassVar[bool] = True
    slope: float = 0.1

    def check(self) -> None:
        if not 0 <= self.slope < 1:
            raise QnnError(f"leaky_relu {self.slope:g}", "has a slope outside 0..1", "try 0.1")

    def forward(
        self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        (x,) = inputs
        return np.maximum(x, x * self.slope), x

    def backward(
        self, gradient: np.ndarray, saved: np.ndarray, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (np.where(saved > 0, gradient, gradient * self.slope),), ()
