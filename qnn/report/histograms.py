# SPDX-License-Identifier: MIT
"""How weights and activations are spread, and where they are clipped, for a report's JSON: bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.forward import activations
from qnn.graph import INPUT, Graph
from qnn.model import Model
from qnn.ops.convolution import Convolution
from qnn.ops.dense import Dense
from qnn.ops.op import TensorType
from qnn.precision import weight_limits
from qnn.quantization import Lowered, lower_model
from qnn.scales import Scales
from qnn.widths import Widths

BINS = 48
MOST_TENSORS = 24  # of each kind
SAMPLES = 128  # evenly spaced ones of those that the model carries


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each of BINS equal parts of low..high.

    clip: what the integers reach; `outside` values lie beyond and become its ends. zeros: values that are exactly 0,
    which no width changes, are not in `counts`. levels: how many steps there are.
    """

    name: str
    low: float
    high: float
    counts: tuple[int, ...]
    clip: tuple[float, float]
    levels: int
    outside: int
    zeros: int
    total: int

    def document(self) -> dict[str, Any]:
        """The fields as JSON."""
        return {**vars(self), "counts": list(self.counts), "clip": list(self.clip)}


@dataclass(frozen=True)
class Spread:
    """weights: of each layer, the float weights in steps of their channel. activations: of each tensor, its reals."""

    weights: tuple[Histogram, ...] = ()
    activations: tuple[Histogram, ...] = ()

    def document(self) -> dict[str, Any]:
        """The fields as JSON."""
        return {name: [one.document() for one in found] for name, found in vars(self).items()}


def spread(model: Model, scales: Scales, graph: Graph, widths: Widths) -> Spread:
    """The Spread of a compiled graph that was made from `model` by `scales` with these widths, on the samples that the
    model carries."""
    lowered = lower_model(model, scales, graph.name, (), widths)
    return Spread(_weights(lowered, graph, widths), _activations(lowered, graph, model.samples))


def histogram(name: str, values: np.ndarray, clip: tuple[float, float], levels: int, slack: float) -> Histogram:
    """The Histogram of float64 `values`, over their range and what they are clipped to.

    slack: how far beyond the clip a value is still rounded to its ends, half a step.
    """
    flat = values.reshape(-1)
    some = flat[flat != 0]
    low = min(float(some.min()) if len(some) else 0.0, clip[0])
    high = max(float(some.max()) if len(some) else 0.0, clip[1])
    high = high if high > low else low + 1.0
    counts, _ = np.histogram(some, BINS, (low, high))
    outside = int(np.count_nonzero((some < clip[0] - slack) | (some > clip[1] + slack)))
    edges = (_short(low), _short(high), tuple(counts.tolist()), (_short(clip[0]), _short(clip[1])))
    return Histogram(name, *edges, levels, outside, len(flat) - len(some), len(flat))


def _weights(lowered: Lowered, graph: Graph, widths: Widths) -> tuple[Histogram, ...]:
    found = []
    for node in [node for node in lowered.source.nodes if node.layer.has_weights][:MOST_TENSORS]:
        integer = graph.node(node.name)
        if not isinstance(integer.op, (Dense, Convolution)):
            raise TypeError("a layer with weights is a dense or a convolution")
        constants, shift = integer.op.requantization, integer.op.rounding_shift
        steps = weight_steps(constants, shift, graph.types_of(integer)[0], integer.type)
        reads = lowered.graph.quantized_input in lowered.graph.node(node.name).inputs
        columns = lowered.grid.scale if reads and lowered.grid is not None else 1.0
        real = (node.parameters[0].astype(np.float64) * columns).reshape(len(node.parameters[1]), -1)
        low, high = weight_limits(widths.of(node.name).weights)
        levels = high - low + 1
        found.append(histogram(node.name, real / steps[:, None], (float(low), float(high)), levels, 0.5))
    return tuple(found)


def weight_steps(constants: Requantization, rounding_shift: int, x: TensorType, y: TensorType) -> np.ndarray:
    """float64 (O,): the weight step of every output channel, by what follows the sums: x's step * it = factor * y's."""
    powers = constants.prescale.astype(np.float64) - constants.shift.astype(np.float64) - rounding_shift - 32
    return np.asarray(constants.multiplier * 2.0**powers * (y.scale / x.scale))


def _activations(lowered: Lowered, graph: Graph, samples: np.ndarray) -> tuple[Histogram, ...]:
    if not len(samples):
        return ()
    rows = np.unique(np.linspace(0, len(samples) - 1, min(len(samples), SAMPLES)).round().astype(np.int64))
    parts = list(activations(lowered.source, samples[rows]))
    sources = {integer: source for source, integer in lowered.tensors if source != INPUT or lowered.grid is None}
    found = []
    for integer, source in list(sources.items())[:MOST_TENSORS]:
        kind = graph.type_of(integer)
        clip = tuple((end - kind.zero_point) * kind.scale for end in (kind.low, kind.high))
        values = np.concatenate([part[source] for part in parts])
        found.append(histogram(integer, values, (clip[0], clip[1]), kind.high - kind.low + 1, kind.scale / 2))
    return tuple(found)


def _short(value: float) -> float:
    """As a number of six digits: a picture shows no more."""
    return float(f"{value:.6g}")
