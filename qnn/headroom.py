# SPDX-License-Identifier: MIT
"""Which layers can spare a bit of their weights for a kernel that multiplies two at once (SPEC 4.6)."""

from __future__ import annotations

import numpy as np

from qnn.errors import QnnError
from qnn.forward import forward
from qnn.model import Model, Node
from qnn.prepare import prepare
from qnn.quantization import quantize
from qnn.scales import Scales
from qnn.simulator import simulate
from qnn.widths import EIGHT, Widths

AUTO, WEIGHTS, OFF = "auto", "weights", "off"
CHOICES = (AUTO, WEIGHTS, OFF)
MAX_SAMPLES = 256
MOST_ERROR = 1.1  # times the output's squared error without any headroom: what all of it may come to
CLASSIFIER_NOISE = 1e-3  # part of the logits' variance (30 dB below) that may always be error: it moves no class
LEAST_WEIGHTS = 256  # below that a layer has nothing to gain


def layers_with_headroom(model: Model, scales: Scales, choice: str, widths: Widths = EIGHT) -> tuple[str, ...]:
    """Names of the layers whose weights shall lie within 128 steps.

    "weights": all that have a kernel for it. "off": none. "auto": largest layer first, those whose headroom keeps the
    squared error of the model's output on its stored samples within MOST_ERROR times what it is without any, or, in
    a classifier, within CLASSIFIER_NOISE of the logits' variance.
    Raises QnnError for another choice.
    """
    if choice not in CHOICES:
        raise QnnError(f"--reduce-range {choice}", "is not a choice", f"use one of {', '.join(CHOICES)}")
    nodes = _pairing(model, scales, widths)
    nodes.sort(key=lambda node: -node.parameters[0].size)
    if choice != AUTO:
        return tuple(node.name for node in nodes) if choice == WEIGHTS else ()
    x = model.samples[:MAX_SAMPLES]
    if not len(x):
        return tuple(node.name for node in nodes)
    real = forward(model, x)
    allowed = MOST_ERROR * _error(model, scales, (), widths, x, real)
    if model.schema.task == "classification":
        allowed = max(allowed, CLASSIFIER_NOISE * float(np.var(real)))
    chosen: tuple[str, ...] = ()
    for node in nodes:
        if node.parameters[0].size < LEAST_WEIGHTS:
            continue
        if _error(model, scales, (*chosen, node.name), widths, x, real) <= allowed:
            chosen += (node.name,)
    return chosen


def _pairing(model: Model, scales: Scales, widths: Widths) -> list[Node]:
    """The nodes that have a kernel for weights with headroom: those of 8 bits, with inputs of 8 bits."""
    graph = quantize(model, scales, "trial", (), widths)
    return [
        node
        for node in prepare(model).nodes
        if node.layer.pairs_weights
        and widths.of(node.name).weights == 8
        and not widths.of(node.name).steps
        and graph.types_of(graph.node(node.name))[0].dtype == "uint8"
    ]


def _error(
    model: Model, scales: Scales, headroom: tuple[str, ...], widths: Widths, x: np.ndarray, real: np.ndarray
) -> float:
    """The mean squared difference between the integer network's output and the float model's."""
    graph = quantize(model, scales, "trial", headroom, widths)
    kind = graph.type_of(graph.output)
    output = simulate(graph, x, keep=(graph.output,))[graph.output] * kind.scale
    return float(np.mean(np.square(output.reshape(len(x), -1) - real.reshape(len(x), -1))))
