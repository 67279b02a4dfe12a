# SPDX-License-Identifier: MIT
"""Running a float model: raw integers in, outputs or every node's values out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import DTypeLike

from qnn.errors import QnnError
from qnn.layers.layer import Shape
from qnn.model import INPUT, Model, Node
from qnn.normalize import normalize

BATCH = 1024
MAX_VALUES = 1 << 25  # of all tensors of a batch: bounds the memory


def node_shapes(nodes: tuple[Node, ...], shape: Shape) -> dict[str, Shape]:
    """One sample's shape after every node and of INPUT, which has `shape`.

    Raises QnnError naming the node whose inputs do not exist earlier or do not fit its layer.
    """
    shapes = {INPUT: shape}
    for node in nodes:
        if node.name in shapes or not node.inputs or any(name not in shapes for name in node.inputs):
            raise QnnError(
                node.name, "takes no earlier node's output, or its name occurs twice", "train the model again"
            )
        shapes[node.name] = node.layer.output_shape(tuple(shapes[name] for name in node.inputs))
    return shapes


def forward(model: Model, x: np.ndarray, dtype: DTypeLike = np.float64) -> np.ndarray:
    """The outputs (N, outputs) in `dtype` for raw integers x (N, *shape): logits, or normalized targets."""
    last = model.nodes[-1].name
    parts = [values[last] for values in activations(model, x, dtype)]
    return np.concatenate(parts) if parts else np.zeros((0, *output_shape(model)), dtype)


def output_shape(model: Model) -> Shape:
    """One sample's output shape."""
    return node_shapes(model.nodes, model.schema.shape)[model.nodes[-1].name]


def activations(
    model: Model, x: np.ndarray, dtype: DTypeLike = np.float64, batch: int = BATCH
) -> Iterator[Mapping[str, np.ndarray]]:
    """Batch by batch, in order: each node's output (n, *shape) by the node's name, and INPUT's normalized values.

    Batches have `batch` samples, or fewer where a sample's tensors are large.
    """
    values_each = sum(math.prod(shape) for shape in node_shapes(model.nodes, model.schema.shape).values())
    batch = max(1, min(batch, MAX_VALUES // values_each))
    parameters = [tuple(array.astype(dtype) for array in node.parameters) for node in model.nodes]
    for start in range(0, len(x), batch):
        values = {INPUT: normalize(model.normalization, x[start : start + batch], dtype)}
        for node, arrays in zip(model.nodes, parameters, strict=True):
            inputs = tuple(values[name] for name in node.inputs)
            values[node.name], _ = node.layer.forward(inputs, arrays, None)
        yield values
