# SPDX-License-Identifier: MIT
"""Layers over maps: gradients against finite differences, values against plain loops, shapes, memory, bounds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from test_layers import EXAMPLES as PLAIN
from test_layers import differences

from qnn.errors import QnnError
from qnn.layers import LAYERS
from qnn.layers.add import Add
from qnn.layers.average_pool import AveragePool, GlobalAveragePool
from qnn.layers.batch_norm import EPSILON, BatchNorm
from qnn.layers.clamp import Clamp, Relu6
from qnn.layers.concat import Concat
from qnn.layers.conv1d import Conv1d
from qnn.layers.conv2d import Conv2d
from qnn.layers.depthwise_conv2d import DepthwiseConv2d
from qnn.layers.layer import Layer, Shape
from qnn.layers.maps import MAX_COLUMNS, innermost, outermost
from qnn.layers.max_pool import MaxPool
from qnn.layers.mul import Mul
from qnn.layers.pad import Pad
from qnn.layers.reshape import Reshape
from qnn.layers.window import Sliding

EXAMPLES: tuple[tuple[Layer, tuple[Shape, ...]], ...] = (
    (Conv2d(4, 3, 3), ((5, 6, 3),)),
    (Conv2d(2, 5, 5, 2, 2), ((8, 8, 1),)),
    (Conv2d(3, 3, 2, 1, 2, "same"), ((5, 4, 2),)),
    (Conv2d(3, 1, 1), ((4, 3, 5),)),
    (Conv2d(2, 1, 1, 2, 3), ((5, 7, 2),)),
    (Conv2d(2, 2, 2, 5, 4), ((9, 7, 2),)),
    (Conv2d(2, 3, 4, 2, 1, "2 0 1 3"), ((4, 5, 2),)),
    (Conv2d(1, 4, 4), ((4, 4, 3),)),
    (Conv2d(2, 3, 3, 1, 1, "same"), ((1, 1, 1),)),
    (DepthwiseConv2d(3, 3), ((5, 5, 4),)),
    (DepthwiseConv2d(3, 2, 2, 2, 1, "same"), ((5, 4, 3),)),
    (DepthwiseConv2d(2, 3, 3, 1, 1, "1 0 2 1"), ((3, 3, 1),)),
    (Conv1d(3, 3), ((7, 2),)),
    (Conv1d(2, 5, 2, "same"), ((8,),)),
    (Conv1d(2, 4, 3, "1 2"), ((6, 3),)),
    (BatchNorm(), ((4, 3, 2),)),
    (BatchNorm(), ((5, 2),)),
    (BatchNorm(), ((6,),)),
    (MaxPool(2, 2, 2, 2), ((5, 4, 3),)),
    (MaxPool(3, 2, 1, 2, "same"), ((4, 5, 2),)),
    (MaxPool(1, 3, 1, 2), ((8, 2),)),
    (AveragePool(2, 2, 2, 2), ((4, 5, 3),)),
    (AveragePool(3, 3, 2, 1, "same"), ((4, 3, 2),)),
    (AveragePool(1, 2, 1, 2, "0 0 1 0"), ((5, 2),)),
    (GlobalAveragePool(), ((3, 4, 2),)),
    (GlobalAveragePool(), ((5, 3),)),
    (Add(), ((3, 2, 2), (3, 2, 2))),
    (Mul(), ((3, 2, 2), (3, 2, 2))),
    (Mul(), ((3, 2, 4), (1, 1, 4))),
    (Mul(), ((3, 2), (2,))),
    (Concat(), ((3, 2, 2), (3, 2, 1))),
    (Concat(), ((4, 2), (4, 3))),
    (Concat(), ((4,), (3,))),
    (Pad(1, 0, 2, 1), ((3, 2, 2),)),
    (Pad(0, 0, 1, 2), ((4, 2),)),
    (Reshape(2, 3, 2), ((12,),)),
    (Reshape(0, 4, 3), ((2, 2, 3),)),
    (Relu6(), ((3, 2, 2),)),
    (Clamp(-0.5, 0.75), ((7,),)),
)
IDS = [f"{layer.kind}-{index}" for index, (layer, _) in enumerate(EXAMPLES)]


def spread(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Values of which no two are so close that a step of a finite difference changes their order, none near a bound."""
    count = int(np.prod(shape))
    return (rng.permutation(np.linspace(-2.03, 2.11, count)) + 1e-4).reshape(shape)


def scattered(x: np.ndarray) -> np.ndarray:
    """The same values with samples innermost in memory, as convolutions give them."""
    return np.ascontiguousarray(np.moveaxis(x, 0, -1)).transpose(x.ndim - 1, *range(x.ndim - 1))


def test_every_layer_is_differentiated() -> None:
    assert {type(layer) for layer, _ in (*EXAMPLES, *PLAIN)} == set(LAYERS)
    assert len({layer.kind for layer in LAYERS}) == len(LAYERS)


@pytest.mark.parametrize(("layer", "shapes"), EXAMPLES, ids=IDS)
def test_gradients(layer: Layer, shapes: tuple[Shape, ...], rng: np.random.Generator) -> None:
    layer.check()
    xs = tuple(spread(rng, (3, *shape)) for shape in shapes)
    parameters = tuple(p + 0.1 * rng.normal(size=p.shape) for p in layer.initialize(shapes, rng, "he"))
    trained = parameters[: len(parameters) - layer.statistics]
    weights = rng.normal(size=(3, *layer.output_shape(shapes)))
    for training in (True, False):

        def value(training: bool = training) -> float:
            generator = np.random.default_rng(5) if training else None
            return float((layer.forward(xs, parameters, generator)[0] * weights).sum())

        output, saved = layer.forward(xs, parameters, np.random.default_rng(5) if training else None)
        assert output.shape == weights.shape
        for gradient in (weights, scattered(weights)):
            by_inputs, by_parameters = layer.backward(gradient, saved, parameters)
            for x, by_x in zip(xs, by_inputs, strict=True):
                np.testing.assert_allclose(by_x, differences(value, x), rtol=2e-6, atol=1e-7)
            for p, by_p in zip(trained, by_parameters, strict=False):
                np.testing.assert_allclose(by_p, differences(value, p), rtol=2e-6, atol=1e-7)
            assert [p.shape for p in parameters] == [by_p.shape for by_p in by_parameters]


@pytest.mark.parametrize(("layer", "shapes"), EXAMPLES, ids=IDS)
def test_memory_order_dtype_and_inputs(layer: Layer, shapes: tuple[Shape, ...], rng: np.random.Generator) -> None:
    """float32 stays float32, inputs stay as they are, and how they lie in memory changes nothing but the last bits."""
    xs = tuple(rng.normal(size=(5, *shape)).astype(np.float32) for shape in shapes)
    before = tuple(x.copy() for x in xs)
    parameters = layer.initialize(shapes, rng, "xavier")
    assert tuple(p.shape for p in parameters) == layer.parameter_shapes(shapes)
    for generator in (None, rng):
        output, saved = layer.forward(xs, parameters, generator)
        again, _ = layer.forward(tuple(scattered(x) for x in xs), parameters, generator)
        np.testing.assert_allclose(again, output, rtol=1e-4, atol=1e-5)
        by_inputs, by_parameters = layer.backward(np.ones_like(output), saved, parameters)
        assert {a.dtype for a in (output, *by_inputs, *by_parameters, *parameters)} == {np.dtype(np.float32)}
        assert [by.shape for by in by_inputs] == [x.shape for x in xs]
    for x, kept in zip(xs, before, strict=True):
        np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize(("layer", "shapes"), EXAMPLES, ids=IDS)
def test_parameter_gradients_alone(layer: Layer, shapes: tuple[Shape, ...], rng: np.random.Generator) -> None:
    xs = tuple(rng.normal(size=(4, *shape)) for shape in shapes)
    parameters = layer.initialize(shapes, rng, "he")
    output, saved = layer.forward(xs, parameters, rng)
    gradient = rng.normal(size=output.shape)
    by_inputs, alone = layer.backward(gradient, saved, parameters, inputs_wanted=False)
    assert by_inputs == () or not parameters
    for one, other in zip(alone, layer.backward(gradient, saved, parameters)[1], strict=True):
        np.testing.assert_array_equal(one, other)


def plain_window(x: np.ndarray, layer: Layer, row: int, column: int) -> np.ndarray:
    """The positions (n, channels) of one window of a sample (H, W, C) that lie inside the map, NaN outside."""
    window = layer.window(x.shape)
    values = []
    for i, j in itertools.product(range(window.kernel_height), range(window.kernel_width)):
        r, c = row * window.stride_height - window.pad_top + i, column * window.stride_width - window.pad_left + j
        inside = 0 <= r < window.height and 0 <= c < window.width
        values.append(x[r, c] if inside else np.full(x.shape[2], np.nan))
    return np.array(values)


SLIDING = [(layer, shapes[0]) for layer, shapes in EXAMPLES if hasattr(layer, "window") and len(shapes[0]) == 3]


@pytest.mark.parametrize(("layer", "shape"), SLIDING)
def test_values_of_windows(layer: Layer, shape: Shape, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, *shape))
    parameters = tuple(p + rng.normal(size=p.shape) for p in layer.initialize((shape,), rng, "he"))
    output, _ = layer.forward((x,), parameters, None)
    for n, row, column in np.ndindex(output.shape[:3]):
        seen = plain_window(x[n], layer, row, column)
        if isinstance(layer, Conv2d):
            weights = parameters[0].reshape(layer.filters, -1, shape[2])
            expected = (np.nan_to_num(seen) * weights).sum(axis=(1, 2)) + parameters[1]
        elif isinstance(layer, DepthwiseConv2d):
            weights = parameters[0].reshape(len(parameters[0]), -1)
            spread_out = np.repeat(np.nan_to_num(seen), layer.multiplier, axis=1)
            expected = (spread_out * weights.T).sum(axis=0) + parameters[1]
        else:
            expected = np.nanmax(seen, axis=0) if isinstance(layer, MaxPool) else np.nanmean(seen, axis=0)
        np.testing.assert_allclose(output[n, row, column], expected, rtol=1e-12, atol=1e-12)


def test_large_temporaries_are_made_in_parts(rng: np.random.Generator) -> None:
    """A convolution whose columns exceed MAX_COLUMNS: the same sums as one image at a time."""
    layer, x = Conv2d(3, 3, 3, 2, 1, "same"), rng.normal(size=(40, 24, 31, 2))
    weights = layer.initialize(((24, 31, 2),), rng, "he")
    output, saved = layer.forward((x,), weights, None)
    assert saved[0].size > MAX_COLUMNS
    gradient = rng.normal(size=output.shape)
    (by_x,), by_parameters = layer.backward(gradient, saved, weights)
    total = [np.zeros_like(p) for p in by_parameters]
    for n in range(len(x)):
        _, kept = layer.forward((x[n : n + 1],), weights, None)
        (by_one,), parts = layer.backward(gradient[n : n + 1], kept, weights)
        np.testing.assert_allclose(by_x[n], by_one[0], rtol=1e-9, atol=1e-12)
        total = [a + b for a, b in zip(total, parts, strict=True)]
    for found, expected in zip(by_parameters, total, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


def test_maps_lie_with_samples_innermost(rng: np.random.Generator) -> None:
    x = rng.normal(size=(6, 4, 3, 2))
    maps = innermost(x)
    assert maps.shape == (4, 3, 2, 6)
    assert maps.flags.c_contiguous
    np.testing.assert_array_equal(outermost(maps), x)
    assert innermost(outermost(maps)).base is maps or np.shares_memory(innermost(outermost(maps)), maps)
    np.testing.assert_array_equal(outermost(innermost(x[:, 0]), 3), x[:, 0])


def test_batch_norm_gives_mean_0_and_variance_1_and_its_statistics(rng: np.random.Generator) -> None:
    x = rng.normal(3, 5, size=(50, 4, 4, 2)) * [1, 100]
    parameters = BatchNorm().initialize(((4, 4, 2),), rng, "he")
    output, saved = BatchNorm().forward((x,), parameters, rng)
    np.testing.assert_allclose(output.mean(axis=(0, 1, 2)), 0, atol=1e-9)
    np.testing.assert_allclose(output.var(axis=(0, 1, 2)), 1, rtol=1e-4)
    _, by = BatchNorm().backward(output, saved, parameters)
    np.testing.assert_allclose(by[2], x.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(by[3], x.var(axis=(0, 1, 2), ddof=1))


def test_batch_norm_outside_training_is_its_scale_and_shift(rng: np.random.Generator) -> None:
    parameters = (*(rng.normal(size=3) for _ in range(3)), rng.random(3) + 0.1)
    x = rng.normal(size=(4, 2, 2, 3))
    scale, shift = BatchNorm().scale_shift(parameters)
    np.testing.assert_allclose(BatchNorm().forward((x,), parameters, None)[0], x * scale + shift)
    gain, offset, mean, variance = parameters
    np.testing.assert_allclose(x * scale + shift, (x - mean) / np.sqrt(variance + EPSILON) * gain + offset)


def test_max_pool_gives_a_gradient_to_one_of_equals() -> None:
    x = np.zeros((1, 2, 2, 1))
    _, saved = MaxPool(2, 2, 2, 2).forward((x,), (), None)
    (by_x,), _ = MaxPool(2, 2, 2, 2).backward(np.ones((1, 1, 1, 1)), saved, ())
    np.testing.assert_array_equal(by_x.ravel(), [1, 0, 0, 0])


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        (Conv2d(0, 3, 3), "filters"),
        (Conv2d(1 << 20, 3, 3), "filters"),
        (Conv2d(4, 0, 3), "kernel or stride of 0"),
        (Conv2d(4, 3, 3, 99), "kernel or stride of 99"),
        (Conv2d(4, 3, 3, 1, 1, "some"), "padding 'some'"),
        (Conv2d(4, 3, 3, 1, 1, "1 2"), "padding '1 2'"),
        (Conv2d(4, 3, 3, 1, 1, "3"), "not less than its kernel"),
        (DepthwiseConv2d(3, 3, 0), "filters"),
        (Conv1d(2, 3, 1, "1 2 3"), "padding '1 2 3'"),
        (Conv1d(2, 3, 1, ""), "padding ''"),
        (Conv1d(2, 3, 1, "x"), "padding"),
        (MaxPool(2, 65, 1, 1), "kernel or stride of 65"),
        (Pad(0, 0, -1, 0), "side outside"),
        (Reshape(0, 0, 3), "impossible"),
        (Clamp(1, 2), "do not contain 0"),
        (Clamp(0, 0), "one value"),
        (Clamp(0, float("inf")), "do not contain 0"),
    ],
)
def test_impossible_fields(layer: Layer, problem: str) -> None:
    with pytest.raises(QnnError, match=problem):
        layer.check()


@pytest.mark.parametrize(
    ("layer", "shapes", "problem"),
    [
        (Conv2d(4, 3, 3), ((7,),), "needs maps"),
        (Conv2d(4, 3, 3), ((2, 5, 1),), "3x3 kernel on a map of 2x5"),
        (Conv2d(1 << 14, 64, 64), ((64, 64, 64),), "narrower"),
        (DepthwiseConv2d(1, 1, 1 << 14), ((3, 3, 5),), "narrower"),
        (Conv1d(4, 3), ((5, 5, 1),), "reshape"),
        (MaxPool(2, 2, 2, 2), ((8, 3),), "2x2 kernel on a map of 1x8"),
        (MaxPool(2, 2, 2, 2), ((8,),), "needs maps"),
        (MaxPool(3, 3, 3, 3, "2 2 0 0"), ((1, 9, 1),), None),
        (Conv2d(2, 3, 3, 2, 2, "0 2 0 0"), ((2, 9, 1),), None),
        (Conv2d(2, 3, 3, 1, 1, "0 2 0 2"), ((1, 1, 1),), None),
        (Conv2d(2, 4, 4, 2, 1, "3"), ((1, 2, 1),), None),
        (GlobalAveragePool(), ((5,),), "needs maps"),
        (Add(), ((3,), (4,)), "two alike"),
        (Add(), ((3,),), "two alike"),
        (Concat(), ((3, 3, 1), (3, 2, 1)), "one map size"),
        (Pad(1, 1, 1, 1), ((5, 2),), "pad 0 0"),
        (Pad(1, 1, 1, 1), ((5,),), "needs maps"),
        (Reshape(2, 2, 2), ((9,),), "9 values, not 8"),
    ],
)
def test_shapes_that_do_not_fit(layer: Layer, shapes: tuple[Shape, ...], problem: str | None) -> None:
    layer.check()
    if problem is None:
        assert min(layer.output_shape(shapes)) >= 1
        return
    with pytest.raises(QnnError, match=problem) as caught:
        layer.output_shape(shapes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("size", "kernel", "stride"), [*itertools.product(range(1, 9), range(1, 6), range(1, 5))])
def test_same_gives_the_rounded_up_quotient(size: int, kernel: int, stride: int) -> None:
    window = Sliding(kernel, kernel, stride, stride, "same").window((size, size, 1), "test")
    assert window.out_height == window.out_width == -(-size // stride)
    assert 0 <= window.pad_top < kernel


def test_multiplications() -> None:
    assert Conv2d(6, 5, 5, 2, 2).macs(((28, 28, 1),)) == 12 * 12 * 25 * 6
    assert DepthwiseConv2d(3, 3, 2).macs(((5, 5, 4),)) == 9 * 9 * 8
    assert Conv1d(3, 5).macs(((9, 2),)) == 5 * 5 * 2 * 3
    assert BatchNorm().macs(((5, 5, 4),)) == MaxPool(2, 2, 2, 2).macs(((4, 4, 1),)) == 0
