# SPDX-License-Identifier: MIT
"""max_pool: the largest value of each window, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qnn.graph import Node
from qnn.layers.layer import Arrays
from qnn.layers.maps import frame_gradient, framed, innermost, outermost, tap
from qnn.layers.pool import Pool
from qnn.lowering import Lowering, lowered
from qnn.ops.max_pool import MaxPool as MaxPoolOp


@dataclass(frozen=True)
class MaxPool(Pool):
    """y[n, r, s, c] = max of x[n, window of (r, s), c]; padding does not count. Samples (H, W, C) or (L, C)."""

    kind: ClassVar[str] = "max_pool"
    homogeneous: ClassVar[bool] = True
    keeps_type: ClassVar[bool] = True
    word: ClassVar[str] = "maxpool"

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        window = self.window(x.shape[1:])
        maps = framed(innermost(x), window, -np.inf)
        largest = tap(maps, window, 0, 0).copy()  # (R, S, C, N)
        for row, column in np.ndindex(window.kernel_height, window.kernel_width):
            if row or column:
                np.maximum(largest, tap(maps, window, row, column), out=largest)
        return outermost(largest, x.ndim), (maps, largest, window, x.ndim)

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        """The gradient goes to the first of the largest values of a window, row by row."""
        maps, largest, window, dimensions = saved
        by_largest = innermost(gradient)
        whole, inside = frame_gradient(window, maps.shape[2], maps.shape[3], gradient.dtype)
        taken = np.zeros(largest.shape, np.bool_)
        for row, column in np.ndindex(window.kernel_height, window.kernel_width):
            chosen = tap(maps, window, row, column) == largest
            np.greater(chosen, taken, out=chosen)
            taken |= chosen
            place = tap(whole, window, row, column)
            place += by_largest * chosen
        return (outermost(inside, dimensions),), ()

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer max_pool."""
        return lowered(lowering, MaxPoolOp(self.window(lowering.shapes[0])))
