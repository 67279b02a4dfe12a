# SPDX-License-Identifier: MIT
"""Quantization-aware training: the float network whose forward pass is that of the integer graph.

Batch norms are folded first, with the statistics of the trained float network (SPEC 4.9), so that the weights which
are trained are those which become integers. The ranges of the activations are calibrated once and stay.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.calibration import calibrate
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.learned import Learned
from qnn.lowering import Grid
from qnn.model import INPUT, Model, Node
from qnn.ops.op import TensorType
from qnn.precision import Precision
from qnn.prepare import weighted_layers
from qnn.quantization import Lowered, lower_model
from qnn.training.fake import FakeRange, FakeWeights, steps_of
from qnn.training.teacher import check_teacher, folded_nodes
from qnn.weights import channel_scales
from qnn.widths import EIGHT, bit_parts, with_weight_bits

QAT, START = "--qat", "--from"
MOST_BITS = 8
ENTERED = "entered"  # the node that rounds the inputs


def check_bits(text: str) -> None:
    """Raises QnnError where --qat names no widths of weights that can be learned."""
    if max(bits for _, bits in bit_parts(text, QAT)) > MOST_BITS:
        raise QnnError(f"{QAT} {text}", "names weights of more than 8 bits", "leave --qat out: they lose nothing")


def begin(start: Model, dataset: Dataset, text: str) -> Model:
    """`start` ready for training with weights of the bits that `text` names (widths.with_weight_bits).

    Raises QnnError where it was trained on other data or on rows that are held out, or cannot be trained so.
    """
    check_teacher(start, replace(start, schema=dataset.schema), dataset, START)
    nodes = folded_nodes(start)
    for node in nodes:
        if node.layer.scales_channels:
            remedy = "put bn right behind a convolution or a dense layer"
            raise QnnError(START, f"has a batch norm, {node.name}, that no layer before it takes in", remedy)
    model = replace(start, nodes=nodes, record=dataset.record)
    widths = with_weight_bits(EIGHT, text, weighted_layers(model), QAT)
    layers = tuple((node.name, widths.of(node.name)) for node in nodes if node.layer.has_weights)
    learned = Learned(replace(widths, layers=layers), calibrate(model, model.samples))
    model = replace(model, learned=learned)
    lowered = lower_model(model, learned.scales, "trained", (), learned.widths)
    steps = {node.name: _first_steps(model, node, lowered) for node in nodes if node.layer.has_weights}
    return replace(model, learned=learned.with_steps(steps))


def training_nodes(model: Model) -> tuple[Node, ...]:
    """The nodes that are trained: the model's own, or, where it has `learned`, those that compute as its integers."""
    if model.learned is None:
        return model.nodes
    lowered = lower_model(model, model.learned.scales, "trained", (), model.learned.widths)
    tensors = dict(lowered.tensors)
    firsts = {integer: source for source, integer in reversed(lowered.tensors)}
    lasts = {integer: source for source, integer in lowered.tensors}
    nodes = list(_entering(model, lowered))
    now = {INPUT: nodes[0].name} if nodes else {}  # by a float tensor's name, what stands for it
    for node in model.nodes:
        inputs = tuple(now.get(name, name) for name in node.inputs)
        integer = tensors.get(node.name)  # None where the node only changes the shape
        if integer is not None and firsts[integer] != node.name:
            now[node.name] = inputs[0]  # a clamp that the requantization before it does
        elif node.layer.has_weights:
            nodes.append(_fake(model, replace(node, inputs=inputs), lowered))
        else:
            nodes.append(replace(node, inputs=inputs))
        keeps = node.layer.keeps_type and len(node.inputs) == 1
        if integer is not None and lasts[integer] == node.name and not keeps:
            nodes.append(
                Node(f"{node.name}_q", _range(lowered.graph.type_of(integer)), (now.get(node.name, node.name),), ())
            )
            now[node.name] = nodes[-1].name
    return tuple(nodes)


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
    width, grid = model.learned.widths.of(node.name), _grid(lowered, node.name)
    steps = np.log(np.array(width.steps, np.float64)).astype(np.float32)
    kind = _types(lowered, node.name)[0]
    columns, offsets = (np.ones(()), np.zeros(())) if grid is None else (grid.scale, grid.offset)
    layer = FakeWeights(node.layer, width.weights, kind.scale, columns, offsets)
    return replace(node, layer=layer, parameters=(*node.parameters, steps))


def _types(lowered: Lowered, name: str) -> tuple[TensorType, TensorType]:
    """The integer types of the input and of the output of a node with weights."""
    graph = lowered.graph
    node = graph.node(name)
    return graph.types_of(node)[0], node.type


def _grid(lowered: Lowered, name: str) -> Grid | None:
    """What the input's integers mean feature by feature, if the node reads them and they have no common scale."""
    reads = lowered.graph.quantized_input in lowered.graph.node(name).inputs
    return lowered.grid if reads else None


def _first_steps(model: Model, node: Node, lowered: Lowered) -> np.ndarray:
    """float32 (O,): the steps that the weights alone would have."""
    assert model.learned is not None
    weights, bias = (parameter.astype(np.float64) for parameter in node.parameters)
    grid = _grid(lowered, node.name)
    if grid is not None:
        bias, weights = bias + weights @ grid.offset, weights * grid.scale
    precision = Precision(model.learned.widths.of(node.name).weights)
    return channel_scales(weights, bias, *_types(lowered, node.name), precision).astype(np.float32)


def trained(model: Model, nodes: tuple[Node, ...]) -> Model:
    """`model` with what its `training_nodes`, whose parameters are those of `nodes`, have learned."""
    if model.learned is None:
        return replace(model, nodes=nodes)
    found = {node.name: node.parameters for node in nodes}
    own = tuple(replace(node, parameters=found[node.name][:2]) if node.parameters else node for node in model.nodes)
    steps = {name: steps_of(parameters[2]) for name, parameters in found.items() if len(parameters) == 3}
    return replace(model, nodes=own, learned=model.learned.with_steps(steps))
