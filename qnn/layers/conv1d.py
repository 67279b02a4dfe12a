# SPDX-License-Identifier: MIT
"""conv1d: filters slide along a sequence; a conv2d over a map of height 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.graph import Node
from qnn.layers.conv2d import Conv2d
from qnn.layers.layer import Arrays, Shape, Traits, only
from qnn.layers.sliding import check_filters, convolution_weights
from qnn.layers.window import SAME, VALID
from qnn.lowering import Lowering, lowered
from qnn.ops.conv2d import Conv2d as Conv2dOp


@dataclass(frozen=True)
class Conv1d(Traits):
    """y[n, s, o] = bias[o] + sum of x[n, window of s, c] * weights[o, j, c]; weights (O, K, C).

    Samples (L, C); flat ones (F,) count as (F, 1). padding: "valid", "same", one number for both ends, or two.
    """

    kind: ClassVar[str] = "conv1d"
    has_weights: ClassVar[bool] = True
    requantizes: ClassVar[bool] = True
    pairs_weights: ClassVar[bool] = True
    slides: ClassVar[bool] = True
    filters: int
    kernel: int
    stride: int = 1
    padding: str = "valid"

    @property
    def subject(self) -> str:
        """Words for errors."""
        return f"conv1d {self.kernel} {self.filters}"

    @property
    def flat(self) -> Conv2d:
        """The convolution over maps of height 1 that it is."""
        words = self.padding.split()
        padding = f"0 0 {words[0]} {words[-1]}" if self.padding not in (SAME, VALID) and words else self.padding
        return Conv2d(self.filters, 1, self.kernel, 1, self.stride, padding)

    def check(self) -> None:
        if self.padding not in (SAME, VALID) and len(self.padding.split()) not in (1, 2):
            problem = f"has the padding {self.padding[:40]!r}"
            raise QnnError(self.subject, problem, "use same, valid, pad P or pad BEFORE AFTER")
        self.flat.sliding.check(self.subject)
        check_filters(self.subject, self.filters)

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        shape = only(shapes, self.kind)
        if len(shape) > 2:
            sequence = f"{math.prod(shape[:-1])}x{shape[-1]}"
            remedy = f'use conv, or put "reshape {sequence}" before it'
            raise QnnError(self.subject, f"cannot take samples of shape {shape}", remedy)
        self.flat.sliding.window(_sequence(shape), self.subject)
        return self.flat.output_shape((_sequence(shape),))

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (self.filters, self.kernel, _sequence(shapes[0])[1]), (self.filters,)

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        weights, bias = self.flat.initialize((_sequence(shapes[0]),), rng, init)
        return weights[:, 0], bias

    def macs(self, shapes: tuple[Shape, ...]) -> int:
        return self.flat.macs((_sequence(shapes[0]),))

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        (x,), (weights, bias) = inputs, parameters
        sequences = x.reshape(len(x), *_sequence(x.shape[1:]))
        output, saved = self.flat.forward((sequences,), (weights[:, None], bias), rng)
        return output, (saved, x.shape)

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        kept, shape = saved
        weights, bias = parameters
        by_inputs, (by_weights, by_bias) = self.flat.backward(gradient, kept, (weights[:, None], bias), inputs_wanted)
        return tuple(by.reshape(shape) for by in by_inputs), (by_weights[:, 0], by_bias)

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        """One integer conv2d over a map of height 1."""
        q = convolution_weights(lowering)
        window, (x,) = self.flat.window(_sequence(lowering.shapes[0])), lowering.types
        return lowered(lowering, Conv2dOp(window, q.weights[:, None], q.bias, x.zero_point, *q.constants))


def _sequence(shape: Shape) -> Shape:
    return (*shape, 1) if len(shape) == 1 else shape
