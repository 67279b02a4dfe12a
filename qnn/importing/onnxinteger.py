# SPDX-License-Identifier: MIT
"""What converting one node of a quantized ONNX file to integer operators needs: types, constants, requantizations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from qnn.errors import QnnError
from qnn.fixedpoint import HALF_EVEN, Requantization, requantization
from qnn.graph import Node
from qnn.importing.bounds import Budget
from qnn.importing.conversion import OFFSET
from qnn.importing.layout import Shaper, Stored
from qnn.importing.onnxconversion import OnnxPlace
from qnn.importing.onnxscales import Meaning, Quantized, QuantizedConstant
from qnn.ops.concat import Concat
from qnn.ops.op import Op, TensorType
from qnn.ops.pad import Pad
from qnn.ops.table import Table

STEPS = np.arange(256, dtype=np.int64)  # the values of a uint8 tensor


@dataclass
class IntegerBuilder:
    """Nodes in order within a budget, which knows the types; shapes are Stored's, so that flat and map are one."""

    budget: Budget
    nodes: list[Node] = field(default_factory=list)

    @property
    def types(self) -> dict[str, TensorType]:
        """The types of all tensors."""
        return self.budget.types

    def flat(self, node: str) -> str:
        """The node itself."""
        return node

    def mapped(self, node: str, height: int, width: int, channels: int) -> str:
        """The node itself."""
        return node

    def add(self, op: Op, inputs: tuple[str, ...], kind: TensorType) -> str:
        """The name of a new node; its type is `kind` with the shape that the operator gives."""
        shape = op.output_shape(tuple(self.types[name] for name in inputs))
        name = f"n{len(self.nodes)}_{op.kind}"
        self.nodes.append(Node(name, op, inputs, replace(kind, shape=shape)))
        self.budget.spend(self.nodes[-1])
        return name


@dataclass(frozen=True, eq=False)
class IntegerConversion(OnnxPlace):
    """A node about to become integer operators; rounding: the rule of requantizations."""

    builder: IntegerBuilder
    found: Quantized
    rounding: str = HALF_EVEN

    @property
    def shaper(self) -> Shaper:
        """The integer graph in the making."""
        return self.builder

    @property
    def output(self) -> str:
        """The file's name of the result."""
        return self.node.outputs[0]

    @property
    def ends(self) -> bool:
        """Is its result the model's output, left without a scale?"""
        return self.output not in self.found.meanings and self.output in self.model.outputs

    def tensor(self, position: int = 0) -> Stored:
        """The tensor at `position`. Raises QnnError where it has no scale."""
        name = self.node.inputs[position] if self.has(position) else ""
        if name not in self.tensors:
            raise self.refused(
                f"reads {name or 'nothing'}, which has no scale", "quantize every tensor between operators"
            )
        return self.tensors[name]

    def kind(self, tensor: Stored) -> TensorType:
        """A tensor's type."""
        return self.builder.types[tensor.node]

    def is_weights(self, position: int) -> bool:
        """Is the input at `position` a constant, quantized or not?"""
        return self.is_constant(position) or (self.has(position) and self.node.inputs[position] in self.found.weights)

    def weights(self, position: int) -> QuantizedConstant:
        """The quantized constant at `position`."""
        name = self.node.inputs[position] if self.has(position) else ""
        if name not in self.found.weights:
            raise self.refused(f"has weights that are not quantized ({name})", "quantize weights to 8 bits")
        return self.found.weights[name]

    def reals(self, position: int) -> np.ndarray:
        """float64: the constant at `position`, quantized or not."""
        name = self.node.inputs[position] if self.has(position) else ""
        return self.found.weights[name].reals if name in self.found.weights else self.constant(position)

    def result(self) -> TensorType:
        """The type of the result as uint8, clamped as a Relu behind it says; its shape is still open."""
        meaning = self.found.meanings.get(self.output)
        if meaning is None:
            raise self.refused("gives a tensor without a scale", "quantize its output as well")
        kind = unsigned_type(meaning)
        low, high = (self._step(bound, kind) for bound in self.found.clamps.get(self.output, (-math.inf, math.inf)))
        return replace(kind, low=low, high=max(low, high))

    @staticmethod
    def _step(bound: float, kind: TensorType) -> int:
        if math.isinf(bound):
            return 0 if bound < 0 else 255
        step = float(np.rint(np.float32(bound) / np.float32(kind.scale))) + kind.zero_point
        return int(min(max(step, 0), 255))

    def requantized(self, factors: np.ndarray, kind: TensorType) -> Requantization:
        """Of float32 factors (C,), to results of type `kind`."""
        made = requantization(factors.astype(np.float64).reshape(-1), kind.zero_point, kind.low, kind.high)
        return replace(made, rounding=self.rounding)

    def added(self, op: Op, inputs: tuple[str, ...], kind: TensorType) -> str:
        """A new node; what does not fit is told with the file and this node."""
        try:
            return self.builder.add(op, inputs, kind)
        except QnnError as error:
            raise self.refused(error.problem, error.remedy) from None

    def alike(self, source: Stored, op: Op, kind: TensorType, *others: Stored) -> Stored:
        """The result of an operator that keeps the shape and order of `source`."""
        node = self.added(op, (source.node, *(other.node for other in others)), kind)
        return replace(source, node=node)

    def padded(self, source: Stored, pads: tuple[int, int, int, int]) -> Stored:
        """The map with a frame of zeros."""
        if not any(pads):
            return source
        top, bottom, left, right = pads
        (height, width, channels), kind = source.shape, self.kind(source)
        node = self.added(Pad(height, width, channels, *pads, kind.zero_point), (source.node,), kind)
        shape = (height + top + bottom, width + left + right, channels)
        return replace(source, node=node, shape=shape, stored=tuple(shape[axis] for axis in source.axes))

    def beside(self, one: Stored, other: Stored) -> str:
        """The node that gives the channels of both, brought to the result's scale before."""
        one, other = self.rescaled(one, self.result()), self.rescaled(other, self.result())
        kinds = self.kind(one), self.kind(other)
        joined = replace(kinds[0], low=min(k.low for k in kinds), high=max(k.high for k in kinds))
        return self.added(Concat(one.shape[-1], other.shape[-1]), (one.node, other.node), joined)

    def rescaled(self, source: Stored, kind: TensorType) -> Stored:
        """The tensor with the scale of `kind`: itself where it has it."""
        old = self.kind(source)
        if (old.scale, old.zero_point) == (kind.scale, kind.zero_point):
            return source
        return self.table(source, meant(old), kind)

    def table(self, source: Stored, reals: np.ndarray, kind: TensorType) -> Stored:
        """The table that gives float32 reals (256,), one for each value of the source, as integers of `kind`."""
        with np.errstate(over="ignore", invalid="ignore"):
            steps = np.rint(reals.astype(np.float32) / np.float32(kind.scale)) + kind.zero_point
        if np.isnan(steps).any():
            raise self.refused("gives no number for some inputs", "check its constants")
        entries = np.clip(steps, kind.low, kind.high).astype(np.int16)
        old = self.kind(source)
        reached = entries[old.low : old.high + 1]
        typed = replace(kind, low=min(int(reached.min()), kind.zero_point), high=int(reached.max()))
        typed = replace(typed, high=max(typed.high, typed.zero_point))
        return self.alike(source, Table(np.clip(entries, typed.low, typed.high)), typed)


def meant(kind: TensorType) -> np.ndarray:
    """float32 (256,): the reals that the values of a uint8 tensor mean."""
    return (STEPS - kind.zero_point).astype(np.float32) * np.float32(kind.scale)


def unsigned_type(meaning: Meaning) -> TensorType:
    """A tensor of uint8 of that meaning, without a shape yet; int8 values count 128 more."""
    zero = meaning.zero_point + (OFFSET if meaning.dtype == "int8" else 0)
    return TensorType((1,), "uint8", 0, 255, meaning.scale, zero)
