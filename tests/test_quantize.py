# SPDX-License-Identifier: MIT
"""From the float model to the integer graph: closeness to float, proofs, edges of weights and biases."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import BINARY, BYTES, IMAGE, READINGS, Example, model_of, samples_of

from qnn.calibration import calibrate
from qnn.evaluation import answers_of
from qnn.fixedpoint import INT32_MAX, INT32_MIN
from qnn.forward import forward
from qnn.graph import VALUE, Graph
from qnn.heads import MAX_OFFSET, unit_decimals
from qnn.layers import Relu, Tanh
from qnn.model import Model, Node
from qnn.normalize import target_values
from qnn.ops.accumulate import channel_bounds
from qnn.ops.dense import Dense
from qnn.ops.op import TensorType
from qnn.quantization import quantize
from qnn.simulator import define, simulate
from qnn.weights import quantize_weights


def compiled(example: Example, seed: int = 0) -> tuple[Model, Graph]:
    model = model_of(example, seed)
    return model, quantize(model, calibrate(model, model.samples, "minmax"), "net")


@pytest.mark.parametrize("example", [BYTES, IMAGE, READINGS, BINARY], ids=lambda e: e.name)
def test_outputs_follow_the_float_model(example: Example) -> None:
    model, graph = compiled(example)
    x = model.samples
    real = forward(model, x)
    kind = graph.type_of(graph.output)
    got = simulate(graph, x)[graph.output] * kind.scale
    spread = np.abs(real).max()
    assert np.abs(got - real).max() < 0.08 * spread
    assert np.sqrt(np.mean((got - real) ** 2)) < 0.02 * spread


def test_values_leave_in_the_targets_unit() -> None:
    model, graph = compiled(READINGS)
    x = model.samples
    real = target_values(model.normalization, forward(model, x))
    values = answers_of(graph, simulate(graph, x))
    assert np.sqrt(np.mean((values - real) ** 2)) < 0.02 * np.abs(real).max()
    kind = graph.node(VALUE).type
    assert kind.dtype == "int32"


def test_relu_disappears_into_the_clamp() -> None:
    _, graph = compiled(BYTES)
    assert [node.op.kind for node in graph.body] == ["dense", "dense", "table", "dense"]
    assert graph.type_of("dense1").zero_point == 0


def test_trailing_relu_clamps_the_output_at_zero() -> None:
    model = model_of(dataclasses.replace(READINGS, net="dense 4 relu, dense 2"))
    relu = Node("relu2", Relu(), (model.nodes[-1].name,), ())
    ended = dataclasses.replace(model, nodes=(*model.nodes, relu))
    graph = quantize(ended, calibrate(ended, ended.samples), "net")
    output = simulate(graph, samples_of(READINGS, 200))[graph.output]
    assert graph.type_of(graph.output).low == 0
    assert output.min() == 0
    assert output.max() > 0


def quantized_dense(weights: np.ndarray, bias: np.ndarray, x: TensorType, y: TensorType) -> Dense:
    found = quantize_weights(weights, bias, x, y)
    return Dense(found.weights, found.bias, found.rounding_shift, found.requantization)


X = TensorType((3,), "uint8", 0, 255, 0.02, 5)
Y = TensorType((2,), "uint8", 0, 255, 0.05, 10)


def test_all_zero_channels_keep_their_bias() -> None:
    op = quantized_dense(np.zeros((2, 3)), np.array([1.3, 0.0]), X, Y)
    (result,) = op.reference((np.array([[0, 100, 255]]),))
    assert result.tolist() == [10 + 26, 10]


def test_a_bias_far_above_its_weights_does_not_need_more_than_int32() -> None:
    op = quantized_dense(np.full((2, 3), 1e-12), np.array([5.0, -5.0]), X, Y)
    assert op.rounding_shift == 0
    assert op.reference((np.array([[0, 100, 255]]),)).tolist() == [[110, 0]]


def test_accumulators_beyond_int32_become_int64() -> None:
    """70,000 inputs at the largest weight leave int32; the result is still the exact rounding of the wide sum."""
    x = TensorType((70_000,), "uint8", 0, 255, 1.0, 0)
    op = quantized_dense(np.ones((1, 70_000)), np.zeros(1), x, TensorType((1,), "int16", -32768, 32767, 1000.0, 0))
    low, high = op.accumulator_bound((x,))
    assert (low, high) == (0, 70_000 * 255 * 127)
    assert op.rounding_shift == 1
    op.check("wide", (x,), TensorType((1,), "int16", -32768, 32767, 1000.0, 0))
    assert op.reference((np.full((1, 70_000), 255),)).tolist() == [[17850]]


@given(st.integers(0, 1 << 30))
def test_bounds_hold_for_every_partial_sum_and_are_reached(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = TensorType((6,), "uint8", *sorted(rng.integers(0, 256, 2).tolist()))
    weights = rng.integers(-127, 128, (3, 6)).astype(np.int8)
    bias = rng.integers(-(1 << 20), 1 << 20, 3)
    low, high = channel_bounds(weights, bias, x)
    wide = weights.astype(np.int64)
    for _ in range(20):
        values = rng.integers(x.low, x.high, 6, endpoint=True)
        partial = bias.copy()
        for i in rng.permutation(6):
            partial = partial + wide[:, i] * values[i]
            assert np.all((low <= partial) & (partial <= high))
    extreme = np.where(wide > 0, x.high, 0)  # the terms that only lower the sum come last
    assert np.array_equal(bias + (np.maximum(wide, 0) * extreme).sum(axis=1), high)


def test_constant_features_have_no_influence() -> None:
    model = model_of(READINGS)
    scale = model.normalization.scale.copy()
    scale[2] = 0.0
    silent = dataclasses.replace(model, normalization=dataclasses.replace(model.normalization, scale=scale))
    graph = quantize(silent, calibrate(silent, silent.samples), "net")
    x = samples_of(READINGS, 30)
    changed = x.copy()
    changed[:, 2] = -x[:, 2]
    assert np.array_equal(simulate(graph, x)[graph.output], simulate(graph, changed)[graph.output])


def test_all_of_int32_is_a_valid_raw_range() -> None:
    model = model_of(READINGS)
    scales = calibrate(model, model.samples)
    whole = dataclasses.replace(scales, input_low=(INT32_MIN,) * 5, input_high=(INT32_MAX,) * 5)
    graph = quantize(model, whole, "net")
    x = np.array([[INT32_MIN, -1, 0, 1, INT32_MAX]], dtype=np.int32)
    assert define(graph, x)["quantized"].tolist() == [[0, 127, 128, 128, 255]]


def test_readings_share_a_scale_where_the_first_layer_needs_one() -> None:
    model = model_of(READINGS)
    scale = model.normalization.scale * np.array([1.0, 3.0, 0.5, 0.0, 1.0])
    offset = np.array([0.0, 100.0, -700.0, 3.0, 50.0])
    skewed = dataclasses.replace(model.normalization, scale=scale, offset=offset)
    dense = dataclasses.replace(model.nodes[0], inputs=("tanh0",))
    nodes = (Node("tanh0", Tanh(), ("input",), ()), dense, *model.nodes[1:])
    first = dataclasses.replace(model, normalization=skewed, nodes=nodes)
    graph = quantize(first, calibrate(first, first.samples, "minmax"), "net")
    assert [node.op.kind for node in graph.body][:2] == ["quantize", "table"]
    kind = graph.type_of("quantized")
    x = first.samples
    real = (x - offset) * scale
    reached = (simulate(graph, x, keep=("quantized",))["quantized"].astype(np.int64) - kind.zero_point) * kind.scale
    assert np.abs(reached - np.clip(real, *(np.array([-1000, 1000])[:, None] - offset) * scale)).max() < kind.scale
    assert np.all(reached[:, 3] == 0)


@pytest.mark.parametrize(
    ("step", "offset", "wanted", "decimals"),
    [(0.01, 25.0, 2, 2), (0.0001, 25.0, 2, 4), (1e-9, 0.0, 2, 6), (5000.0, 0.0, 2, -1), (0.01, 1e12, 3, -4)],
)
def test_units_are_fine_enough_and_fit_int32(step: float, offset: float, wanted: int, decimals: int) -> None:
    found = unit_decimals(step, offset, wanted)
    assert found == decimals
    assert abs(offset) * 10.0**found < MAX_OFFSET


@pytest.mark.parametrize(
    ("offset", "deviation"), [(48.1, 1e-5), (101325.0, 0.01), (1e6, 0.01), (1.7e9, 1e3), (1e7, 0.5), (-5e8, 1e-3)]
)
def test_values_far_from_zero_compile(offset: float, deviation: float) -> None:
    """Latitudes, pressures, time stamps: a large offset beside a small spread."""
    model = model_of(READINGS)
    targets = {"target_offset": np.full(2, offset), "target_scale": np.full(2, deviation)}
    far = dataclasses.replace(model, normalization=dataclasses.replace(model.normalization, **targets))
    graph = quantize(far, calibrate(far, far.samples), "net")
    values = answers_of(graph, simulate(graph, far.samples))
    real = target_values(far.normalization, forward(far, far.samples))
    (step,) = {10.0 ** -int(d) for d in graph.node(VALUE).op.decimals}  # type: ignore[attr-defined]
    assert np.abs(values - real).max() <= step + 0.1 * deviation * np.abs(forward(far, far.samples)).max()
