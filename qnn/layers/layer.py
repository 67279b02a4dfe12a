# SPDX-License-Identifier: MIT
"""What every float layer is: a frozen dataclass with a shape, parameters, forward and backward."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from qnn.errors import QnnError
from qnn.graph import Node
from qnn.lowering import Lowering

Shape = tuple[int, ...]
Arrays = tuple[np.ndarray, ...]


class Layer(Protocol):
    """A float operator on batches (N, *shape), float32 while training, float64 while calibrating.

    Layers are frozen dataclasses of plain numbers and words, so that a model file can list their fields.
    Arrays keep the dtype of `inputs`; inputs are never changed. `saved` is whatever backward needs from forward.
    """

    kind: ClassVar[str]
    vanishes: ClassVar[bool]
    trains_only: ClassVar[bool]
    clamps: ClassVar[bool]
    has_weights: ClassVar[bool]
    scales_channels: ClassVar[bool]
    requantizes: ClassVar[bool]
    pairs_weights: ClassVar[bool]
    keeps_type: ClassVar[bool]
    takes_grid: ClassVar[bool]
    homogeneous: ClassVar[bool]
    slides: ClassVar[bool]
    useful: ClassVar[tuple[float, float]]
    useful_wide: ClassVar[tuple[float, float]]
    bounds: ClassVar[tuple[float, float]]
    statistics: ClassVar[int]

    def check(self) -> None:
        """Raises QnnError unless the fields are within their bounds."""
        ...

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        """One sample's output shape, from the inputs' shapes. Raises QnnError where they do not fit."""
        ...

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """The parameters' shapes (weights first, then bias); only those of two or more dimensions are decayed."""
        ...

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        """Fresh float32 parameters; `init` is "he" or "xavier"."""
        ...

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        """The output (N, *output_shape) and `saved`; `rng` is None outside training."""
        ...

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        """Gradients by the inputs (empty unless `inputs_wanted`) and by the parameters, from that by the output.

        In place of a gradient by its `statistics`, a layer gives those of the batch.
        """
        ...

    def measured(self, inputs: Arrays) -> Arrays:
        """The layer's `statistics` of a batch of inputs."""
        ...

    def macs(self, shapes: tuple[Shape, ...]) -> int:
        """Multiplications with a weight, per sample, from the inputs' shapes."""
        ...

    def limits(self) -> tuple[float, float]:
        """What a layer that clamps bounds its input to."""
        ...

    def scale_shift(self, parameters: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """float64 (channels,) each, of a layer that scales channels: y = x * scale + shift."""
        ...

    def by_input(self, weights: np.ndarray) -> np.ndarray:
        """A view of its contiguous weights, of a layer that has some, with the channels that it reads first."""
        ...

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """The integer operators that compute it, the last one its result. Not called where it vanishes."""
        ...


class Traits:
    """How a layer behaves when it is trained and lowered; layers override what differs."""

    vanishes: ClassVar[bool] = False  # changes no value, only the shape: nothing is left of it in the integer graph
    trains_only: ClassVar[bool] = False  # changes no value outside training
    clamps: ClassVar[bool] = False  # only bounds its input to `limits`: a requantization before it does that
    has_weights: ClassVar[bool] = False  # its parameters are weights (outputs, ...) and bias (outputs,)
    scales_channels: ClassVar[bool] = False  # multiplies and shifts each channel by its `scale_shift`
    requantizes: ClassVar[bool] = False  # its integer operator ends in a requantization
    pairs_weights: ClassVar[bool] = False  # a faster kernel serves weights that leave a bit of headroom (SPEC 4.6)
    keeps_type: ClassVar[bool] = False  # its values are those of its inputs: scale and zero point stay
    takes_grid: ClassVar[bool] = False  # may read a model input that has a scale and an offset per feature
    homogeneous: ClassVar[bool] = False  # a channel s times as large, s > 0, leaves it s times as large, and alone
    slides: ClassVar[bool] = False  # treats every position of a map or sequence alike
    useful: ClassVar[tuple[float, float]] = (float("-inf"), float("inf"))  # beyond it the input changes nothing
    useful_wide: ClassVar[tuple[float, float]] = (float("-inf"), float("inf"))  # the same for 16 bits
    bounds: ClassVar[tuple[float, float]] = (float("-inf"), float("inf"))  # what it gives lies within them always
    statistics: ClassVar[int] = 0  # so many of its last parameters follow the batches' values, not a gradient

    def measured(self, inputs: Arrays) -> Arrays:
        """The layer's `statistics` of a batch of inputs."""
        return ()

    def macs(self, shapes: tuple[Shape, ...]) -> int:
        """Multiplications with a weight, per sample, from the inputs' shapes."""
        return 0

    def limits(self) -> tuple[float, float]:
        """What a layer that clamps bounds its input to."""
        return float("-inf"), float("inf")

    def scale_shift(self, parameters: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """float64 (channels,) each, of a layer that scales channels: y = x * scale + shift."""
        raise TypeError("the layer does not scale channels")

    def by_input(self, weights: np.ndarray) -> np.ndarray:
        """A view of its contiguous weights, of a layer that has some, with the channels that it reads first."""
        return np.moveaxis(weights, -1, 0)


def only(shapes: tuple[Shape, ...], kind: str) -> Shape:
    """The shape of the only input of a layer that takes one. Raises QnnError where there are more or none."""
    if len(shapes) != 1:
        raise QnnError(kind, f"has {len(shapes)} inputs, but takes 1", "give it one")
    return shapes[0]
