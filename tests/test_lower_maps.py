# SPDX-License-Identifier: MIT
"""Networks over maps become integer graphs that compute what the float model computes, to within rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Example, model_of, samples_of

from qnn.calibration import calibrate
from qnn.errors import QnnError
from qnn.forward import forward
from qnn.graph import Graph
from qnn.layers.conv2d import Conv2d
from qnn.lowering import Lowering
from qnn.model import Model
from qnn.ops.conv2d import Conv2d as Conv2dOp
from qnn.ops.op import TensorType
from qnn.quantization import quantize
from qnn.simulator import define, simulate

SHAPE, CLASSES = (10, 8, 1), 10
NETS = (
    "conv 3x3 4 bn relu, maxpool 2, conv 3x2 8 bn relu, dense",
    "conv 3x3 8 same bn relu, residual(conv 3x3 16 stride 2 bn relu, conv 3x3 16 bn) relu, gap, dense",
    "residual(depthwise 3x3 bn relu6, conv 1x1 1 bn), dense",
    "concat(linear; conv 1x1 4 relu; maxpool 3 stride 1), conv 3x3 5 relu, gap, dense",
    "maxpool 2, flatten, concat(dense 5 relu; linear; dense 3 tanh), dense",
    "conv 3x3 4 relu, concat(flatten; avgpool 2, flatten), dropout 0.1, dense",
    "bn, conv 3x3 4 relu, bn, maxpool 2 same, tanh, avgpool 2 same, dense 6 bn relu, dense",
    "depthwise 3x3 mult 3 stride 2 same bn clamp -1 1, conv 1x1 10, gap",
    "conv 3x3 10 stride 3, avgpool 3x2, flatten",
    "conv 3x3 10 relu, maxpool 3, conv 1x1 10, maxpool 2, flatten",
    "pad 1 0 1 2, conv 2x2 5 leaky_relu, flatten, relu6, reshape 5x100, conv1d 3 4 stride 2 same bn relu, gap, dense",
    "reshape 80x1, conv1d 5 6 stride 3 pad 1 4 relu, maxpool 2, conv1d 3 8 relu, avgpool 2, dense 12 relu, dense",
    "reshape 40x2, residual(conv1d 3 4 bn relu, conv1d 1 2 bn), pad 0 0 1 1, maxpool 2 stride 1, dense",
    "residual(residual(conv 3x3 1 relu), conv 3x3 1) relu, gap, dense",
    "conv 10x8 10, flatten",
    "relu6, dense 5 relu6, dense",
)


def quantized(net: str, seed: int = 0, dtype: str = "uint8") -> tuple[Model, Graph, np.ndarray]:
    """A network with random weights and batch norms, calibrated on the samples that come with it."""
    shape = SHAPE if dtype == "uint8" else (80,)
    model = model_of(Example("net", net, shape, dtype, CLASSES), seed)
    rng = np.random.default_rng(seed)
    nodes = tuple(
        replace(node, parameters=tuple(p * rng.uniform(0.5, 1.5, p.shape).astype(np.float32) for p in node.parameters))
        for node in model.nodes
    )
    model = replace(model, nodes=nodes)
    x = samples_of(Example("net", net, shape, dtype, CLASSES), 64, seed + 1)
    if dtype == "int32":
        x = np.clip(x, -1000, 1000)
    return model, quantize(model, calibrate(model, x, "minmax"), "net"), x


def error_of(model: Model, graph: Graph, x: np.ndarray) -> float:
    """The largest difference from the float model, in parts of the spread of its outputs."""
    expected = forward(model, x)
    kind = graph.type_of(graph.output)
    found = (simulate(graph, x)[graph.output].reshape(expected.shape) - kind.zero_point) * kind.scale
    return float(np.abs(found - expected).max() / np.ptp(expected))


@pytest.mark.parametrize("net", NETS)
def test_integers_follow_the_float_model(net: str) -> None:
    model, graph, x = quantized(net)
    assert error_of(model, graph, x) < 0.06
    for name, values in simulate(graph, x).items():
        np.testing.assert_array_equal(values, define(graph, x)[name])


@pytest.mark.parametrize(
    "net",
    ["reshape 10x8x1, conv 3x3 4 bn relu, maxpool 2, dense", "conv1d 5 4 relu, gap, dense", "bn, dense 8 relu, dense"],
)
def test_readings_may_enter_maps(net: str) -> None:
    model, graph, x = quantized(net, dtype="int32")
    assert error_of(model, graph, x) < 0.06


@pytest.mark.parametrize("net", ["reshape 40x2, conv1d 5 4 relu, gap, dense", "reshape 10x8x1, tanh, avgpool 2, dense"])
def test_bytes_with_a_scale_per_feature_may_enter_maps(net: str) -> None:
    rng = np.random.default_rng(5)
    example = Example("net", net, (80,), "uint8", CLASSES)
    scale = rng.uniform(0.002, 0.01, 80)
    scale[7] = 0.0
    normalization = replace(model_of(example).normalization, offset=rng.uniform(0, 255, 80), scale=scale)
    model = replace(model_of(example), normalization=normalization)
    x = samples_of(example, 64)
    graph = quantize(model, calibrate(model, x, "minmax"), "net")
    assert graph.body[0].op.kind == "depthwise_conv2d"
    assert graph.quantized_input == "quantized"
    assert error_of(model, graph, x) < 0.06


def test_batch_norms_vanish_into_convolutions() -> None:
    _, graph, _ = quantized(NETS[0])
    assert [node.op.kind for node in graph.body] == ["conv2d", "max_pool", "conv2d", "dense"]


def test_clamps_vanish_into_operators() -> None:
    _, graph, _ = quantized("conv 3x3 4 relu, depthwise 3x3 relu6, avgpool 2 clamp 0 0.1, dense")
    assert [node.op.kind for node in graph.body] == ["conv2d", "depthwise_conv2d", "average_pool", "dense"]
    assert [node.type.low == node.type.zero_point for node in graph.body[:3]] == [True] * 3


@pytest.mark.parametrize(
    ("net", "kinds"),
    [
        (
            "concat(conv 3x3 2 relu; conv 1x1 3; conv 1x1 1 tanh), gap, dense",
            "conv2d conv2d conv2d table concat concat",
        ),
        (
            "concat(conv 1x1 2, maxpool 2, pad 1; conv 1x1 3 stride 2, pad 1), dense",
            "conv2d max_pool pad conv2d pad concat",
        ),
        ("concat(conv 1x1 2; conv 1x1 2), maxpool 2, sigmoid, dense", "conv2d conv2d concat max_pool table"),
        ("conv 1x1 2 relu, concat(linear; conv 1x1 2), gap, dense", "conv2d conv2d table concat"),
    ],
)
def test_what_is_joined_has_one_type_from_the_start(net: str, kinds: str) -> None:
    """Tables bring to the type of a concatenation only what something else reads as well."""
    model, graph, x = quantized(net)
    assert [node.op.kind for node in graph.body][: len(kinds.split())] == kinds.split()
    assert error_of(model, graph, x) < 0.06


@pytest.mark.parametrize(
    "net", ["conv 1x1 2, maxpool 2, tanh, dense", "concat(conv 1x1 2; conv 1x1 1), pad 1, tanh, dense"]
)
def test_what_changes_nothing_later_takes_no_steps(net: str) -> None:
    """tanh is flat beyond -4 and 4, also where pools, pads and concatenations lie between."""
    model = model_of(Example("net", net, SHAPE, "uint8", CLASSES))
    nodes = tuple(replace(node, parameters=tuple(100 * p for p in node.parameters)) for node in model.nodes)
    model = replace(model, nodes=nodes)
    graph = quantize(model, calibrate(model, model.samples, "minmax"), "net")
    assert graph.body[0].type.scale == np.float32(8 / 255)


def test_a_sum_that_does_not_fit_32_bits_has_64() -> None:
    layer, channels = Conv2d(1, 64, 64), 24
    x = TensorType((64, 64, channels), "uint8", 0, 255, 0.01, 0)
    y = TensorType((1, 1, 1), "uint8", 0, 255, 1.0, 0)
    weights = np.ones((1, 64, 64, channels), np.float32)
    parameters, shapes = (weights, np.zeros(1, np.float32)), ((64, 64, channels),)
    (node,) = layer.lower(Lowering("conv2d7", ("input",), (x,), parameters, y, None, shapes))
    assert isinstance(node.op, Conv2dOp)
    assert node.op.rounding_shift == 1
    node.op.check("conv2d7", (x,), y)


PARTS = st.sampled_from(
    [
        "conv 3x3 3",
        "conv 2x1 5 stride 2 same",
        "conv 1x1 2",
        "bn relu",
        "relu6",
        "tanh",
        "clamp -0.5 2",
        "maxpool 2",
        "maxpool 3 stride 2 same",
        "avgpool 2 same",
        "depthwise 2 mult 2 bn",
        "pad 1",
        "residual(conv 3x3 2 bn relu, conv 3x3 3)",
        "residual(avgpool 3 stride 1)",
        "concat(linear; conv 1x1 2 relu)",
        "concat(maxpool 2; conv 2x2 2 stride 2; avgpool 2)",
        "dropout 0.1",
        "flatten",
        "dense 6 relu",
        "reshape 10x8x1",
        "conv1d 3 2 same",
    ]
)


@settings(max_examples=60)
@given(st.lists(PARTS, max_size=6), st.sampled_from(["dense", "flatten, dense", "gap", "conv 1x1 10, gap"]))
def test_any_network_compiles_or_says_why(parts: list[str], end: str) -> None:
    """What the language can say becomes a graph whose definition and simulation agree, or is refused."""
    try:
        model, graph, x = quantized(", ".join([*parts, end]))
    except QnnError:
        return
    output = graph.output
    np.testing.assert_array_equal(simulate(graph, x[:8])[output], define(graph, x[:8])[output])
    assert np.isfinite(error_of(model, graph, x))
