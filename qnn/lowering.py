# SPDX-License-Identifier: MIT
"""What a float layer gets to become integer operators, and the types of the tensors it may give (SPEC 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from qnn.curves import curve_of
from qnn.fixedpoint import requantization
from qnn.graph import Node
from qnn.ops.op import Op, TensorType
from qnn.ops.retype import Retype
from qnn.ops.table import Table
from qnn.precision import EIGHT_BITS, Precision

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Grid:
    """What a model input's integers mean, per feature: real = scale * q + offset, float64 (F,)."""

    scale: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True, eq=False)
class Lowering:
    """A layer about to become integer operators.

    name: of the float node. inputs, types: its input tensors in the integer graph. parameters: float32.
    output: the type its result must have. grid: of an input that has a scale per feature, else None.
    shapes: of one sample of the float inputs; those of `types` may be other ones with as many elements.
    precision: how its weights become integers, if it has any.
    """

    name: str
    inputs: tuple[str, ...]
    types: tuple[TensorType, ...]
    parameters: tuple[np.ndarray, ...]
    output: TensorType
    grid: Grid | None
    shapes: tuple[tuple[int, ...], ...]
    precision: Precision = EIGHT_BITS


def lowered(lowering: Lowering, op: Op) -> tuple[Node, ...]:
    """The one operator that a layer becomes, with the shape that it gives to the integer tensor."""
    kind = replace(lowering.output, shape=op.output_shape(lowering.types))
    return (Node(lowering.name, op, lowering.inputs, kind),)


def float32(value: float) -> float:
    """`value` rounded to float32, so that differences in summation order vanish."""
    return float(np.float32(value))


def activation_type(shape: tuple[int, ...], low: float, high: float, bits: int = 8) -> TensorType:
    """The type for reals in low..high, which contains 0: all 2^bits steps, in uint8, or int16 with the zero point 0."""
    if bits == 16:
        scale = float32(max(-low, high) / 32767)
        return TensorType(shape, "int16", -32768, 32767, scale if scale > 0 else 1.0, 0)
    most = (1 << bits) - 1
    scale = float32((high - low) / most)
    if scale <= 0:
        return TensorType(shape, "uint8", 0, most, 1.0, 0)
    return TensorType(shape, "uint8", 0, most, scale, min(most, int(np.floor(-low / scale + 0.5))))


def output_type(shape: tuple[int, ...], minimum: float, maximum: float) -> TensorType:
    """int16 for the model's output: the observed range widened by 2, so that no class is lost to a tie."""
    scale = float32(2 * max(abs(minimum), abs(maximum)) / 32767)
    return TensorType(shape, "int16", -32768, 32767, scale if scale > 0 else 1.0, 0)


def clamped_type(kind: TensorType, low: float, high: float) -> TensorType:
    """`kind` with its range cut to the reals low..high, which a requantization's clamp then does."""
    lowest, highest = (_nearest(bound, kind) for bound in (low, high))
    return replace(kind, low=lowest, high=max(lowest, highest))


def _nearest(real: float, kind: TensorType) -> int:
    """The value of `kind` that is nearest to `real`."""
    if real == float("inf"):
        return kind.high
    if real == float("-inf"):
        return kind.low
    return min(max(int(np.floor(real / kind.scale + 0.5)) + kind.zero_point, kind.low), kind.high)


def retyped_node(name: str, source: str, x: TensorType, y: TensorType) -> Node:
    """The node that brings the tensor `source` of type x to the same reals in type y: a table where both are bytes."""
    if x.dtype == y.dtype == "uint8":
        return Node(name, table_of(x, y, lambda reals: reals), (source,), y)
    constants = requantization(np.array([x.scale / y.scale]), y.zero_point, y.low, y.high)
    return Node(name, Retype(x.zero_point, constants), (source,), y)


def table_node(lowering: Lowering, function: Function) -> tuple[Node, ...]:
    """`function` of the reals that the input stands for: a table of 256 entries, or a curve where it has 16 bits."""
    (x,), y = lowering.types, lowering.output
    return lowered(lowering, table_of(x, y, function) if x.dtype == "uint8" else curve_of(x, y, function))


def table_of(x: TensorType, y: TensorType, function: Function) -> Table:
    """The table of `function` from reals of the uint8 type x to reals of type y, rounded half up."""
    reals = x.scale * (np.arange(256, dtype=np.float64) - x.zero_point)
    rounded = np.floor(function(reals) / y.scale + 0.5) + y.zero_point
    return Table(np.clip(rounded, y.low, y.high).astype(np.int16))
