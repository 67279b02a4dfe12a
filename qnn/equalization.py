# SPDX-License-Identifier: MIT
"""Cross-layer equalization: channels of different size are brought to one, without changing the float function.

Nagel, van Baalen, Blankevoort, Welling: Data-Free Quantization Through Weight Equalization and Bias Correction, 2019
(arXiv 1906.04721), section 4.1. A channel that leaves a layer with weights and reaches the next one through nothing but
positively homogeneous layers, f(s x) = s f(x) for s > 0, may be divided by any s there and multiplied by it here.
Bounded layers (ReLU6 and other clamps, sigmoid, tanh) are none: pairs that they separate stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qnn.model import Model, Node
from qnn.prepare import prepare

SWEEPS = 40  # over all pairs; a chain of pairs settles by less than half each time
SETTLED = 1e-4  # the largest change of a logarithm that counts as none


@dataclass(frozen=True)
class Pair:
    """Two nodes with weights, of which the second reads the channels of the first, `repeat` times side by side."""

    first: str
    second: str
    repeat: int


def prepared(model: Model, equalize: bool) -> Model:
    """`model` as it is calibrated and quantized, with equalized weights or as they are."""
    model = prepare(model)
    return equalized(model) if equalize else model


def equalized(model: Model) -> Model:
    """`model`, prepared (see qnn.prepare), with equalized weights: the same function in real numbers."""
    found = pairs(model)
    nodes = {node.name: node for node in model.nodes}
    for _ in range(SWEEPS):
        largest = 0.0
        for pair in found:
            first, second = nodes[pair.first], nodes[pair.second]
            scales = pair_scales(first, second, pair.repeat)
            nodes[pair.first] = divided(first, scales)
            nodes[pair.second] = multiplied(second, np.tile(scales, pair.repeat))
            largest = max(largest, float(np.abs(np.log(scales)).max()))
        if largest < SETTLED:
            break
    return replace(model, nodes=tuple(nodes[node.name] for node in model.nodes))


def pairs(model: Model) -> tuple[Pair, ...]:
    """The pairs of a prepared model, in execution order of their first nodes."""
    found = []
    for node in model.nodes:
        after = _only_reader(node, model.nodes) if node.layer.has_weights else None
        while after is not None and after.layer.homogeneous:
            after = _only_reader(after, model.nodes)
        if after is None or not after.layer.has_weights:
            continue
        repeat, rest = divmod(len(after.layer.by_input(after.parameters[0])), len(node.parameters[1]))
        if not rest:
            found.append(Pair(node.name, after.name, repeat))
    return tuple(found)


def pair_scales(first: Node, second: Node, repeat: int) -> np.ndarray:
    """float64 (channels,): what makes the largest weights of each channel equal on both sides; 1 where one is all 0."""
    before = _largest(first.parameters[0])
    behind = _largest(second.layer.by_input(second.parameters[0])).reshape(repeat, -1).max(axis=0)
    both = (before > 0) & (behind > 0)
    return np.where(both, np.sqrt(np.where(both, before, 1.0) / np.where(both, behind, 1.0)), 1.0)


def divided(node: Node, scales: np.ndarray) -> Node:
    """The node with its output channels divided by `scales`."""
    weights, bias = (parameter.astype(np.float64) for parameter in node.parameters)
    return replace(node, parameters=(weights / _column(scales, weights), bias / scales))


def multiplied(node: Node, scales: np.ndarray) -> Node:
    """The node with what it makes of its input channels multiplied by `scales`."""
    weights = node.parameters[0].astype(np.float64)
    channels = node.layer.by_input(weights)
    channels *= _column(scales, channels)
    return replace(node, parameters=(weights, *node.parameters[1:]))


def _largest(channels: np.ndarray) -> np.ndarray:
    """float64: the largest magnitude in each of `channels` (C, ...)."""
    return np.abs(channels.astype(np.float64)).reshape(len(channels), -1).max(axis=1)


def _column(scales: np.ndarray, channels: np.ndarray) -> np.ndarray:
    return scales.reshape(-1, *(1,) * (channels.ndim - 1))


def _only_reader(node: Node, nodes: tuple[Node, ...]) -> Node | None:
    """The one node that reads `node`, if it reads nothing else."""
    readers = [other for other in nodes if node.name in other.inputs]
    return readers[0] if len(readers) == 1 and len(readers[0].inputs) == 1 else None
