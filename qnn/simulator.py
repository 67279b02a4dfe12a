# SPDX-License-Identifier: MIT
"""The integer simulator: the living definition of what the generated C computes (SPEC 2)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from qnn.errors import QnnError
from qnn.graph import INPUT, Graph
from qnn.progress import Progress, silent

BATCH = 1024


def simulate(
    graph: Graph, x: np.ndarray, keep: Collection[str] | None = None, progress: Progress = silent
) -> dict[str, np.ndarray]:
    """The tensors of a batch of raw samples x (N, *shape), by name, each (N, *its shape) in its own dtype.

    keep: the names wanted (see `tensor_names`); None for the output and the heads.
    Raises QnnError if x does not fit the graph or a name is unknown.
    """
    _check_samples(graph, x)
    names = (graph.output, *(node.name for node in graph.heads)) if keep is None else tuple(keep)
    for name in names:
        if name not in tensor_names(graph):
            raise QnnError(name, "is not a tensor of the graph", f"name one of {', '.join(tensor_names(graph))}")
    types = {name: graph.type_of(name) for name in names}
    parts = {name: [np.zeros((0, *kind.shape), kind.dtype)] for name, kind in types.items()}
    for start in range(0, len(x), BATCH):
        tensors = _run(graph, x[start : start + BATCH], fast=True)
        for name, chunks in parts.items():
            chunks.append(tensors[name].astype(types[name].dtype))
        progress(min(start + BATCH, len(x)), len(x))
    return {name: np.concatenate(chunks) for name, chunks in parts.items()}


def define(graph: Graph, x: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor of a batch of raw samples x, int64, by the plain definition of each operator."""
    _check_samples(graph, x)
    return _run(graph, x, fast=False)


def tensor_names(graph: Graph) -> tuple[str, ...]:
    """INPUT and every node's name, in execution order."""
    return (INPUT, *(node.name for node in graph.nodes))


def _run(graph: Graph, x: np.ndarray, fast: bool) -> dict[str, np.ndarray]:
    tensors = {INPUT: x.astype(np.int64)}
    for node in graph.nodes:
        inputs = tuple(tensors[name] for name in node.inputs)
        tensors[node.name] = node.op.evaluate(inputs) if fast else node.op.reference(inputs)
    return tensors


def _check_samples(graph: Graph, x: np.ndarray) -> None:
    if x.shape[1:] != graph.input.shape:
        raise QnnError(
            "samples", f"have the shape {x.shape[1:]}, the network takes {graph.input.shape}", "reshape them"
        )
    if x.dtype != graph.input.dtype:
        raise QnnError("samples", f"have the type {x.dtype}, the network takes {graph.input.dtype}", "convert them")
