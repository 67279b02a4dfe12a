# SPDX-License-Identifier: MIT
"""Forward and backward through a graph of nodes whose parameters are views of one flat vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from qnn.model import INPUT, Node


def flat_parameters(nodes: tuple[Node, ...]) -> np.ndarray:
    """All parameters, one after the other, as a new float32 vector."""
    arrays = [array.ravel() for node in nodes for array in node.parameters]
    return np.concatenate(arrays) if arrays else np.zeros(0, np.float32)


def bind(nodes: tuple[Node, ...], vector: np.ndarray) -> tuple[Node, ...]:
    """The nodes with parameters that are views of `vector`, in the order of `flat_parameters`."""
    bound, start = [], 0
    for node in nodes:
        views = []
        for array in node.parameters:
            views.append(vector[start : start + array.size].reshape(array.shape))
            start += array.size
        bound.append(replace(node, parameters=tuple(views)))
    return tuple(bound)


def run_forward(
    nodes: tuple[Node, ...], x: np.ndarray, rng: np.random.Generator | None
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """The last node's output for inputs x, and what each node saved for backward; `rng` is None outside training."""
    values: dict[str, np.ndarray] = {INPUT: x}
    saved = []
    for node in nodes:
        inputs = tuple(values[name] for name in node.inputs)
        values[node.name], kept = node.layer.forward(inputs, node.parameters, rng)
        saved.append(kept)
    return values[nodes[-1].name], tuple(saved)


def run_backward(
    nodes: tuple[Node, ...], saved: tuple[Any, ...], gradient: np.ndarray, gradients: tuple[Node, ...]
) -> None:
    """Write the gradient by every parameter into the parameters of `gradients` (the nodes bound to another vector).

    The place of a statistic gets that of the batch.
    `gradient` is that by the last node's output. Layers that nothing trainable feeds are not asked for theirs.
    """
    trained = trained_nodes(nodes)
    flowing: dict[str, np.ndarray] = {nodes[-1].name: gradient}
    for node, kept, target in zip(reversed(nodes), reversed(saved), reversed(gradients), strict=True):
        if node.name not in flowing:
            for index, place in enumerate(target.parameters):
                place[...] = node.parameters[index] if is_statistic(node, index) else 0.0
            continue
        wanted = any(trained.get(name, False) for name in node.inputs)
        by_inputs, by_parameters = node.layer.backward(flowing.pop(node.name), kept, node.parameters, wanted)
        for place, value in zip(target.parameters, by_parameters, strict=True):
            place[...] = value
        if wanted:
            for name, value in zip(node.inputs, by_inputs, strict=True):
                if trained.get(name, False):
                    flowing[name] = flowing[name] + value if name in flowing else value


def is_statistic(node: Node, index: int) -> bool:
    """Does the parameter follow the batches' values instead of a gradient?"""
    return index >= len(node.parameters) - node.layer.statistics


def statistics_of(nodes: tuple[Node, ...]) -> tuple[np.ndarray, ...]:
    """The arrays of all parameters that are statistics."""
    return tuple(array for node in nodes for index, array in enumerate(node.parameters) if is_statistic(node, index))


def trained_nodes(nodes: tuple[Node, ...]) -> Mapping[str, bool]:
    """For each node, whether it or anything that feeds it has parameters."""
    trained: dict[str, bool] = {}
    for node in nodes:
        trained[node.name] = bool(node.parameters) or any(trained.get(name, False) for name in node.inputs)
    return trained
