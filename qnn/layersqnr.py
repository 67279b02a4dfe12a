# SPDX-License-Identifier: MIT
"""Where precision is lost: the signal-to-noise ratio of every integer tensor against the float network's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qnn.forward import activations
from qnn.graph import INPUT, Graph
from qnn.model import Model
from qnn.quantization import Lowered, lower_model
from qnn.reference import sqnr_db
from qnn.scales import Scales
from qnn.simulator import simulate
from qnn.widths import Widths

SQNR_COLUMNS = ("tensor", "storage", "SQNR, dB", "change")


def layer_sqnr(lowered: Lowered, x: np.ndarray) -> tuple[tuple[str, float], ...]:
    """dB of each tensor of `lowered` that stands for one of the float model, on raw samples x (N, *shape), N > 0.

    By the integer tensor's name, in execution order; inf where nothing is lost. A layer's noise contains that of the
    layers before it. What changes nothing in the only layer that reads it (a tanh, far from 0) does not count.
    """
    sources = {integer: source for source, integer in lowered.tensors}  # of several the last, behind a clamp
    tensors = simulate(lowered.graph, x, keep=tuple(sources))
    parts = list(activations(lowered.source, x))
    found = []
    for integer, source in sources.items():
        wanted = np.concatenate([values[source] for values in parts]).reshape(len(x), -1)
        kind, q = lowered.graph.type_of(integer), tensors[integer].reshape(len(x), -1).astype(np.float64)
        grid = lowered.grid if source == INPUT else None
        got = kind.scale * (q - kind.zero_point) if grid is None else grid.scale * q + grid.offset
        low, high = _useful(lowered.source, source, kind.dtype)
        found.append((integer, sqnr_db(np.clip(wanted, low, high), np.clip(got, low, high))))
    return tuple(found)


def _useful(model: Model, tensor: str, dtype: str) -> tuple[float, float]:
    """Beyond which values the tensor changes nothing later."""
    readers = [node.layer for node in model.nodes if tensor in node.inputs]
    if len(readers) != 1:
        return float("-inf"), float("inf")
    return readers[0].useful_wide if dtype == "int16" else readers[0].useful


def build_sqnr(
    model: Model, scales: Scales, graph: Graph, widths: Widths, x: np.ndarray
) -> tuple[tuple[str, float], ...]:
    """`layer_sqnr` of a compiled graph that was made from `model` by `scales` with these widths; () without samples."""
    if not len(x):
        return ()
    return layer_sqnr(replace(lower_model(model, scales, graph.name, (), widths), graph=graph), x)


def sqnr_document(found: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """The ratios as JSON; null where nothing is lost."""
    return [{"tensor": name, "sqnr_db": None if math.isinf(ratio) else ratio} for name, ratio in found]


def sqnr_rows(graph: Graph, found: Sequence[tuple[str, float]]) -> list[tuple[str, str, str, str]]:
    """The ratios as text, in the order of SQNR_COLUMNS: a tensor, its storage, its ratio, what it loses on the way."""
    rows, before = [], math.inf
    for name, ratio in found:
        lost = "" if math.isinf(before) or math.isinf(ratio) else f"{ratio - before:+.1f}"
        rows.append((name, graph.type_of(name).dtype, "exact" if math.isinf(ratio) else f"{ratio:.1f}", lost))
        before = ratio
    return rows
