# SPDX-License-Identifier: MIT
"""The float network whose forward pass is that of the integer graph, which is asked for every type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from qnn.learned import Learned
from qnn.lowering import Grid
from qnn.model import INPUT, Model, Node
from qnn.ops.op import TensorType
from qnn.quantization import Lowered, lower_model
from qnn.training.fake import FakeWeights
from qnn.training.fakerange import FakeRange, LearnedRange, Step

LEARNED_BELOW = 8  # bits: activations of fewer learn their steps
ENTERED = "entered"  # the node that rounds the inputs
STEP = "_step"  # behind the name of a range: the node that gives its learned step


def training_nodes(model: Model) -> tuple[Node, ...]:
    """The nodes that are trained: the model's own, or, where it has `learned`, those that compute as its integers."""
    if model.learned is None:
        return model.nodes
    lowered = lower_model(model, model.learned.scales, "trained", (), model.learned.widths)
    return _Rounded(model, model.learned, lowered).nodes()


def as_trained(model: Model) -> Model:
    """The model whose forward pass is that of the network which was trained."""
    return replace(model, nodes=training_nodes(model))


class _Rounded:
    """The nodes of a network that computes as its integers do."""

    def __init__(self, model: Model, learned: Learned, lowered: Lowered) -> None:
        self._model, self._learned, self._lowered = model, learned, lowered
        self._tensors = dict(lowered.tensors)
        self._firsts = {integer: source for source, integer in reversed(lowered.tensors)}
        self._lasts = {integer: source for source, integer in lowered.tensors}
        self._made: list[Node] = list(_entering(model, lowered))
        # By a float tensor's name, what stands for it.
        self._now = {INPUT: self._made[0].name} if self._made else {}

    def nodes(self) -> tuple[Node, ...]:
        """All of them, in execution order."""
        for node in self._model.nodes:
            self._add(node)
        return tuple(self._made)

    def _add(self, node: Node) -> None:
        inputs = tuple(self._now.get(name, name) for name in node.inputs)
        integer = self._tensors.get(node.name)  # None where the node only changes the shape
        if integer is not None and self._firsts[integer] != node.name:
            self._now[node.name] = inputs[0]  # a clamp that the requantization before it does
        elif node.layer.has_weights:
            self._made.append(
                _fake(self._model, replace(node, inputs=(*inputs, *self._input_step(node))), self._lowered)
            )
        else:
            self._made.append(replace(node, inputs=inputs))
        keeps = node.layer.keeps_type and len(node.inputs) == 1
        if integer is not None and self._lasts[integer] == node.name and not keeps:
            self._round(node.name, integer)

    def _round(self, name: str, integer: str) -> None:
        """Round the float tensor `name` as the integer one is."""
        kind = self._lowered.graph.type_of(integer)
        source, step = self._now.get(name, name), self._step(integer, kind)
        if step is None:
            made = Node(f"{name}_q", _range(kind), (source,), ())
        else:
            made = Node(f"{name}_q", self._learned_range(name, integer, kind), (source, step), ())
        self._made.append(made)
        self._now[name] = made.name

    def _learned_range(self, name: str, integer: str, kind: TensorType) -> LearnedRange:
        """What rounds the float tensor `name`, which is a clamp's where that is absorbed."""
        most = (1 << self._bits(integer)) - 1
        if self._firsts[integer] == name:
            return LearnedRange(kind.zero_point, most)
        clamp = next(node for node in self._model.nodes if node.name == name)
        return LearnedRange(kind.zero_point, most, *clamp.layer.limits())

    def _bits(self, integer: str) -> int:
        return self._learned.widths.of(self._firsts[integer]).activations

    def _input_step(self, node: Node) -> tuple[str, ...]:
        """The name of the learned step of a layer's input, if it has one."""
        integer = self._lowered.graph.node(node.name).inputs[0]
        found = self._lowered.range_of(integer)
        name = f"{found.name}{STEP}" if found is not None else ""
        return (name,) if any(made.name == name for made in self._made) else ()

    def _step(self, integer: str, kind: TensorType) -> str | None:
        """The name of the node that gives the learned step of an integer tensor, which is made where it is new."""
        found = self._lowered.range_of(integer)
        bits = self._bits(integer)
        if found is None or not learns(bits):
            return None
        name, most = f"{found.name}{STEP}", (1 << bits) - 1
        if all(made.name != name for made in self._made):
            layer = Step(kind.zero_point, most, _limit(found.useful, kind.zero_point, most))
            self._made.append(Node(name, layer, (INPUT,), (np.log(np.array([kind.scale])).astype(np.float32),)))
        return name


def learns(bits: int) -> bool:
    """Do activations of so many bits learn their step?"""
    return bits < LEARNED_BELOW


def _limit(useful: tuple[float, float], zero_point: int, most: int) -> float:
    """The largest float32 step of integers 0..most that do not reach beyond the useful reals."""
    ends = [abs(end) / reach for end, reach in zip(useful, (zero_point, most - zero_point), strict=True) if reach]
    nearest = np.float32(min(ends))
    return float(nearest if nearest <= min(ends) else np.nextafter(nearest, np.float32(0)))


def _entering(model: Model, lowered: Lowered) -> tuple[Node, ...]:
    """The node that rounds the inputs as they are quantized; none where raw bytes have one scale."""
    kind, grid = lowered.graph.type_of(lowered.graph.quantized_input), lowered.grid
    if grid is not None:
        scale, offset = (array.reshape(model.schema.shape) for array in (grid.scale, grid.offset))
        return (Node(ENTERED, FakeRange(scale, offset, np.zeros(()), kind.low, kind.high), (INPUT,), ()),)
    return () if lowered.graph.quantized_input == INPUT else (Node(ENTERED, _range(kind), (INPUT,), ()),)


def _range(kind: TensorType) -> FakeRange:
    offset = np.array(-kind.scale * kind.zero_point)
    return FakeRange(np.array(kind.scale), offset, offset, kind.low, kind.high)


def _fake(model: Model, node: Node, lowered: Lowered) -> Node:
    """The node with weights that are rounded, and a third parameter for their steps."""
    assert model.learned is not None
    width, grid = model.learned.widths.of(node.name), grid_of(lowered, node.name)
    steps = np.log(np.array(width.steps, np.float64)).astype(np.float32)
    kind = types_of(lowered, node.name)[0]
    columns, offsets = (np.ones(()), np.zeros(())) if grid is None else (grid.scale, grid.offset)
    layer = FakeWeights(node.layer, width.weights, kind.scale, columns, offsets)
    return replace(node, layer=layer, parameters=(*node.parameters, steps))


def types_of(lowered: Lowered, name: str) -> tuple[TensorType, TensorType]:
    """The integer types of the input and of the output of a node with weights."""
    graph = lowered.graph
    node = graph.node(name)
    return graph.types_of(node)[0], node.type


def grid_of(lowered: Lowered, name: str) -> Grid | None:
    """What the input's integers mean feature by feature, if the node reads them and they have no common scale."""
    reads = lowered.graph.quantized_input in lowered.graph.node(name).inputs
    return lowered.grid if reads else None


def learned_ranges(nodes: tuple[Node, ...]) -> Mapping[str, tuple[float, float]]:
    """The ranges, by their names, that the learned steps among the nodes give."""
    return {
        node.name.removesuffix(STEP): node.layer.reals(node.parameters[0])
        for node in nodes
        if isinstance(node.layer, Step)
    }
