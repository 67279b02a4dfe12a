# SPDX-License-Identifier: MIT
"""Float passes before calibration: what the integer graph folds away is folded here, exactly, in float64 (SPEC 4.9)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.forward import node_shapes
from qnn.layers.layer import Shape
from qnn.model import INPUT, Model, Node


def prepare(model: Model) -> Model:
    """`model` as it is calibrated and quantized: the same function, with fewer nodes. Idempotent."""
    nodes = model.nodes
    for step in PASSES:
        nodes = step(nodes)
    return replace(model, nodes=nodes)


def without_dropout(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Nodes that act in training only are left out; their readers read what they read."""
    return _without(nodes, tuple(node for node in nodes if node.layer.trains_only))


def with_folded_scales(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """A scale and shift per channel (batch norm) goes into the weights and bias of the only layer that it reads."""
    for node in nodes:
        producer = _only_read_by(node, nodes)
        if node.layer.scales_channels and producer is not None and producer.layer.has_weights:
            scale, shift = node.layer.scale_shift(node.parameters)
            weights, bias = (array.astype(np.float64) for array in producer.parameters)
            column = scale.reshape(-1, *(1,) * (weights.ndim - 1))
            folded = replace(producer, parameters=(weights * column, bias * scale + shift))
            rest = tuple(folded if other is producer else other for other in nodes)
            return with_folded_scales(_without(rest, (node,)))
    return nodes


def folds(node: Node, nodes: tuple[Node, ...]) -> bool:
    """Does with_folded_scales fold the node away?"""
    producer = _only_read_by(node, nodes)
    return node.layer.scales_channels and producer is not None and producer.layer.has_weights


def takes_grid(nodes: tuple[Node, ...]) -> bool:
    """May every input of a network of these nodes have a scale of its own?"""
    for step in PASSES:
        nodes = step(nodes)
    readers = _without(nodes, tuple(node for node in nodes if node.layer.vanishes))
    return all(node.layer.takes_grid for node in readers if INPUT in node.inputs)


def weighted_layers(model: Model) -> tuple[str, ...]:
    """The names of the nodes that have weights when `model` is quantized, in execution order."""
    layers = ((node.name, node.layer) for node in prepare(model).nodes)
    return tuple(name for name, layer in layers if layer.has_weights or layer.scales_channels)


def sliding_channels(nodes: tuple[Node, ...], shape: Shape) -> int | None:
    """How many channels the elements of a sample of `shape` are to the layer that slides over them; None without one.

    Element i is then one of channel i mod that number.
    """
    shapes, source = node_shapes(nodes, shape), INPUT
    for node in nodes:
        if source in node.inputs:
            if node.layer.slides:
                return shapes[source][-1] if len(shapes[source]) > 1 else 1
            if not (node.layer.vanishes or node.layer.trains_only):
                return None
            source = node.name
    return None


def with_early_clamps(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """A clamp behind a max pool moves before it, where the requantization does it: max and clamp commute."""
    for node in nodes:
        pool = _only_read_by(node, nodes)
        if node.layer.clamps and pool is not None and pool.layer.kind == "max_pool":
            clamp = replace(node, inputs=pool.inputs)
            moved = replace(pool, name=pool.name, inputs=(node.name,))
            order = {pool.name: clamp, node.name: moved}
            swapped = [order.get(other.name, other) for other in nodes]
            renamed = [
                replace(other, inputs=tuple(pool.name if name == node.name else name for name in other.inputs))
                if other is not moved
                else other
                for other in swapped
            ]
            return with_early_clamps(tuple(renamed))
    return nodes


PASSES = (without_dropout, with_folded_scales, with_early_clamps)


def _without(nodes: tuple[Node, ...], dropped: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes without `dropped`, each of which has one input; readers of those read that input."""
    source: dict[str, str] = {}
    kept: list[Node] = []
    for node in nodes:
        inputs = tuple(source.get(name, name) for name in node.inputs)
        if node.name in {other.name for other in dropped}:
            source[node.name] = inputs[0]
        else:
            kept.append(replace(node, inputs=inputs))
    return tuple(kept)


def _only_read_by(node: Node, nodes: tuple[Node, ...]) -> Node | None:
    """The node that `node` reads, if it has one input and nothing else reads that."""
    readers = [other for other in nodes if node.inputs[0] in other.inputs]
    producer = next((other for other in nodes if other.name == node.inputs[0]), None)
    return producer if len(node.inputs) == 1 and len(readers) == 1 else None
