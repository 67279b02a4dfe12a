# SPDX-License-Identifier: MIT
"""How often the groups of inputs that kernels could skip are zero, measured on the calibration samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.check import check
from qnn.graph import INPUT, Graph
from qnn.ops.dual import GROUP
from qnn.simulator import simulate

MAX_SAMPLES = 512


def with_zero_groups(graph: Graph, samples: np.ndarray) -> Graph:
    """`graph` with each uint8 tensor's zero_groups as on raw samples (N, *shape), rounded to percents."""
    if not len(samples):
        return graph
    names = [name for name in (INPUT, *(node.name for node in graph.body)) if graph.type_of(name).dtype == "uint8"]
    tensors = simulate(graph, samples[:MAX_SAMPLES], keep=names)
    parts = {name: zero_groups(values) for name, values in tensors.items()}
    nodes = tuple(
        replace(node, type=replace(node.type, zero_groups=parts[node.name])) if node.name in parts else node
        for node in graph.nodes
    )
    raw = replace(graph.input, zero_groups=parts.get(INPUT, 0.0))
    return check(replace(graph, input=raw, nodes=nodes))


def zero_groups(values: np.ndarray) -> float:
    """The part of the aligned groups of GROUP values of each sample of (N, ...) that are all 0, in percents."""
    flat = values.reshape(len(values), -1)
    whole = np.pad(flat, ((0, 0), (0, -flat.shape[1] % GROUP))).reshape(len(flat), -1, GROUP)
    return round(float(np.mean(~whole.any(axis=2))), 2)
