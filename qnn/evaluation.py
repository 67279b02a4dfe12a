# SPDX-License-Identifier: MIT
"""How good an integer graph is on labelled samples, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.errors import QnnError
from qnn.graph import CLASS, VALUE, Graph
from qnn.metrics import Score, score_of
from qnn.ops.rescale import Rescale
from qnn.progress import Progress, silent
from qnn.simulator import simulate


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The score, the answers and how many outputs stood at an end of their range.

    answers: int64 (N,) classes, or float64 (N, T) values in the targets' unit.
    """

    score: Score
    answers: np.ndarray
    saturated: int


def evaluate(graph: Graph, x: np.ndarray, y: np.ndarray | None, progress: Progress = silent) -> Evaluation:
    """The Evaluation of raw samples x (N, *shape) with labels y, as Dataset.y. Raises QnnError without labels."""
    if y is None:
        raise QnnError("data", "has no labels to compare with", "use data with labels")
    if not len(x):
        raise QnnError("data", "there are no samples in this part", "use --part all")
    tensors = simulate(graph, x, progress=progress)
    answers = answers_of(graph, tensors)
    output, kind = tensors[graph.output], graph.type_of(graph.output)
    # A clamp at zero (a trailing relu) is meant, and so are probabilities of 0; only the ends of int16 are saturation.
    ends = (output == kind.high) | (output == -kind.high - 1)
    saturated = int(np.count_nonzero(ends)) if kind.dtype == "int16" else 0
    return Evaluation(score_of(graph.schema, answers, y), answers, saturated)


def answers_of(graph: Graph, tensors: dict[str, np.ndarray]) -> np.ndarray:
    """int64 (N,) classes, or float64 (N, T) values in the targets' unit, from the simulator's tensors."""
    if graph.schema.task == "classification":
        return tensors[CLASS][:, 0].astype(np.int64)
    if all(node.name != VALUE for node in graph.heads):  # an imported model: its output's own meaning
        kind = graph.type_of(graph.output)
        return (tensors[graph.output].reshape(len(tensors[graph.output]), -1) - float(kind.zero_point)) * kind.scale
    op = graph.node(VALUE).op
    if not isinstance(op, Rescale):
        raise TypeError("the value head is a rescale")
    return tensors[VALUE] / 10.0 ** op.decimals.astype(np.float64)
