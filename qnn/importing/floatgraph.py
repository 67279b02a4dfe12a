# SPDX-License-Identifier: MIT
"""A float model in the making."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from qnn.errors import QnnError
from qnn.layers.flatten import Flatten
from qnn.layers.layer import Layer, Shape
from qnn.layers.reshape import Reshape
from qnn.model import INPUT, Node
from qnn.ops.op import MAX_ELEMENTS


@dataclass
class FloatBuilder:
    """Nodes in order; `add` checks that a layer fits its inputs."""

    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def add(self, layer: Layer, inputs: tuple[str, ...], parameters: tuple[np.ndarray, ...] = ()) -> str:
        """The name of a new node. Raises QnnError where the layer or its parameters do not fit."""
        layer.check()
        shapes = tuple(self.shapes[name] for name in inputs)
        shape = layer.output_shape(shapes)
        if math.prod(shape) > MAX_ELEMENTS:
            raise QnnError(layer.kind, f"gives {math.prod(shape):,} values", "use a smaller network")
        stored = tuple(np.ascontiguousarray(array, np.float32) for array in parameters)
        if tuple(array.shape for array in stored) != layer.parameter_shapes(shapes):
            raise QnnError(layer.kind, "has parameters that do not fit its input", "export the model again")
        if not all(np.isfinite(array).all() for array in stored):
            raise QnnError(layer.kind, "has parameters that are not finite", "train the model again")
        name = f"n{len(self.nodes)}_{layer.kind}"[:32]
        self.nodes.append(Node(name, layer, inputs, stored))
        self.shapes[name] = shape
        return name

    def shape(self, name: str) -> Shape:
        """One sample's shape of a node's result."""
        return self.shapes[name]

    def start(self, shape: Shape) -> None:
        """Say what the model reads."""
        self.shapes[INPUT] = shape

    def flat(self, node: str) -> str:
        """The node's result as one row."""
        return self.add(Flatten(), (node,))

    def mapped(self, node: str, height: int, width: int, channels: int) -> str:
        """The node's result as a map."""
        return self.add(Reshape(height, width, channels), (node,))

    def with_bias(self, name: str, extra: np.ndarray) -> bool:
        """Add `extra` to the bias of the layer that gives `name`; False where it has none of that size."""
        index = next((i for i, node in enumerate(self.nodes) if node.name == name), None)
        if index is None or not self.nodes[index].layer.has_weights:
            return False
        weights, bias = self.nodes[index].parameters
        if extra.size not in (1, bias.size):
            return False
        changed = np.broadcast_to(extra.reshape(-1), bias.shape).astype(np.float32) + bias
        self.nodes[index] = replace(self.nodes[index], parameters=(weights, changed))
        return True
