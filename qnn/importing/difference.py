# SPDX-License-Identifier: MIT
"""How far apart two computations of one network are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COMPARED = 256  # samples


@dataclass(frozen=True)
class Difference:
    """Of `outputs` values, how many differ, and by how many steps at most."""

    outputs: int
    different: int
    largest: int

    @staticmethod
    def of(one: np.ndarray, other: np.ndarray) -> Difference:
        """Between integers of one shape."""
        away = np.abs(one.astype(np.int64) - other.astype(np.int64))
        return Difference(int(away.size), int((away > 0).sum()), int(away.max(initial=0)))

    def __str__(self) -> str:
        return f"{self.different:,} of {self.outputs:,} outputs differ, by {self.largest} steps at most"
