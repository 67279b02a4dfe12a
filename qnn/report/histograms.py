# SPDX-License-Identifier: MIT
"""How weights and activations are spread, and where they are clipped, for a report's JSON: bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qnn.evenly import evenly
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
from qnn.simulator import simulate
from qnn.widths import WEIGHT_BITS, Widths

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


def integer_spread(graph: Graph, x: np.ndarray) -> Spread:
    """The Spread of a graph that was quantized elsewhere, on raw samples x (N, *shape): there are integers only."""
    weights = []
    for node in graph.body:
        if isinstance(node.op, (Dense, Convolution)):
            weights.append(_weights_histogram(node.name, node.op.weights.astype(np.float64), _limits(node.op.weights)))
    names = tuple(node.name for node in graph.body[:MOST_TENSORS])
    tensors = simulate(graph, _evenly(x), keep=names) if len(x) else {}
    kinds = [(name, graph.type_of(name)) for name in names if name in tensors]
    reals = [_reals_histogram(name, (tensors[name] - kind.zero_point) * kind.scale, kind) for name, kind in kinds]
    return Spread(tuple(weights[:MOST_TENSORS]), tuple(reals))


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
        found.append(_weights_histogram(node.name, real / steps[:, None], weight_limits(widths.of(node.name).weights)))
    return tuple(found)


def _limits(weights: np.ndarray) -> tuple[int, int]:
    """Those of the fewest bits that the integer weights fit; of their type where they use all of it."""
    ends, whole = (int(weights.min()), int(weights.max())), np.iinfo(weights.dtype)
    found = (weight_limits(bits) for bits in WEIGHT_BITS if bits <= 8 * weights.itemsize)
    return next((limits for limits in found if limits[0] <= ends[0] and ends[1] <= limits[1]), (whole.min, whole.max))


def _weights_histogram(name: str, steps: np.ndarray, limits: tuple[int, int]) -> Histogram:
    """Of weights in steps, and the lowest and highest integer that there is."""
    low, high = limits
    return histogram(name, steps, (float(low), float(high)), high - low + 1, 0.5)


def weight_steps(constants: Requantization, rounding_shift: int, x: TensorType, y: TensorType) -> np.ndarray:
    """float64 (O,): the weight step of every output channel, by what follows the sums: x's step * it = factor * y's."""
    powers = constants.prescale.astype(np.float64) - constants.shift.astype(np.float64) - rounding_shift - 32
    return np.asarray(constants.multiplier * 2.0**powers * (y.scale / x.scale))


def _activations(lowered: Lowered, graph: Graph, samples: np.ndarray) -> tuple[Histogram, ...]:
    if not len(samples):
        return ()
    parts = list(activations(lowered.source, _evenly(samples)))
    sources = {integer: source for source, integer in lowered.tensors if source != INPUT or lowered.grid is None}
    found = []
    for integer, source in list(sources.items())[:MOST_TENSORS]:
        values = np.concatenate([part[source] for part in parts])
        found.append(_reals_histogram(integer, values, graph.type_of(integer)))
    return tuple(found)


def _reals_histogram(name: str, values: np.ndarray, kind: TensorType) -> Histogram:
    """Of activations that become, or are, integers of that type."""
    low, high = ((end - kind.zero_point) * kind.scale for end in (kind.low, kind.high))
    return histogram(name, values, (low, high), kind.high - kind.low + 1, kind.scale / 2)


def _evenly(samples: np.ndarray) -> np.ndarray:
    """SAMPLES of the samples (N, *shape), N > 0, or all of fewer."""
    return samples[evenly(len(samples), SAMPLES)]


def _short(value: float) -> float:
    """As a number of six digits: a picture shows no more."""
    return float(f"{value:.6g}")
