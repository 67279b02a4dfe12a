# SPDX-License-Identifier: MIT
"""Where precision is lost: the signal-to-noise ratio of every integer tensor against the float network's."""

from __future__ import annotations

import numpy as np

from qnn.forward import activations
from qnn.graph import INPUT
from qnn.model import Model
from qnn.prepare import prepare
from qnn.quantization import Lowered
from qnn.reference import sqnr_db
from qnn.simulator import simulate


def layer_sqnr(model: Model, lowered: Lowered, x: np.ndarray) -> tuple[tuple[str, float], ...]:
    """dB of each tensor of `lowered` that stands for one of `model`, on raw samples x (N, *shape), at least one.

    By the integer tensor's name, in execution order; inf where nothing is lost. A layer's noise contains that of the
    layers before it. What changes nothing in the only layer that reads it (a tanh, far from 0) does not count.
    """
    prepared = prepare(model)
    sources = {integer: source for source, integer in lowered.tensors}  # of several the last, behind a clamp
    tensors = simulate(lowered.graph, x, keep=tuple(sources))
    parts = list(activations(prepared, x))
    found = []
    for integer, source in sources.items():
        wanted = np.concatenate([values[source] for values in parts]).reshape(len(x), -1)
        kind, q = lowered.graph.type_of(integer), tensors[integer].reshape(len(x), -1).astype(np.float64)
        grid = lowered.grid if source == INPUT else None
        got = kind.scale * (q - kind.zero_point) if grid is None else grid.scale * q + grid.offset
        low, high = _useful(prepared, source, kind.dtype)
        found.append((integer, sqnr_db(np.clip(wanted, low, high), np.clip(got, low, high))))
    return tuple(found)


def _useful(model: Model, tensor: str, dtype: str) -> tuple[float, float]:
    """Beyond which values the tensor changes nothing later."""
    readers = [node.layer for node in model.nodes if tensor in node.inputs]
    if len(readers) != 1:
        return float("-inf"), float("inf")
    return readers[0].useful_wide if dtype == "int16" else readers[0].useful
