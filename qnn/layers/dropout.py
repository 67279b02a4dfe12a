# SPDX-License-Identifier: MIT
"""dropout: while training, forgets a part of the values at random (Srivastava et al. 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.layers.elementwise import Elementwise
from qnn.layers.layer import Arrays


@dataclass(frozen=True)
class Dropout(Elementwise):
    """y = x outside training; while training 0 with probability `rate`, else x / (1 - rate)."""

    kind: ClassVar[str] = "dropout"
    trains_only: ClassVar[bool] = True
    rate: float

    def check(self) -> None:
        if not 0 <= self.rate < 1:
            raise QnnError(f"dropout {self.rate:g}", "has a rate outside 0..1", "try 0.2")

    def forward(
        self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        (x,) = inputs
        if rng is None:
            return x, None
        kept = rng.random(x.shape, dtype=np.float32) >= self.rate
        factors = kept * x.dtype.type(1.0 / (1.0 - self.rate))  # x.shape
        return x * factors, factors

    def backward(
        self, gradient: np.ndarray, saved: np.ndarray | None, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (gradient if saved is None else gradient * saved,), ()
