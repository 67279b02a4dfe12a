# SPDX-License-Identifier: MIT
"""What converting one operator of a TensorFlow Lite file needs: its tensors, their types, its clamp, its rounding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qnn.errors import QnnError
from qnn.fixedpoint import GEMMLOWP, Requantization, requantization
from qnn.graph import Node
from qnn.importing.tflitefile import NO_TENSOR, TfliteModel, TfliteOperator, TfliteTensor
from qnn.importing.tflm import gemmlowp, int16x8
from qnn.names import comment_text
from qnn.ops.op import Op, TensorType

OFFSET = 128  # an int8 tensor is a uint8 tensor of 128 more
QUANTIZED = ("int8", "int16")
ACTIVATIONS = (
    (0, -math.inf, math.inf),
    (1, 0.0, math.inf),
    (2, -1.0, 1.0),
    (3, 0.0, 6.0),
)  # number in the schema, lowest and highest real


@dataclass(frozen=True, eq=False)
class Source:
    """A tensor of the integer graph: its name and its type."""

    name: str
    type: TensorType


@dataclass(frozen=True, eq=False)
class Converted:
    """What an operator became: nodes, the last of which is its result; or none, where its result is `same`."""

    nodes: tuple[Node, ...]
    same: Source | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Conversion:
    """The operator `op` of `model` about to be converted; `sources` are the tensors converted so far, by index."""

    path: Path
    model: TfliteModel
    op: TfliteOperator
    rounding: str
    sources: Mapping[int, Source] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the node: the operator's kind and its place in the file."""
        return f"n{self.op.index}_{''.join(c if c.isalnum() and c.isascii() else '_' for c in self.op.kind.lower())}"

    def refused(self, problem: str, remedy: str) -> QnnError:
        """The error that names the file and the operator."""
        names = [comment_text(self.model.tensors[i].name) for i in self.op.outputs if i != NO_TENSOR]
        where = f"operator {self.op.index} {comment_text(self.op.kind)} ({', '.join(names)[:80]})"
        return QnnError(self.path, f"{where} {comment_text(problem)}", remedy)

    def option(self, name: str, default: Any) -> Any:
        """The option called `name`, `default` where the file leaves the options out."""
        if self.op.options is None:
            return default
        getter = getattr(self.op.options, name, None)
        if getter is None:
            raise self.refused(f"has options of another operator: it lacks {name}", "export the model again")
        return getter()

    def tensor(self, position: int) -> TfliteTensor:
        """The input at `position`. Raises QnnError where it is left out."""
        index = self.op.inputs[position] if position < len(self.op.inputs) else NO_TENSOR
        if index == NO_TENSOR:
            raise self.refused(f"lacks its input {position}", "export the model again")
        return self.model.tensors[index]

    def has(self, position: int) -> bool:
        """Is there an input at `position`?"""
        return position < len(self.op.inputs) and self.op.inputs[position] != NO_TENSOR

    def constant(self, position: int, dtypes: tuple[str, ...]) -> np.ndarray:
        """The constant at `position`. Raises QnnError where it is none, or of another type."""
        tensor = self.tensor(position)
        if tensor.data is None:
            raise self.refused(f"computes its input {position} ({tensor.name})", "make it a constant")
        if tensor.dtype not in dtypes:
            raise self.refused(f"has {tensor.dtype} where {' or '.join(dtypes)} belongs", "quantize the model to int8")
        return tensor.data

    def source(self, position: int) -> Source:
        """The integer graph's tensor at `position`. Raises QnnError where it is a constant or of another type."""
        tensor = self.tensor(position)
        if tensor.data is not None:
            raise self.refused(f"reads the constant {tensor.name}", "fold it when exporting")
        found = self.sources.get(self.op.inputs[position])
        if found is None:
            raise self.refused(f"reads {tensor.name}, which nothing computes", "export the model again")
        return found

    @property
    def output(self) -> TfliteTensor:
        """The operator's one output."""
        if len(self.op.outputs) != 1 or self.op.outputs[0] == NO_TENSOR:
            raise self.refused(f"has {len(self.op.outputs)} outputs", "split it into operators with one")
        return self.model.tensors[self.op.outputs[0]]

    def result_type(self) -> TensorType:
        """The output's type, int8 as uint8, clamped as its fused activation says."""
        kind, offset = activation_type(self.output, self), offset_of(self.output)
        low, high = self.clamp(self.output)
        return TensorType(kind.shape, kind.dtype, low + offset, high + offset, kind.scale, kind.zero_point)

    def clamp(self, output: TfliteTensor) -> tuple[int, int]:
        """The range of int8 or int16 that the fused activation leaves."""
        chosen = self.option("FusedActivationFunction", 0)
        found = next((row for row in ACTIVATIONS if row[0] == chosen), None)
        if found is None:
            raise self.refused(f"has the activation {chosen} within it", "use an activation of its own")
        return clamped(output, *found[1:])

    def requantization(self, factors: np.ndarray, kind: TensorType, long: bool = False) -> Requantization:
        """Of real factors (C,), float64, to results of type `kind`, by the rule that was asked for.

        long: of sums that the framework makes in 64 bits.
        """
        if self.rounding == GEMMLOWP and long:
            return int16x8(factors, kind.low, kind.high)
        if self.rounding == GEMMLOWP:
            return gemmlowp(factors, kind.zero_point, kind.low, kind.high)
        return requantization(factors, kind.zero_point, kind.low, kind.high)

    def made(self, op: Op, inputs: tuple[Source, ...], kind: TensorType, suffix: str = "") -> Node:
        """The node of `op`; its type is `kind` with the shape that the operator gives."""
        shape = op.output_shape(tuple(source.type for source in inputs))
        typed = TensorType(shape, kind.dtype, kind.low, kind.high, kind.scale, kind.zero_point)
        return Node(f"{self.name}{suffix}", op, tuple(source.name for source in inputs), typed)


def clamped(tensor: TfliteTensor, lowest: float, highest: float) -> tuple[int, int]:
    """The integers of the reals lowest..highest, rounded half away from zero in float32, as the framework does."""
    scale, zero = np.float32(tensor.scales[0]), int(tensor.zero_points[0])

    def quantized(real: float) -> int:
        steps = float(np.float32(real) / scale)
        return zero + int(math.copysign(math.floor(abs(steps) + 0.5), steps))

    ends = np.iinfo(tensor.dtype)
    low = ends.min if lowest == -math.inf else min(max(quantized(lowest), ends.min), ends.max)
    high = ends.max if highest == math.inf else min(max(quantized(highest), low), ends.max)
    return low, high


def sample_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without the batch of 1."""
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape or (1,)


def activation_type(tensor: TfliteTensor, at: Conversion) -> TensorType:
    """An int8 tensor as uint8, an int16 one as it is. Raises QnnError for another type, or scales per channel."""
    if tensor.dtype not in QUANTIZED or len(tensor.scales) != 1:
        problem = f"has {tensor.name or 'a tensor'} of {tensor.dtype} with {len(tensor.scales)} scales"
        raise at.refused(problem, "quantize the whole model to int8, one scale a tensor")
    zero = int(tensor.zero_points[0])
    if not -128 <= zero <= 127 or (tensor.dtype == "int16" and zero != 0):
        raise at.refused(f"has a zero point of {zero}", "quantize the model again")
    if min(tensor.shape, default=1) < 1:
        raise at.refused(f"has a tensor of shape {tensor.shape}", "export the model with fixed shapes")
    shape, scale = sample_shape(tensor.shape), float(tensor.scales[0])
    if tensor.dtype == "int16":
        return TensorType(shape, "int16", -32768, 32767, scale, 0)
    return TensorType(shape, "uint8", 0, 255, scale, zero + OFFSET)


def offset_of(tensor: TfliteTensor) -> int:
    """How much more a tensor's values are here than in the file."""
    return OFFSET if tensor.dtype == "int8" else 0
