# SPDX-License-Identifier: MIT
"""What every float layer is: a frozen dataclass with a shape, parameters, forward and backward."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

Shape = tuple[int, ...]
Arrays = tuple[np.ndarray, ...]


class Layer(Protocol):
    """A float operator on batches (N, *shape), float32 while training, float64 while calibrating.

    Layers are frozen dataclasses of plain numbers and words, so that a model file can list their fields.
    Arrays keep the dtype of `inputs`. `saved` is whatever backward needs from forward.
    """

    kind: ClassVar[str]

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        """One sample's output shape, from the inputs' shapes. Raises QnnError where they do not fit."""
        ...

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        """Fresh float32 parameters (weights first, then bias); `init` is "he" or "xavier"."""
        ...

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        """The output (N, *output_shape) and `saved`; `rng` is None outside training."""
        ...

    def backward(self, gradient: np.ndarray, saved: Any, parameters: Arrays) -> tuple[Arrays, Arrays]:
        """Gradients by the inputs and by the parameters, from the gradient by the output."""
        ...
