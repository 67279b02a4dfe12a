# SPDX-License-Identifier: MIT
"""Statistics of batch norms, measured anew for weights that no batch has seen.

While training they follow changed images and weights of the moment. What is evaluated and kept are averaged weights on
images as they are: for those the statistics are measured on training rows (as stochastic weight averaging does,
Izmailov et al. 2018). On MNIST this is worth 0.1 points.
"""

from __future__ import annotations

import numpy as np

from qnn.evenly import evenly
from qnn.model import INPUT, Node
from qnn.training.batches import Batches
from qnn.training.engine import statistics_of

MOST_ROWS = 4096


def measure_statistics(nodes: tuple[Node, ...], batches: Batches, rows: np.ndarray, size: int) -> None:
    """Write the statistics of `rows`, read in batches of `size` without changes, into the nodes' parameters.

    At most MOST_ROWS evenly spaced rows are used. Each batch is normalized by its own statistics.
    """
    targets = statistics_of(nodes)
    if not targets:
        return
    rows = some_of(rows, MOST_ROWS)
    totals = [np.zeros(target.shape) for target in targets]
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        inputs, _ = batches.read(part, None)
        for total, found in zip(totals, _statistics(nodes, inputs), strict=True):
            total += found * (len(part) / len(rows))
    for target, total in zip(targets, totals, strict=True):
        target[...] = total


def some_of(rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the rows, evenly spaced."""
    return rows[evenly(len(rows), count)]


def _statistics(nodes: tuple[Node, ...], x: np.ndarray) -> list[np.ndarray]:
    """The statistics of one batch, in the order of `statistics_of`."""
    values: dict[str, np.ndarray] = {INPUT: x}
    found: list[np.ndarray] = []
    for node in nodes:
        inputs, parameters = tuple(values[name] for name in node.inputs), node.parameters
        if node.layer.statistics:
            measured = node.layer.measured(inputs)
            found += measured
            parameters = (*parameters[: -len(measured)], *measured)
        values[node.name], _ = node.layer.forward(inputs, parameters, None)
    return found
