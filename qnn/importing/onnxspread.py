# SPDX-License-Identifier: MIT
"""Scales of the tensors between quantized operators: clamps become theirs, values that only move keep their scale."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

from qnn.importing.onnxfile import OnnxNode
from qnn.importing.onnxscales import Quantized

CLAMPED = ("Conv", "Gemm", "MatMul", "Add", "Sub", "Mul", "AveragePool", "GlobalAveragePool", "BatchNormalization")
KEEPING = ("MaxPool", "Relu", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout", "Pad")
JOINING = (*KEEPING, "Concat")  # what gives a scale to its inputs


def _bounds(found: Quantized, node: OnnxNode) -> tuple[float, float] | None:
    """The reals that a Relu or a Clip lets through; None of other nodes, or where bounds are computed."""
    if node.kind == "Relu":
        return 0.0, math.inf
    names = [name for name in node.inputs[1:3] if name]
    if node.kind != "Clip" or any(name not in found.model.constants and name not in found.weights for name in names):
        return None
    ends = [-math.inf, math.inf]
    for at, name in enumerate(node.inputs[1:3]):
        if name in found.weights:
            ends[at] = float(found.weights[name].reals.reshape(-1)[0])
        elif name:
            ends[at] = float(found.model.constants[name].reshape(-1)[0])
    return ends[0], ends[1]


def fold_clamps(found: Quantized) -> None:
    """Let the operator before a Relu or Clip clamp, where what is between them has no scale and no other reader."""
    readers = Counter(name for node in found.nodes for name in node.inputs)
    readers.update(found.resolved(name) for name in found.model.outputs)
    kept: dict[str, int] = {}
    nodes: list[OnnxNode] = []
    for node in found.nodes:
        bounds = _bounds(found, node)
        before = node.inputs[0] if node.inputs else ""
        if bounds is None or before in found.meanings or readers[before] != 1 or before not in kept:
            if node.kind in CLAMPED and node.outputs:
                kept[node.outputs[0]] = len(nodes)
            nodes.append(node)
            continue
        index, output = kept[before], node.outputs[0]
        nodes[index] = replace(nodes[index], outputs=(output,))
        low, high = found.clamps.get(before, (-math.inf, math.inf))
        found.clamps[output] = (min(max(low, bounds[0]), bounds[1]), max(min(high, bounds[1]), bounds[0]))
        kept[output] = index
        found.folded(node, "the operator before it clamps")
    found.nodes = nodes


def spread(found: Quantized) -> None:
    """Give the scale of a tensor to those that hold the same values: through what moves values and computes none."""
    readers = Counter(name for node in found.nodes for name in node.inputs)
    for node in reversed(found.nodes):
        meaning = found.meanings.get(node.outputs[0] if node.outputs else "")
        if meaning is None or node.kind not in JOINING:
            continue
        for name in node.inputs if node.kind == "Concat" else node.inputs[:1]:
            if readers[name] == 1 and name not in found.weights and name not in found.model.constants:
                found.meanings.setdefault(name, meaning)
    for node in found.nodes:
        meaning = found.meanings.get(node.inputs[0] if node.inputs else "")
        if meaning is not None and node.kind in KEEPING:
            found.meanings.setdefault(node.outputs[0], meaning)
