# SPDX-License-Identifier: MIT
"""Activations that are rounded as those of the integer network, by steps that are fixed or learned.

Learned steps, one for a tensor: LSQ, Esser et al. 2020, "Learned step size quantization" (arXiv 1902.08153). Zero
points stay as they were calibrated, so that 0 stays exact and a range grows and shrinks around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qnn.graph import Node
from qnn.layers.layer import Arrays, Shape, Traits
from qnn.layers.maps import innermost
from qnn.lowering import Lowering, clamped_type
from qnn.ops.op import TensorType

TIES = ((np.float32, 2.0**-22), (np.float64, 2.0**-40))  # of so many steps
REPLACED = "what is only there while training is replaced before it is lowered"


def steps_of(logarithms: np.ndarray) -> np.ndarray:
    """float32, of the same shape: the steps whose logarithms are trained: they stay positive and change by parts."""
    return np.exp(logarithms.astype(np.float64)).astype(np.float32)


class Rounding(Traits):
    """What layers that only round have in common: no parameters, the shape of their first input."""

    def check(self) -> None:
        """Nothing to check."""

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        return shapes[0]

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ()

    def initialize(self, shapes: tuple[Shape, ...], rng: np.random.Generator, init: str) -> Arrays:
        return ()

    def lower(self, lowering: Lowering) -> tuple[Node, ...]:
        raise TypeError(REPLACED)


@dataclass(frozen=True, eq=False)
class FakeRange(Rounding):
    """y = scale * clip(round((x - offset) / scale), low, high) + shift.

    scale, offset, shift: float64, () or per feature. A feature whose scale is 0 becomes the shift.
    """

    kind: ClassVar[str] = "fake_range"
    scale: np.ndarray
    offset: np.ndarray
    shift: np.ndarray
    low: int
    high: int

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        share = np.divide(1.0, self.scale, out=np.zeros_like(self.scale), where=self.scale != 0)
        steps = x * share.astype(x.dtype)
        steps += (0.5 + _tie(self.high, x.dtype) - self.offset * share).astype(x.dtype)
        np.floor(steps, out=steps)
        rounded = np.clip(steps, x.dtype.type(self.low), x.dtype.type(self.high))
        inside = rounded == steps
        rounded *= self.scale.astype(x.dtype)
        rounded += self.shift.astype(x.dtype)
        return rounded, inside

    def backward(
        self, gradient: np.ndarray, saved: np.ndarray, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        return (gradient * saved,), ()


@dataclass(frozen=True)
class Step(Rounding):
    """The learned step of activations, (), whatever its input. Parameter: its logarithm, (1,).

    zero_point, most: of the integers 0..most that it is the step of. limit: beyond which a larger step serves reals
    that change nothing.
    """

    kind: ClassVar[str] = "step"
    zero_point: int
    most: int
    limit: float

    def output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        return ()

    def parameter_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ((1,),)

    def step(self, logarithm: np.ndarray) -> float:
        """The step of a parameter, a float32 value."""
        return min(float(steps_of(logarithm)[0]), self.limit)

    def reals(self, logarithm: np.ndarray) -> tuple[float, float]:
        """The range whose step (SPEC 4.4) is just this one."""
        step = self.step(logarithm)
        return -self.zero_point * step, (self.most - self.zero_point) * step

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, float]:
        step = self.step(parameters[0])
        return np.array(step, inputs[0].dtype), step

    def backward(
        self, gradient: np.ndarray, saved: float, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        """At the limit only what makes it smaller passes."""
        by_step = float(gradient) * saved
        passes = saved < self.limit or by_step > 0
        return (), (np.array([by_step if passes else 0.0], gradient.dtype),)


@dataclass(frozen=True)
class LearnedRange(Rounding):
    """y = s * (clip(round(x / s) + zero_point, low, high) - zero_point) of the inputs x and s, its step.

    low..high: 0..most, or less where a clamp at the reals `lowest` and `highest` is absorbed.
    """

    kind: ClassVar[str] = "learned_range"
    zero_point: int
    most: int
    lowest: float = float("-inf")
    highest: float = float("inf")

    def integers(self, step: float) -> tuple[int, int]:
        """The lowest and the highest integer, less the zero point."""
        whole = TensorType((1,), "uint8", 0, self.most, step, self.zero_point)
        kind = clamped_type(whole, self.lowest, self.highest)
        return kind.low - self.zero_point, kind.high - self.zero_point

    def forward(self, inputs: Arrays, parameters: Arrays, rng: np.random.Generator | None) -> tuple[np.ndarray, Any]:
        x, step = inputs
        low, high = (x.dtype.type(bound) for bound in self.integers(float(step)))
        steps = x * x.dtype.type(1.0 / float(step))
        steps += x.dtype.type(0.5 + _tie(self.most, x.dtype))
        np.floor(steps, out=steps)
        y = np.clip(steps, low, high)
        inside = y == steps
        y *= step
        return y, (x, y, inside, float(step))

    def backward(
        self, gradient: np.ndarray, saved: Any, parameters: Arrays, inputs_wanted: bool = True
    ) -> tuple[Arrays, Arrays]:
        """By s: inside round(x / s) - x / s, which is (y - x) / s, else the bound, y / s; times LSQ's factor.

        A bound that a clamp sets stays where it is, so it gives nothing.
        """
        x, y, inside, step = saved
        by_x = gradient * inside
        slope = (_dot(gradient, y) - _dot(by_x, x)) / step
        ends = (-self.zero_point, self.most - self.zero_point)
        for bound, end in zip(self.integers(step), ends, strict=True):
            if bound not in (0, end):
                slope -= bound * float(gradient[~inside & (np.sign(x) == np.sign(bound))].sum())
        return (by_x, np.array(slope / np.sqrt(x[0].size * max(map(abs, ends))), x.dtype)), ()


def _tie(high: int, dtype: np.dtype) -> float:
    """What is added to steps of up to `high` so that halves, as the mean of four bytes often is, are rounded up in
    spite of the type's own errors, which grow with the steps; those of 16 bits are few and hardly ever halves."""
    return dict(TIES)[dtype.type] * min(high + 1, 256)


def _dot(one: np.ndarray, other: np.ndarray) -> float:
    """The sum of the products of two arrays of one shape, maps as they lie in memory."""
    if one.ndim > 2:
        one, other = innermost(one), innermost(other)
    return float(np.dot(one.reshape(-1), other.reshape(-1)))
