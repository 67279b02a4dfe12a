# SPDX-License-Identifier: MIT
"""Every layer and loss: gradients against finite differences in float64, shapes, dtypes, bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qnn.errors import QnnError
from qnn.layers.dense import MAX_UNITS, Dense
from qnn.layers.dropout import Dropout
from qnn.layers.flatten import Flatten
from qnn.layers.initial import initial_weights
from qnn.layers.layer import Layer
from qnn.layers.leaky_relu import LeakyRelu
from qnn.layers.relu import Relu
from qnn.layers.sigmoid import Sigmoid, sigmoid
from qnn.layers.softmax import softmax
from qnn.layers.tanh import Tanh
from qnn.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError

STEP = 1e-6
EXAMPLES: tuple[tuple[Layer, tuple[int, ...]], ...] = (
    (Dense(5), (7,)),
    (Relu(), (7,)),
    (Relu(), (3, 2, 2)),
    (LeakyRelu(0.2), (7,)),
    (Sigmoid(), (7,)),
    (Tanh(), (2, 3, 1)),
    (Dropout(0.4), (9,)),
    (Flatten(), (3, 2, 2)),
)


def differences(function: Callable[[], float], array: np.ndarray) -> np.ndarray:
    """The gradient of `function` by the elements of `array`, which it reads, by central differences."""
    result = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + STEP
        above = function()
        array[index] = kept - STEP
        result[index] = (above - function()) / (2 * STEP)
        array[index] = kept
    return result


def away_from_zero(x: np.ndarray) -> np.ndarray:
    """x without values so small that a step crosses a kink."""
    return np.where(np.abs(x) < 0.01, 0.1, x)


@pytest.mark.parametrize(("layer", "shape"), EXAMPLES, ids=lambda value: getattr(value, "kind", str(value)))
def test_gradients_of_layers(layer: Layer, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x = away_from_zero(rng.normal(size=(4, *shape)))
    parameters = tuple(p.astype(np.float64) for p in layer.initialize((shape,), rng, "he"))
    output_shape = (4, *layer.output_shape((shape,)))
    weights = rng.normal(size=output_shape)

    def value() -> float:
        return float((layer.forward((x,), parameters, np.random.default_rng(5))[0] * weights).sum())

    output, saved = layer.forward((x,), parameters, np.random.default_rng(5))
    assert output.shape == output_shape
    assert output.dtype == np.float64
    (by_input,), by_parameters = layer.backward(weights, saved, parameters)
    np.testing.assert_allclose(by_input, differences(value, x), rtol=1e-6, atol=1e-8)
    assert len(by_parameters) == len(parameters)
    for gradient, parameter in zip(by_parameters, parameters, strict=True):
        np.testing.assert_allclose(gradient, differences(value, parameter), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("layer", "shape"), EXAMPLES, ids=lambda value: getattr(value, "kind", str(value)))
def test_layers_keep_float32_and_their_inputs(layer: Layer, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, *shape)).astype(np.float32)
    before = x.copy()
    parameters = layer.initialize((shape,), rng, "xavier")
    assert tuple(p.shape for p in parameters) == layer.parameter_shapes((shape,))
    for generator in (None, rng):
        output, saved = layer.forward((x,), parameters, generator)
        (by_input,), by_parameters = layer.backward(np.ones_like(output), saved, parameters)
        assert {a.dtype for a in (output, by_input, *by_parameters, *parameters)} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(x, before)


def test_dense_gives_no_input_gradient_unless_it_is_wanted(rng: np.random.Generator) -> None:
    layer, x = Dense(2), rng.normal(size=(3, 4))
    parameters = layer.initialize(((4,),), rng, "he")
    output, saved = layer.forward((x,), parameters, None)
    by_inputs, by_parameters = layer.backward(output, saved, parameters, inputs_wanted=False)
    assert by_inputs == ()
    assert len(by_parameters) == 2


def test_dropout_forgets_its_rate_and_keeps_the_mean(rng: np.random.Generator) -> None:
    x = np.ones((100, 1000), np.float32)
    output, _ = Dropout(0.3).forward((x,), (), rng)
    assert abs((output == 0).mean() - 0.3) < 0.01
    assert abs(output.mean() - 1.0) < 0.02
    assert Dropout(0.3).forward((x,), (), None)[0] is x


def test_softmax_and_sigmoid_do_not_overflow() -> None:
    x = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]])
    np.testing.assert_allclose(softmax(x), [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(sigmoid(x[0]), [1, 0, 0.5])


@pytest.mark.parametrize(("init", "variance"), [("he", 2 / 400), ("xavier", 2 / 500)])
def test_initial_weights_have_their_variance(init: str, variance: float, rng: np.random.Generator) -> None:
    weights = initial_weights((100, 400), 400, 100, rng, init)
    assert weights.dtype == np.float32
    assert abs(weights.var() / variance - 1) < 0.05
    assert abs(weights.mean()) < 0.01 * np.sqrt(variance) * 10


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        (Dense(0), "width"),
        (Dense(MAX_UNITS + 1), "width"),
        (Dropout(1.0), "rate"),
        (Dropout(float("nan")), "rate"),
        (LeakyRelu(-0.1), "slope"),
        (LeakyRelu(1.5), "slope"),
    ],
)
def test_impossible_fields(layer: Layer, problem: str) -> None:
    with pytest.raises(QnnError, match=problem):
        layer.check()


@pytest.mark.parametrize("layer", [Dense(3), Relu(), Flatten()])
def test_one_input_only(layer: Layer) -> None:
    for shapes in ((), ((4,), (4,))):
        with pytest.raises(QnnError, match="inputs"):
            layer.output_shape(shapes)


def test_dense_wants_flat_samples_and_bounded_weights() -> None:
    with pytest.raises(QnnError, match="flatten"):
        Dense(3).output_shape(((2, 2, 1),))
    with pytest.raises(QnnError, match="narrower"):
        Dense(MAX_UNITS).output_shape(((1 << 20,),))


CLASSES = np.array([0, 2, 1, 2])
LOSSES: tuple[tuple[Loss, int, np.ndarray], ...] = (
    (CrossEntropy(), 3, CLASSES),
    (CrossEntropy(0.1), 3, CLASSES),
    (BinaryCrossEntropy(), 1, CLASSES // 2),
    (BinaryCrossEntropy(0.2), 1, CLASSES // 2),
    (MeanSquaredError(), 2, np.arange(8.0).reshape(4, 2)),
)


@pytest.mark.parametrize(("loss", "outputs", "targets"), LOSSES, ids=lambda value: type(value).__name__)
def test_gradients_of_losses(loss: Loss, outputs: int, targets: np.ndarray, rng: np.random.Generator) -> None:
    z = rng.normal(size=(4, outputs)) * 2
    gradient = loss.gradient(z, targets)
    np.testing.assert_allclose(gradient, differences(lambda: loss.value(z, targets), z), rtol=1e-6, atol=1e-8)
    assert loss.gradient(z.astype(np.float32), targets.astype(targets.dtype)).dtype in (np.float32, np.float64)


def test_values_of_losses() -> None:
    even = np.zeros((4, 3))
    assert CrossEntropy().value(even, CLASSES) == pytest.approx(np.log(3))
    assert CrossEntropy(0.3).value(even, CLASSES) == pytest.approx(np.log(3))
    assert BinaryCrossEntropy().value(np.zeros((4, 1)), CLASSES // 2) == pytest.approx(np.log(2))
    far = np.array([[800.0], [-800.0]])
    assert BinaryCrossEntropy().value(far, np.array([1, 0])) == 0
    assert BinaryCrossEntropy().value(far, np.array([0, 1])) == 800
    assert MeanSquaredError().value(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]])) == 2
