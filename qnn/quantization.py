# SPDX-License-Identifier: MIT
"""From the float model and its calibrated ranges to the integer graph (SPEC 4)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from qnn.check import check
from qnn.equalization import prepared
from qnn.errors import QnnError
from qnn.fixedpoint import ScaleError
from qnn.forward import node_shapes
from qnn.graph import INPUT, Graph, Node
from qnn.heads import head_nodes
from qnn.inputs import enter
from qnn.lowering import (
    Grid,
    Lowering,
    activation_type,
    clamped_type,
    output_type,
    retyped_node,
)
from qnn.model import Model
from qnn.model import Node as FloatNode
from qnn.names import check_name
from qnn.ops.op import TensorType
from qnn.precision import FULL_SPAN, HEADROOM_SPAN, Precision
from qnn.ranges import Range
from qnn.scales import Scales
from qnn.widths import EIGHT, Widths

OUTPUT = "output"
WIDER = 2.0
EVERYTHING = (float("-inf"), float("inf"))


@dataclass(frozen=True, eq=False)
class _Source:
    """What lowering reads: the float nodes that change values, the ranges, the shapes, the input's grid.

    headroom: the nodes whose weights leave a bit of it. widths: of weights and activations.
    wiring: every node's inputs before the nodes were left out that change shapes only.
    """

    nodes: tuple[FloatNode, ...]
    scales: Scales
    shapes: dict[str, tuple[int, ...]]
    wiring: dict[str, tuple[str, ...]]
    grid: Grid | None
    headroom: Collection[str]
    widths: Widths

    def reader(self, node: FloatNode) -> FloatNode | None:
        """The only reader of the node's output; None where there are none or several."""
        readers = [other for other in self.nodes if node.name in other.inputs]
        return readers[0] if len(readers) == 1 else None

    def carried(self, node: FloatNode) -> tuple[FloatNode, FloatNode]:
        """How far the type of the node's output is carried by nodes that keep it and that alone read it.

        The last of them, and the last that joins several tensors, whose range all of them then need; or the node.
        """
        last, joined = node, node
        while (after := self.reader(last)) is not None and after.layer.keeps_type:
            last, joined = after, after if len(after.inputs) > 1 else joined
        return last, joined

    def absorbed(self, node: FloatNode) -> bool:
        """Is the node a clamp that its producer's requantization does anyway?"""
        producer = next((other for other in self.nodes if other.name == node.inputs[0]), None)
        absorbing = producer is not None and producer.layer.requantizes and self.reader(producer) is node
        return node.layer.clamps and absorbing


@dataclass(frozen=True)
class Ranged:
    """Of an integer tensor whose scale comes from a calibrated range.

    name: of the float tensor in the Scales whose range it is. useful: what the range is cut to.
    """

    tensor: str
    name: str
    useful: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Lowered:
    """A checked integer graph, and what its tensors mean in the float model that it was made from.

    tensors: of every float tensor (INPUT or a node) that is left, the integer one that stands for it; where a clamp is
    absorbed, the clamp's tensor comes after its producer's. grid: of an input that has a scale per feature, else None.
    source: the float model, prepared. ranged: of every integer tensor but those of 16 bits, inputs and outputs.
    """

    graph: Graph
    tensors: tuple[tuple[str, str], ...]
    grid: Grid | None
    source: Model
    ranged: tuple[Ranged, ...]

    def range_of(self, tensor: str) -> Ranged | None:
        """The Ranged of an integer tensor, None where its scale comes from elsewhere."""
        return next((found for found in self.ranged if found.tensor == tensor), None)


def quantize(model: Model, scales: Scales, name: str, headroom: Collection[str] = (), widths: Widths = EIGHT) -> Graph:
    """The checked integer graph of `model` with C prefix `name`.

    headroom: names of layers whose weights leave a bit of headroom for a faster kernel (SPEC 4.6).
    widths: of weights and activations; 8 bits each by default.
    Raises QnnError where `scales` does not fit the model or a layer has no integer form where it stands.
    """
    return lower_model(model, scales, name, headroom, widths).graph


def lower_model(
    model: Model, scales: Scales, name: str, headroom: Collection[str] = (), widths: Widths = EIGHT
) -> Lowered:
    """As `quantize`, with what the tensors mean."""
    check_name(name)
    model = prepared(model, scales.equalized)
    nodes = _without_vanishing(model.nodes)
    takes_grid = all(node.layer.takes_grid for node in nodes if INPUT in node.inputs)
    raw, entering, grid = enter(model, scales, takes_grid, widths.input)
    wiring = {node.name: node.inputs for node in model.nodes}
    source = _Source(nodes, scales, node_shapes(model.nodes, model.schema.shape), wiring, grid, headroom, widths)
    quantized_input = entering[-1].name if entering else INPUT
    body: list[Node] = list(entering)
    tensors = {INPUT: quantized_input}  # the integer tensor of every float tensor
    ranged: dict[str, Ranged] = {}
    types = {INPUT: raw} | {node.name: node.type for node in entering}
    for node in nodes:
        if source.absorbed(node):
            tensors[node.name] = tensors[node.inputs[0]]
            continue
        inputs = tuple(tensors[tensor] for tensor in node.inputs)
        new = _lower(source, node, inputs, tuple(types[tensor] for tensor in inputs))
        body += new
        types |= {item.name: item.type for item in new}
        tensors[node.name] = new[-1].name
        found = _ranged(source, node, new[-1], ranged)
        ranged |= {found.tensor: found} if found is not None else {}
    body += _final(source, body, tensors[nodes[-1].name], types)
    output = body[-1].name
    heads = head_nodes(model, output, body[-1].type)
    graph = check(Graph(name, model.schema, model.record, raw, (*body, *heads), output, quantized_input))
    return Lowered(graph, tuple(tensors.items()), grid, model, tuple(ranged.values()))


def _without_vanishing(nodes: tuple[FloatNode, ...]) -> tuple[FloatNode, ...]:
    """The nodes without those that change shapes only; their readers read what they read."""
    source: dict[str, str] = {}
    kept: list[FloatNode] = []
    for node in nodes:
        inputs = tuple(source.get(name, name) for name in node.inputs)
        if node.layer.vanishes:
            source[node.name] = inputs[0]
        else:
            kept.append(replace(node, inputs=inputs))
    return tuple(kept)


def _lower(
    source: _Source, node: FloatNode, inputs: tuple[str, ...], types: tuple[TensorType, ...]
) -> tuple[Node, ...]:
    """The node's integer operators; where its inputs must share a type, tables bring them to it first."""
    grid = source.grid if INPUT in node.inputs else None
    output = _output_type(source, node, types)
    before: tuple[Node, ...] = ()
    if node.layer.keeps_type and len(inputs) > 1:
        wanted = [replace(output, shape=kind.shape) for kind in types]
        made = [
            None
            if (kind.dtype, kind.scale, kind.zero_point) == (output.dtype, output.scale, output.zero_point)
            else retyped_node(f"{node.name}_in{index}", name, kind, to)
            for index, (name, kind, to) in enumerate(zip(inputs, types, wanted, strict=True))
        ]
        before = tuple(item for item in made if item is not None)
        inputs = tuple(name if item is None else item.name for name, item in zip(inputs, made, strict=True))
        types = tuple(kind if item is None else item.type for kind, item in zip(types, made, strict=True))
    shapes = tuple(source.shapes[name] for name in source.wiring[node.name])
    span = HEADROOM_SPAN if node.name in source.headroom else FULL_SPAN
    width = source.widths.of(node.name)
    precision = Precision(width.weights, span, width.steps, source.widths.clipping)
    lowering = Lowering(node.name, inputs, types, node.parameters, output, grid, shapes, precision)
    try:
        return before + node.layer.lower(lowering)
    except ScaleError as error:
        problem = f"{error.problem}: its inputs or outputs hardly vary on the calibration samples"
        raise QnnError(node.name, problem, "train longer, or calibrate on other samples") from None


def _ranged(source: _Source, node: FloatNode, made: Node, before: dict[str, Ranged]) -> Ranged | None:
    """The Ranged of what the node became; `before`: those of earlier tensors, by their names."""
    if node.layer.keeps_type and len(node.inputs) == 1:
        found = before.get(made.inputs[0])
        return replace(found, tensor=made.name) if found is not None else None
    final = _final_of(source, node)
    if made.type.dtype != "uint8" or (final is source.nodes[-1] and not final.layer.keeps_type):
        return None
    last, joined = source.carried(final)
    after = source.reader(last)
    return Ranged(made.name, joined.name, after.layer.useful if after is not None else EVERYTHING)


def _final_of(source: _Source, node: FloatNode) -> FloatNode:
    """The node, or the clamp that it absorbs."""
    reader = source.reader(node)
    return reader if reader is not None and source.absorbed(reader) else node


def _output_type(source: _Source, node: FloatNode, inputs: tuple[TensorType, ...]) -> TensorType:
    """The type of the node's output, or of the clamp that it absorbs."""
    shape = source.shapes[node.name]
    if node.layer.keeps_type and len(inputs) == 1:
        return replace(inputs[0], shape=shape)
    final = _final_of(source, node)
    found = source.scales.range_of(final.name)
    if final is source.nodes[-1] and not final.layer.keeps_type:
        kind = output_type(shape, found.minimum, found.maximum)
    else:
        last, joined = source.carried(final)
        found = source.scales.range_of(joined.name)
        after = source.reader(last)
        bits = source.widths.of(node.name).activations
        bounds = final.layer.limits() if final.layer.clamps else final.layer.bounds
        low, high = _range(found, after, bits, bounds if joined is final else EVERYTHING)
        kind = activation_type(shape, low, high, bits)
    return kind if final is node else clamped_type(kind, *final.layer.limits())


def _range(found: Range, reader: FloatNode | None, bits: int, bounds: tuple[float, float]) -> tuple[float, float]:
    """The reals that a tensor of `bits` holds: the calibrated range, as far as its reader needs it.

    16 bits have room: all that was seen, widened by WIDER, as far as the layer before can give it (`bounds`).
    """
    if bits == 16:
        useful = reader.layer.useful_wide if reader is not None else EVERYTHING
        low, high = WIDER * min(found.low, found.minimum), WIDER * max(found.high, found.maximum)
        return max(low, useful[0], bounds[0]), min(high, useful[1], bounds[1])
    useful = reader.layer.useful if reader is not None else EVERYTHING
    low, high = found.of(bits)
    return max(low, useful[0]), min(high, useful[1])


def _final(source: _Source, body: list[Node], last: str, types: dict[str, TensorType]) -> tuple[Node, ...]:
    """A retype that brings the last tensor to int16, where the last layer only keeps its inputs' type of 8 bits."""
    if not source.nodes[-1].layer.keeps_type or types[last].dtype == "int16":
        return ()
    found = source.scales.range_of(source.nodes[-1].name)
    wanted = output_type(types[last].shape, found.minimum, found.maximum)
    return (retyped_node(OUTPUT, last, types[last], wanted),)
