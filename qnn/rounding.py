# SPDX-License-Identifier: MIT
"""Rounding of narrow weights that looks at what they multiply, and biases that make good for the rest (SPEC 4.13).

Layer by layer, on the activations that the integer network has there: weights are rounded one input after the other,
and each rounding error is passed on to the inputs that follow so that the layer's squared error stays small. That is
GPTQ (Frantar et al. 2022, arXiv 2210.17323) in the form of LDLQ (Chee et al. 2023, arXiv 2307.13304), which needs no
inverse.
Then each bias takes the mean difference to the float network (Nagel et al. 2019, arXiv 1906.04721, section 4.2).
GPTQ's sums are exact; means of float activations are rounded to float32, so that the order of summation shows only
where one lies on the edge between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from qnn.equalization import prepared
from qnn.errors import QnnError
from qnn.forward import activations, forward
from qnn.lowering import Grid
from qnn.model import Model, Node
from qnn.ops.conv2d import Conv2d
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.op import Op, TensorType
from qnn.precision import CLIPPINGS, MSE, NARROW_BELOW, UNCLIPPED, Precision, weight_limits
from qnn.quantization import Lowered, lower_model, quantize
from qnn.reference import sqnr_db
from qnn.scales import Scales
from qnn.simulator import simulate
from qnn.weights import channel_scales
from qnn.widths import Widths

NEAREST, GPTQ = "nearest", "gptq"
CHOICES = (GPTQ, NEAREST)
MAX_INPUTS = 2048  # of a layer: the work grows with their cube
MAX_ROWS = 1 << 15  # windows of the samples that are looked at
MAX_SAMPLES = 512
DAMPING = 0.01  # of the mean square of the inputs, added to each, so that rare ones do not decide


@dataclass(frozen=True)
class Rounding:
    """How weights of less than 8 bits are rounded, one of CHOICES, and whether their biases are corrected.

    clipping: of the largest, one of precision.CLIPPINGS.
    """

    weights: str = GPTQ
    biases: bool = True
    clipping: str = MSE


BEST, PLAIN = Rounding(), Rounding(NEAREST, False)


@dataclass(frozen=True, eq=False)
class Rounded:
    """A model whose weights, where they are rounded, lie on the steps of `widths`, which say how others are clipped: so
    quantizing it by `scales` gives just these."""

    model: Model
    scales: Scales
    widths: Widths


def rounded(model: Model, scales: Scales, widths: Widths, how: Rounding, samples: np.ndarray | None = None) -> Rounded:
    """The model with its narrow weights rounded on raw samples (N, *shape); as it is where there are none of both.

    samples: at most MAX_SAMPLES, evenly spaced, are taken; None: those that the model carries. Steps that were learned
    stay; how.clipping takes the place of the widths'. Raises QnnError for an unknown choice.
    """
    _check_choice("--rounding", how.weights, CHOICES)
    _check_choice("--clipping", how.clipping, CLIPPINGS)
    widths = replace(widths, clipping=how.clipping)
    base = prepared(model, scales.equalized)
    names = tuple(node.name for node in base.nodes if node.layer.has_weights and _is_narrow(widths, node.name))
    x = _evenly(model.samples if samples is None else samples)
    if not names or not len(x) or (how.weights == NEAREST and not how.biases):
        return Rounded(model, scales, widths)
    means = _means(base, x, names)
    found = Rounded(base, replace(scales, equalized=False), widths)
    for name in names:
        found = _layer(found, name, x, how, means[names.index(name)])
    return found


def _check_choice(option: str, word: str, choices: Sequence[str]) -> None:
    if word not in choices:
        raise QnnError(f"{option} {word[:80]}", "is not a choice", f"use one of {', '.join(choices)}")


def _evenly(samples: np.ndarray) -> np.ndarray:
    """MAX_SAMPLES of the samples, or all of fewer."""
    return samples[np.unique(np.linspace(0, max(len(samples) - 1, 0), min(len(samples), MAX_SAMPLES)).astype(np.int64))]


def rounding_effect(
    model: Model, scales: Scales, widths: Widths, samples: np.ndarray | None = None, clipping: str = MSE
) -> tuple[tuple[str, float], ...]:
    """What each step brings: its name and the output's ratio of signal to noise in dB, on `samples` as of `rounded`.

    Without clipping there is one step less. () where nothing is rounded so.
    """
    narrow = any(node.layer.has_weights and _is_narrow(widths, node.name) for node in prepared(model, False).nodes)
    x = _evenly(model.samples if samples is None else samples)
    if not narrow or not len(x):
        return ()
    real = forward(model, x)
    found = []
    for name, how in _steps(clipping):
        step = rounded(model, scales, widths, how, x)
        graph = quantize(step.model, step.scales, "rounded", (), step.widths)
        output = simulate(graph, x, keep=(graph.output,))[graph.output].reshape(real.shape)
        found.append((name, sqnr_db(real, output * graph.type_of(graph.output).scale)))
    return tuple(found)


def _steps(clipping: str) -> tuple[tuple[str, Rounding], ...]:
    """From the simplest rounding to the best, each with one thing more."""
    before = () if clipping == UNCLIPPED else (("nearest unclipped", replace(PLAIN, clipping=UNCLIPPED)),)
    after = (("nearest", PLAIN), ("gptq", Rounding(GPTQ, False)), ("gptq and biases", BEST))
    return (*before, *((name, replace(how, clipping=clipping)) for name, how in after))


def _is_narrow(widths: Widths, name: str) -> bool:
    width = widths.of(name)
    return width.weights < NARROW_BELOW and not width.steps


def _means(model: Model, x: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
    """(O,) each: the mean of every channel that the layers give, over samples and pixels, as float32 values."""
    parts = [[values[name].reshape(-1, values[name].shape[-1]) for name in names] for values in activations(model, x)]
    return [
        np.concatenate(found).mean(axis=0).astype(np.float32).astype(np.float64) for found in zip(*parts, strict=True)
    ]


def _layer(found: Rounded, name: str, x: np.ndarray, how: Rounding, mean: np.ndarray) -> Rounded:
    """`found` with the weights of one layer rounded, whose float outputs have that mean."""
    lowered = lower_model(found.model, found.scales, "rounded", (), found.widths)
    node = next(node for node in found.model.nodes if node.name == name)
    graph, grid = lowered.graph, _grid(lowered, name)
    integer = graph.node(name)
    (kind, *_), width = graph.types_of(integer), found.widths.of(name)
    precision = Precision(width.weights, clipping=found.widths.clipping)
    weights, bias = (parameter.astype(np.float64) for parameter in node.parameters)
    columns = np.ones(()) if grid is None else grid.scale
    shift = np.zeros(len(bias)) if grid is None else (weights * grid.offset).sum(axis=1)
    steps = channel_scales(weights * columns, bias + shift, kind, integer.type, precision)
    scaled = (weights * columns).reshape(len(weights), -1) / steps[:, None]
    inputs = _inputs(integer.op, simulate(graph, x, keep=integer.inputs)[integer.inputs[0]], kind)
    limits = weight_limits(width.weights)
    whole = np.clip(np.floor(scaled + 0.5), *limits)
    if how.weights == GPTQ and inputs is not None and inputs.shape[1] <= MAX_INPUTS:
        whole = ldlq(scaled, moments(inputs), limits)
    if how.biases and inputs is not None:
        products = kind.scale * steps * (whole * inputs.mean(axis=0)).sum(axis=1)
        bias = mean - products - shift
    shares = np.divide(1.0, columns, out=np.zeros_like(columns), where=columns != 0)
    real = (whole * steps[:, None]).reshape(weights.shape) * shares
    return _with(found, replace(node, parameters=(real, bias)), tuple(steps.tolist()))


def _with(found: Rounded, node: Node, steps: tuple[float, ...]) -> Rounded:
    """`found` with another node, whose weights have these steps."""
    widths, name = found.widths, node.name
    nodes = tuple(node if other.name == name else other for other in found.model.nodes)
    others = tuple((layer, width) for layer, width in widths.layers if layer != name)
    layers = (*others, (name, replace(widths.of(name), steps=steps)))
    return Rounded(replace(found.model, nodes=nodes), found.scales, replace(widths, layers=layers))


def _grid(lowered: Lowered, name: str) -> Grid | None:
    reads = lowered.graph.quantized_input in lowered.graph.node(name).inputs
    return lowered.grid if reads else None


def _inputs(op: Op, x: np.ndarray, kind: TensorType) -> np.ndarray | None:
    """int64 (rows, K): what the weights of an output multiply, above the zero point; None where channels differ."""
    if isinstance(op, DepthwiseConv2d):
        return None
    if isinstance(op, Conv2d):
        columns = op.window.columns(x, kind.zero_point)  # (N, R, C, channels, KH, KW)
        rows = columns.transpose(0, 1, 2, 4, 5, 3).reshape(-1, op.window.taps * op.window.channels)
    else:
        rows = x.reshape(len(x), -1)
    step = -(-len(rows) // MAX_ROWS)
    return rows[::step].astype(np.int64) - kind.zero_point


def moments(inputs: np.ndarray) -> np.ndarray:
    """float64 (K, K): the sums of products of integer inputs (rows, K), which are exact, damped."""
    values = inputs.astype(np.float64)
    found = values.T @ values  # integers below 2^53, in any order of summation
    found[np.diag_indices(len(found))] += max(DAMPING * float(np.trace(found)) / len(found), 1.0)
    return found


def ldlq(weights: np.ndarray, moments: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
    """Integers (O, K) within `limits` for weights (O, K) in steps: (w - q) moments (w - q)^T is small for every row.

    With moments = sum over j of d_j u_j u_j^T, u_j = 1 at j and 0 behind it, a row's error is the sum of
    d_j ((w - q) u_j)^2; each q_j in turn makes the term j as small as the earlier ones allow. Inputs of large squares
    come first.
    """
    order = np.argsort(-np.diag(moments), kind="stable")
    upper = unit_upper(moments[np.ix_(order, order)])
    sorted_weights, errors = weights[:, order], np.zeros_like(weights)
    found = np.zeros_like(weights)
    for j in range(weights.shape[1]):
        wanted = sorted_weights[:, j] + (errors[:, :j] * upper[:j, j]).sum(axis=1)
        found[:, j] = np.clip(np.floor(wanted + 0.5), *limits)
        errors[:, j] = sorted_weights[:, j] - found[:, j]
    return found[:, np.argsort(order, kind="stable")]


def unit_upper(matrix: np.ndarray) -> np.ndarray:
    """U of the symmetric positive definite matrix (K, K) = U D U^T: upper triangular, with ones on the diagonal."""
    rest, upper = matrix.copy(), np.eye(len(matrix))
    for j in range(len(matrix) - 1, 0, -1):
        column = rest[:j, j] / rest[j, j]
        upper[:j, j] = column
        rest[:j, :j] -= np.multiply.outer(column, rest[:j, j])
    return upper
