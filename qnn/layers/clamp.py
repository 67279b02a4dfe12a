# SPDX-License-Identifier: MIT
"""clamp: values between two bounds; relu6: between 0 and 6."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.layers.elementwise import Elementwise
from qnn.layers.layer import Arrays


class Clamping(Elementwise):
    """y = min(max(x, low), high) for the bounds of `limits`."""

    clamps: ClassVar[bool] = True

    def forward(
        self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        (x,) = inputs
        low, high = self.limits()
        return np.clip(x, x.dtype.type(low), x.dtype.type(high)), x

    def backward(
        self, gradient: np.ndarray, saved: np.ndarray, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        low, high = self.limits()
        return (gradient * ((saved > low) & (saved < high)),), ()


@dataclass(frozen=True)
class Clamp(Clamping):
    """y = min(max(x, low), high); low <= 0 <= high, so that 0 stays exact in the integer graph."""

    kind: ClassVar[str] = "clamp"
    low: float
    high: float

    def limits(self) -> tuple[float, float]:
        return self.low, self.high

    def check(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= 0 <= self.high):
            raise QnnError(f"clamp {self.low:g} {self.high:g}", "has bounds that do not contain 0", "try clamp -1 1")
        if self.low == self.high:
            raise QnnError(f"clamp {self.low:g} {self.high:g}", "leaves only one value", "try clamp -1 1")


@dataclass(frozen=True)
class Relu6(Clamping):
    """y = min(max(x, 0), 6) (Krizhevsky 2010)."""

    kind: ClassVar[str] = "relu6"

    def limits(self) -> tuple[float, float]:
        return 0.0, 6.0
