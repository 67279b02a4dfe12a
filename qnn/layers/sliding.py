# SPDX-License-Identifier: MIT
"""What convolutions and pools share: a kernel that slides over maps, and bounds that keep mistakes small."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.layers.layer import Arrays, Shape, Traits
from qnn.layers.window import Sliding
from qnn.lowering import Lowering
from qnn.ops.window import Window
from qnn.weights import QuantizedWeights, quantize_weights

MAX_FILTERS = 1 << 14
MAX_WEIGHTS = 1 << 26


class SlidingLayer(Traits):
    """A layer with the fields of a Sliding. Parameters, if any, are weights and bias."""

    slides: ClassVar[bool] = True
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    padding: str

    @property
    def subject(self) -> str:
        """The layer as an error names it: "conv 3x3 8"."""
        raise TypeError("a sliding layer lacks its subject")

    @property
    def sliding(self) -> Sliding:
        """Its kernel, stride and padding."""
        return Sliding(self.kernel_height, self.kernel_width, self.stride_height, self.stride_width, self.padding)

    def check(self) -> None:
        self.sliding.check(self.subject)

    def window(self, shape: Shape) -> Window:
        """Its Window over one sample of `shape`. Raises QnnError if it does not fit."""
        return self.sliding.window(shape, self.subject)

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ()

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        return ()


def check_filters(subject: str, filters: int) -> None:
    """Raises QnnError for an impossible number of filters."""
    if not 1 <= filters <= MAX_FILTERS:
        raise QnnError(subject, f"has an impossible number of filters (1 to {MAX_FILTERS})", "choose another")


def check_weights(subject: str, weights: int, filters: int = 1) -> None:
    """Raises QnnError for more weights or filters than a layer may have."""
    if weights > MAX_WEIGHTS or filters > MAX_FILTERS:
        raise QnnError(subject, f"has more than {MAX_WEIGHTS} weights or {MAX_FILTERS} filters", "make it narrower")


def convolution_weights(lowering: Lowering) -> QuantizedWeights:
    """The integers of a convolution."""
    weights, bias = (parameter.astype(np.float64) for parameter in lowering.parameters)
    return quantize_weights(weights, bias, lowering.types[0], lowering.output, lowering.precision)
