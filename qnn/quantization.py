# SPDX-License-Identifier: MIT
"""From the float model and its calibrated ranges to the integer graph (SPEC 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qnn.check import check
from qnn.errors import QnnError
from qnn.forward import node_shapes
from qnn.graph import INPUT, Graph, Node
from qnn.heads import head_nodes
from qnn.inputs import enter
from qnn.lowering import Grid, Lowering, activation_type, output_type
from qnn.model import Model
from qnn.model import Node as FloatNode
from qnn.names import check_name
from qnn.ops.op import TensorType
from qnn.scales import Scales


@dataclass(frozen=True, eq=False)
class _Source:
    """What lowering reads: the float nodes that change values, the ranges, the shapes, the input's grid."""

    nodes: tuple[FloatNode, ...]
    scales: Scales
    shapes: dict[str, tuple[int, ...]]
    grid: Grid | None


def quantize(model: Model, scales: Scales, name: str) -> Graph:
    """The checked integer graph of `model` with uint8 activations and int8 weights, C prefix `name`.

    Raises QnnError where `scales` does not fit the model or a layer has no integer form where it stands.
    """
    check_name(name)
    raw, entering, grid = enter(model, scales)
    source = _Source(without_vanishing(model.nodes), scales, node_shapes(model.nodes, model.schema.shape), grid)
    body: list[Node] = list(entering)
    quantized_input = entering[-1].name if entering else INPUT
    tensors = {INPUT: quantized_input}  # the integer tensor of every float tensor
    types = {INPUT: raw} | {node.name: node.type for node in entering}
    for node in source.nodes:
        if not _absorbed(node, source.nodes):
            inputs = tuple(tensors[tensor] for tensor in node.inputs)
            new = _lower(source, node, inputs, tuple(types[tensor] for tensor in inputs))
            body += new
            types |= {item.name: item.type for item in new}
            tensors[node.name] = new[-1].name
        else:
            tensors[node.name] = tensors[node.inputs[0]]
    output = body[-1].name
    heads = head_nodes(model, output, types[output])
    return check(Graph(name, model.schema, model.record, raw, (*body, *heads), output, quantized_input))


def without_vanishing(nodes: tuple[FloatNode, ...]) -> tuple[FloatNode, ...]:
    """The nodes without those that change no value (dropout, flatten); their readers read what they read."""
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
    grid = source.grid if INPUT in node.inputs else None
    if grid is not None and not node.layer.takes_grid:
        problem = f"{node.layer.kind} cannot read an input with a scale per feature"
        raise QnnError(node.name, problem, "put a dense layer first")
    return node.layer.lower(Lowering(node.name, inputs, types, node.parameters, _output_type(source, node), grid))


def _output_type(source: _Source, node: FloatNode) -> TensorType:
    """The type of the node's output, or of the clamp that it absorbs."""
    reader = _reader(node, source.nodes)
    absorbs = reader is not None and _absorbed(reader, source.nodes)
    final = reader if absorbs and reader is not None else node
    found, shape = source.scales.range_of(final.name), source.shapes[node.name]
    if final is source.nodes[-1]:
        kind = output_type(shape, found.minimum, found.maximum)
        return replace(kind, low=0) if absorbs else kind
    low, high = found.low, found.high
    after = _reader(final, source.nodes)
    if after is not None:
        low, high = max(low, after.layer.useful[0]), min(high, after.layer.useful[1])
    return activation_type(shape, 0.0 if absorbs else low, high)


def _reader(node: FloatNode, nodes: tuple[FloatNode, ...]) -> FloatNode | None:
    """The only reader of the node's output; None where there are none or several."""
    readers = [other for other in nodes if node.name in other.inputs]
    return readers[0] if len(readers) == 1 else None


def _absorbed(node: FloatNode, nodes: tuple[FloatNode, ...]) -> bool:
    """Is the node a clamp that its producer's requantization does anyway?"""
    producer = next((other for other in nodes if other.name == node.inputs[0]), None)
    absorbing = producer is not None and producer.layer.requantizes and _reader(producer, nodes) is node
    return node.layer.clamps and absorbing
