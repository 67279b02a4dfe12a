# SPDX-License-Identifier: MIT
"""RV32 instructions of one inference, without a compiler: how often each part of a kernel runs, by what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qnn.graph import Graph
from qnn.instructions.fields import Called
from qnn.instructions.forms import ONCE, Part, parts_of
from qnn.instructions.table import REFERENCE, RUN, Table, groups_of, tables
from qnn.ops.dual import GROUP

NODE = "node"


@dataclass(frozen=True)
class Forecast:
    """Instructions of NAME_run, predicted: as the mean of inputs like the calibration samples, some of whose zeros are
    skipped, and where none is; None where the table does not know a kernel. compiler: whose code it is."""

    compiler: str
    usual: int | None
    most: int | None

    def document(self) -> dict[str, int | str | None]:
        """As JSON."""
        return {"predicted": self.most, "predicted_usual": self.usual, "compiler": self.compiler}


@dataclass(frozen=True)
class Predicted:
    """Instructions of NAME_run: of each node of the body, of all; None where the table does not know a kernel."""

    compiler: str
    nodes: tuple[int | None, ...]
    total: int | None


def predicted(graph: Graph, zeros: Mapping[str, float] | None = None, table: Table | None = None) -> Predicted:
    """What one inference takes. zeros: of each tensor, how many of its aligned groups of four values are zero, which
    some kernels skip; None: none is skipped, which no input exceeds but by what clamps and the like take.

    table: of the compiler, REFERENCE where none is given.
    """
    table, zeros = table or tables()[REFERENCE], zeros or {}
    kernels = graph.kernels[: len(graph.body)]
    found = []
    for node, kernel, group in zip(graph.body, kernels, groups_of(kernels), strict=True):
        parts = parts_of(Called(kernel, node.type.elements, zeros.get(node.inputs[0], 0.0)))
        found.append(None if parts is None else table.instructions(group, parts))
    rest = table.instructions(RUN, (Part(ONCE, 1), Part(NODE, len(found))))
    every = [*found, rest]
    known = [count for count in every if count is not None]
    total = round(sum(known)) if len(known) == len(every) else None
    return Predicted(table.compiler, tuple(None if count is None else round(count) for count in found), total)


def forecast(graph: Graph, table: Table | None = None) -> Forecast:
    """What an inference of `graph` takes."""
    most = predicted(graph, None, table)
    return Forecast(most.compiler, predicted(graph, usual_zeros(graph), table).total, most.total)


def usual_zeros(graph: Graph) -> dict[str, float]:
    """The groups of zeros of each tensor as they were counted on the calibration samples: the mean of an inference."""
    names = {name for node in graph.body for name in node.inputs}
    return {name: graph.type_of(name).zero_groups * -(-graph.type_of(name).elements // GROUP) for name in names}


def zeros_of(tensors: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The same for one sample, whose tensors are (1, *shape)."""
    return {name: float(np.sum(~_groups(values).any(axis=1))) for name, values in tensors.items()}


def _groups(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(-1)
    return np.asarray(np.pad(flat, (0, -flat.size % GROUP)).reshape(-1, GROUP))
