# SPDX-License-Identifier: MIT
"""relu: the positive part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.layers.elementwise import Elementwise
from qnn.layers.layer import Arrays


@dataclass(frozen=True)
class Relu(Elementwise):
    """y = max(x, 0)."""

    kind: ClassVar[str] = "relu"
    homogeneous: ClassVar[bool] = True
    clamps: ClassVar[bool] = True

    def limits(self) -> tuple[float, float]:
        return 0.0, float("inf")

    def forward(
        self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        (x,) = inputs
        output = np.clip(x, x.dtype.type(0), x.dtype.type(np.inf))  # 2.5 times as fast as np.maximum with a number
        return output, output

    def backward(
        self, gradient: np.ndarray, saved: np.ndarray, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (gradient * (saved > 0),), ()
