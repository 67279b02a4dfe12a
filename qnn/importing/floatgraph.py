# SPDX-License-Identifier: MIT
"""A float model in the making, from a file whose tensors may have their channels first: (N, C, H, W).

Samples are kept as this tool has them, (H, W, C) or flat, and each tensor remembers how the file stores it, so that
transposes vanish and the weights behind a flattened map are put in this tool's order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from qnn.errors import QnnError
from qnn.layers.flatten import Flatten
from qnn.layers.layer import Layer, Shape
from qnn.layers.reshape import Reshape
from qnn.model import INPUT, Node

CHANNELS_FIRST, SEQUENCE_FIRST = (2, 0, 1), (2, 1)


@dataclass(frozen=True, eq=False)
class Stored:
    """A tensor: the node that gives it, one sample's shape here, and how the file stores that sample.

    stored: the file's shape, without the batch. axes: of a map (H, W, C), which of its axes each stored axis is; one of
    size 1 may be missing; () of flat tensors. order: int64, the index here of each value in the file's order, of flat
    tensors; None where they agree.
    """

    node: str
    shape: Shape
    stored: Shape
    axes: tuple[int, ...] = ()
    order: np.ndarray | None = None


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


def flat_order(tensor: Stored) -> np.ndarray | None:
    """The index here of each value of a tensor in the file's order; None where they agree."""
    if not tensor.axes:
        return tensor.order
    missing = tuple(axis for axis in range(len(tensor.shape)) if axis not in tensor.axes)
    places = np.arange(math.prod(tensor.shape), dtype=np.int64).reshape(tensor.shape)
    order = places.transpose(*tensor.axes, *missing).reshape(-1)
    return None if np.array_equal(order, np.arange(len(order))) else order


def flattened(builder: FloatBuilder, tensor: Stored) -> Stored:
    """The tensor as one row of values."""
    if len(tensor.shape) == 1:
        return replace(tensor, stored=tensor.shape)
    node = builder.add(Flatten(), (tensor.node,))
    shape = builder.shape(node)
    return Stored(node, shape, shape, (), flat_order(tensor))


def reshaped(builder: FloatBuilder, tensor: Stored, stored: Shape) -> Stored | None:
    """The tensor with the file's shape `stored`, where that is possible without moving values; else None."""
    if math.prod(stored) != math.prod(tensor.shape):
        return None
    bare = [size for size in stored if size != 1]
    if tensor.axes and bare == [size for size in tensor.stored if size != 1] and len(stored) == 3:
        return None if len(tensor.stored) == 3 and stored != tensor.stored else _as_map(builder, tensor, stored)
    flat = flattened(builder, tensor)
    if len(bare) <= 1 and len(stored) != 3:
        return replace(flat, stored=stored)
    if len(stored) == 1 or len(bare) <= 1:
        return replace(flat, stored=stored)
    if len(stored) not in (2, 3) or flat.order is not None:
        return None
    channels, pixels = stored[0], math.prod(stored[1:])
    if channels != 1 and pixels != 1:
        return None
    return _as_map(builder, flat, stored)


def _as_map(builder: FloatBuilder, tensor: Stored, stored: Shape) -> Stored:
    height, width = (1, stored[1]) if len(stored) == 2 else stored[1:]
    node = builder.add(Reshape(height, width, stored[0]), (tensor.node,))
    axes = SEQUENCE_FIRST if len(stored) == 2 else CHANNELS_FIRST
    return Stored(node, builder.shape(node), stored, axes)


def as_map(builder: FloatBuilder, tensor: Stored) -> Stored | None:
    """The tensor as a map whose channels the file stores first; None where it is none."""
    if tensor.axes and tensor.axes[0] == 2 and list(tensor.axes[1:]) == sorted(tensor.axes[1:]):
        return tensor
    single = not tensor.axes and tensor.order is None and len(tensor.stored) in (2, 3)
    if single and (tensor.stored[0] == 1 or math.prod(tensor.stored[1:]) == 1):
        return _as_map(builder, tensor, tensor.stored)
    return None
