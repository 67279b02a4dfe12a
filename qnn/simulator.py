# SPDX-License-Identifier: MIT
"""The integer simulator: the living definition of what the generated C computes (SPEC 2)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from qnn.errors import QnnError
from qnn.graph import INPUT, Graph
from qnn.ops.window import Window
from qnn.progress import Progress, silent

MAX_BATCH = 1024
BATCH_BYTES = 256 << 20  # of tensors that are alive at once


def simulate(
    graph: Graph, x: np.ndarray, keep: Collection[str] | None = None, progress: Progress = silent
) -> dict[str, np.ndarray]:
    """The tensors of a batch of raw samples x (N, *shape), by name, each (N, *its shape) in its own dtype.

    keep: the names wanted (see `tensor_names`); None for the output (graph.output: int16 logits or normalized values)
    and the heads: of classes "class", int32 (N, 1), and "probabilities", uint16 (N, classes), where 32768 is 1; of a
    regression "value", int32 (N, targets) in the decimal unit that graph.node("value").op.decimals names.
    Raises QnnError if x does not fit the graph or a name is unknown.
    """
    _check_samples(graph, x)
    names = (graph.output, *(node.name for node in graph.heads)) if keep is None else tuple(keep)
    for name in names:
        if name not in tensor_names(graph):
            raise QnnError(name, "is not a tensor of the graph", f"name one of {', '.join(tensor_names(graph))}")
    types = {name: graph.type_of(name) for name in names}
    parts = {name: [np.zeros((0, *kind.shape), kind.dtype)] for name, kind in types.items()}
    batch = batch_size(graph, names)
    for start in range(0, len(x), batch):
        tensors = _run(graph, x[start : start + batch], names, fast=True)
        for name, chunks in parts.items():
            chunks.append(tensors[name].astype(types[name].dtype))
        progress(min(start + batch, len(x)), len(x))
    return {name: np.concatenate(chunks) for name, chunks in parts.items()}


def define(graph: Graph, x: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor of a batch of raw samples x, int64, by the plain definition of each operator."""
    _check_samples(graph, x)
    return _run(graph, x, tensor_names(graph), fast=False)


def batch_size(graph: Graph, keep: Collection[str]) -> int:
    """How many samples at once take about BATCH_BYTES, where the tensors in `keep` are not freed."""
    alive, freed = graph.input.elements, _freed(graph, keep)
    largest = alive
    for node, gone in zip(graph.nodes, freed, strict=True):
        window = getattr(node.op, "window", None)
        columns = window.pixels * window.taps * window.channels if isinstance(window, Window) else 0
        alive += node.type.elements
        largest = max(largest, alive + columns)
        alive -= sum(graph.type_of(name).elements for name in gone)
    return max(1, min(MAX_BATCH, BATCH_BYTES // (np.dtype(np.int64).itemsize * largest)))


def tensor_names(graph: Graph) -> tuple[str, ...]:
    """INPUT and every node's name, in execution order."""
    return (INPUT, *(node.name for node in graph.nodes))


def _run(graph: Graph, x: np.ndarray, keep: Collection[str], fast: bool) -> dict[str, np.ndarray]:
    """The tensors in `keep`; the others are freed after their last reader."""
    tensors = {INPUT: x.astype(np.int64)}
    for node, gone in zip(graph.nodes, _freed(graph, keep), strict=True):
        inputs = tuple(tensors[name] for name in node.inputs)
        tensors[node.name] = node.op.evaluate(inputs) if fast else node.op.reference(inputs)
        for name in gone:
            del tensors[name]
    return tensors


def _freed(graph: Graph, keep: Collection[str]) -> list[tuple[str, ...]]:
    """For each node, which tensors nothing needs after it: of its inputs and its own."""
    last = {name: index for index, node in enumerate(graph.nodes) for name in (*node.inputs, node.name)}
    return [
        tuple(name for name in {*node.inputs, node.name} if last[name] == index and name not in keep)
        for index, node in enumerate(graph.nodes)
    ]


def _check_samples(graph: Graph, x: np.ndarray) -> None:
    if x.shape[1:] != graph.input.shape:
        raise QnnError(
            "samples", f"have the shape {x.shape[1:]}, the network takes {graph.input.shape}", "reshape them"
        )
    if x.dtype != graph.input.dtype:
        raise QnnError("samples", f"have the type {x.dtype}, the network takes {graph.input.dtype}", "convert them")


def extremes(graph: Graph) -> np.ndarray:
    """Two raw samples, at the largest and the smallest value of the input's type."""
    kind = np.iinfo(graph.input.dtype)
    return np.stack([np.full(graph.input.shape, value, graph.input.dtype) for value in (kind.max, kind.min)])
