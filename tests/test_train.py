# SPDX-License-Identifier: MIT
"""Training: it learns, it repeats itself, it stops in time, it keeps its hands off the test rows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from learnable import curve, hash_of, pictures, readings, same

from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.forward import forward
from qnn.metrics import predicted_classes, score
from qnn.model import Model
from qnn.normalize import normalize
from qnn.optimizers import Adam, Optimizer, Sgd
from qnn.schedules import SCHEDULES, rate_factor
from qnn.training import TrainOptions, resolved, train
from qnn.training.augment import shifted
from qnn.training.batches import Batches
from qnn.training.engine import bind, flat_parameters, run_backward, run_forward
from qnn.training.job import Callbacks, prepare
from qnn.training.samples import choose_samples

QUICK = TrainOptions(epochs=15, batch=16)


def trained(data: Dataset, net: str, options: TrainOptions = QUICK) -> Model:
    model = train(data, net, options).model
    assert model is not None
    return model


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("net", ["dense 12 relu, dropout 0.1, dense", "dense 12 tanh, dense", "dense 9 sigmoid, dense"])
def test_learns_classes(optimizer: str, net: str) -> None:
    data = readings()
    model = trained(data, net, replace(QUICK, optimizer=optimizer, rate=0.03, smoothing=0.05, init="xavier"))
    assert score(model, data, data.test).value >= 0.95


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_learns_pictures_with_every_schedule(schedule: str) -> None:
    data = pictures()
    model = trained(data, "dense 16 relu, dense", replace(QUICK, schedule=schedule))
    assert score(model, data, data.test).value >= 0.95


def test_learns_two_classes_with_one_output() -> None:
    data = readings(classes=2)
    model = trained(data, "dense 8 leaky_relu, dense 1")
    outputs = forward(model, data.x[data.test])
    assert outputs.shape == (len(data.test), 1)
    assert np.mean((outputs[:, 0] > 0) == data.y[data.test]) >= 0.95
    assert score(model, data, data.test).value == np.mean((outputs[:, 0] > 0) == data.y[data.test])


def test_learns_several_targets_of_different_size() -> None:
    data = curve(targets=2)
    model = trained(data, "dense 24 tanh, dense", replace(QUICK, epochs=80))
    values = forward(model, data.x[data.test]) * model.normalization.target_scale + model.normalization.target_offset
    errors = np.sqrt(np.mean((values - data.y[data.test]) ** 2, axis=0))
    assert (errors < 0.1 * data.y.std(axis=0)).all()
    result = score(model, data, data.test)
    assert result.metric == "rmse"
    assert result.value == pytest.approx(math.sqrt(np.mean(errors**2)))


def test_a_constant_column_has_no_influence() -> None:
    data = readings()
    model = trained(data, "dense 12 relu, dense")
    x = data.x[data.test].copy()
    before = forward(model, x)
    x[:, -1] = -123456
    np.testing.assert_array_equal(forward(model, x), before)
    x[:, 0] += 100
    assert (forward(model, x) != before).any()


def test_same_seed_same_model_other_seed_another() -> None:
    data = pictures()
    options = replace(QUICK, epochs=4, shift=1)
    net = "dense 8 relu, dropout 0.2, dense"
    one, two, other = (train(data, net, replace(options, seed=seed)) for seed in (5, 5, 6))
    assert same(one, two)
    assert hash_of(one.model) != hash_of(other.model)


def test_test_rows_are_never_read() -> None:
    data = readings()
    x, y = data.x.copy(), data.y.copy()
    x[data.test], y[data.test] = 2**31 - 1, 0
    assert same(train(data, None, QUICK), train(replace(data, x=x, y=y), None, QUICK))


def test_validation_rows_choose_but_do_not_train() -> None:
    data = readings()
    y = data.y.copy()
    y[data.validation] = (y[data.validation] + 1) % 3
    right, wrong = train(data, None, QUICK), train(replace(data, y=y), None, QUICK)
    assert [epoch.train_loss for epoch in right.history] == [epoch.train_loss for epoch in wrong.history]
    assert right.best != wrong.best


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_the_best_epoch_is_kept(averaging: float) -> None:
    data = readings(count=200)
    result = train(data, "dense 4 relu, dense", replace(QUICK, epochs=25, averaging=averaging, rate=0.05))
    metrics = [(-epoch.metric, epoch.loss) for epoch in result.history]
    assert result.best is not None
    assert metrics.index(min(metrics)) == result.best.number - 1
    assert score(result.model, data, data.validation).value == result.best.metric
    curved = curve()
    result = train(curved, "dense 4 relu, dense", replace(QUICK, averaging=averaging))
    assert score(result.model, curved, curved.validation).value == pytest.approx(result.best.metric, rel=1e-5)


def test_patience_stops_early() -> None:
    data = curve()
    noise = replace(data, y=np.random.default_rng(0).normal(size=data.y.shape))  # nothing to learn: it gets worse soon
    result = train(noise, "dense 32 relu, dense", replace(QUICK, epochs=200, schedule="constant", patience=3))
    assert result.best is not None
    assert len(result.history) == result.best.number + 3 < 200
    assert not result.stopped


def test_without_validation_rows_the_training_rows_choose() -> None:
    data = readings()
    result = train(replace(data, validation=data.validation[:0]), None, QUICK)
    assert result.best is not None
    assert result.best.metric > 0.9


def test_divergence_is_one_clear_error() -> None:
    options = replace(QUICK, optimizer="sgd", rate=90, schedule="constant", momentum=0.99)
    with pytest.raises(QnnError, match=r"diverged in epoch .* use a --rate below 90"):
        train(curve(), "dense 32 relu, dense 32 relu, dense", options)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", -1),
        ("batch", 1 << 20),
        ("rate", float("nan")),
        ("momentum", 1.0),
        ("smoothing", 1),
        ("averaging", 1.0),
        ("optimizer", "adamw"),
        ("schedule", "linear"),
        ("init", "zero"),
        ("seed", -1),
        ("l2", -0.1),
    ],
)
def test_impossible_options(field: str, value: object) -> None:
    with pytest.raises(QnnError, match=f"--{field}"):
        TrainOptions(**{field: value})


def test_data_that_cannot_be_learned() -> None:
    data = readings()
    with pytest.raises(QnnError, match="no labels"):
        train(replace(data, y=None))
    with pytest.raises(QnnError, match="no training samples"):
        train(replace(data, train=data.train[:0]))
    with pytest.raises(QnnError, match="cannot be changed"):
        train(data, None, replace(QUICK, shift=1))
    with pytest.raises(QnnError, match="too much memory"):
        train(
            replace(pictures(), schema=replace(pictures().schema, shape=(600, 600, 1))), None, TrainOptions(batch=999)
        )


def test_automatic_options_suit_the_data() -> None:
    small, large = readings(count=100), readings(count=30000)
    assert resolved(TrainOptions(), small).batch == 16
    assert resolved(TrainOptions(), large).batch == 128
    assert resolved(TrainOptions(), small).epochs > resolved(TrainOptions(), large).epochs
    assert resolved(TrainOptions(), pictures(side=16, count=10)).shift == 1
    assert resolved(TrainOptions(), pictures(side=6)).shift == 0
    assert resolved(TrainOptions(optimizer="sgd"), small).rate == 0.05
    kept = TrainOptions(epochs=3, batch=5, rate=0.5, smoothing=0.2, shift=0, rotate=0, zoom=0, shear=0, elastic=0)
    assert resolved(kept, small) == resolved(kept, small, True) == kept


def test_convolutions_get_their_own_recipe() -> None:
    data = pictures(side=16, count=10)
    found = resolved(TrainOptions(), data, True)
    assert (found.shift, found.rotate, found.zoom, found.shear, found.elastic) == (2, 12, 0.12, 0.15, 0.4)
    assert found.smoothing == 0.03
    large = pictures(side=16, count=40_000)
    assert resolved(TrainOptions(), large, True).epochs == 2 * resolved(TrainOptions(), large).epochs
    assert resolved(TrainOptions(rotate=3), data, True).rotate == 3
    assert resolved(TrainOptions(), pictures(side=6), True).rotate == 0
    assert resolved(TrainOptions(), curve(), True).smoothing == 0


@pytest.mark.parametrize("optimizer", [Sgd(0.9), Adam()])
def test_optimizers_follow_their_formula(optimizer: Optimizer, rng: np.random.Generator) -> None:
    p = rng.normal(size=50).astype(np.float32)
    expected, first, second = p.astype(np.float64), np.zeros(50), np.zeros(50)
    memory = tuple(np.zeros_like(p) for _ in range(optimizer.vectors))
    for step in range(1, 300):
        g = rng.normal(size=50).astype(np.float32) * 0.1
        if isinstance(optimizer, Sgd):
            first = 0.9 * first + g
            expected -= 0.01 * first
        else:
            first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g.astype(np.float64) ** 2
            expected -= 0.01 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        optimizer.step(p, g.copy(), memory, step, 0.01)
    np.testing.assert_allclose(p, expected, rtol=1e-4, atol=1e-5)


def test_memory_does_not_decay_into_denormal_numbers() -> None:
    p = np.zeros(3, np.float32)
    memory = (np.array([1e-3, 1.0, -1e-3], np.float32), np.ones(3, np.float32))
    for step in range(1, 1500):
        Adam().step(p, np.array([0, 0.5, 0], np.float32), memory, step, 0.0)
    assert memory[0][0] == memory[0][2] == 0
    assert memory[0][1] > 1


@pytest.mark.parametrize(("field", "smaller"), [("weight_decay", 1.0), ("l2", 0.3)])
def test_decay_makes_weights_smaller(field: str, smaller: float) -> None:
    data = readings()
    plain = trained(data, "dense 8 relu, dense", replace(QUICK, weight_decay=0))
    decayed = trained(data, "dense 8 relu, dense", replace(QUICK, **{"weight_decay": 0, field: smaller}))
    norms = [sum(float((n.parameters[0] ** 2).sum()) for n in m.nodes if n.parameters) for m in (plain, decayed)]
    assert norms[1] < 0.8 * norms[0]


def test_decay_leaves_biases() -> None:
    """With weights decayed to nothing, the biases learn how frequent the classes are."""
    data = readings()
    model = trained(replace(data, y=(np.arange(400) % 8 == 0) * 1), "dense", replace(QUICK, weight_decay=10, epochs=60))
    weights, bias = model.nodes[0].parameters
    assert np.abs(weights).max() < 0.1
    assert bias[0] - bias[1] == pytest.approx(math.log(7), abs=0.3)


def test_schedules_start_and_end_where_they_should() -> None:
    for schedule in SCHEDULES:
        factors = [rate_factor(schedule, done) for done in np.linspace(0, 0.999, 200)]
        assert max(factors) <= 1 + 1e-9
        assert min(factors) >= 0
    assert rate_factor("one-cycle", 0) == pytest.approx(0.04)
    assert rate_factor("one-cycle", 0.2) == 1
    assert rate_factor("one-cycle", 0.9999) < 1e-3
    assert rate_factor("cosine", 0) == 1
    assert rate_factor("cosine", 0.5) == pytest.approx(0.5)
    assert rate_factor("exponential", 0.5) == pytest.approx(0.1)
    assert [rate_factor("step", done) for done in (0.3, 0.4, 0.7)] == pytest.approx([1, 0.1, 0.01])
    assert rate_factor("constant", 0.7) == 1


def test_backward_through_a_graph_with_two_readers(rng: np.random.Generator) -> None:
    """A node that two others read gets the sum of both gradients; checked against finite differences."""
    job, _ = prepare(curve(targets=1), "dense 5 tanh, dense", QUICK, None, Callbacks(lambda *_: None, lambda: False))
    dense1, tanh1, dense2 = job.model.nodes
    nodes = (dense1, tanh1, replace(tanh1, name="tanh2", inputs=("dense1",)), dense2, _Sum.node(("dense2", "tanh2")))
    vector = flat_parameters(nodes).astype(np.float64)
    gradient = np.full_like(vector, 9.0)
    bound, gradients = bind(nodes, vector), bind(nodes, gradient)
    x = rng.normal(size=(6, 3))
    output, saved = run_forward(bound, x, None)
    run_backward(bound, saved, np.ones_like(output), gradients)
    for index in range(len(vector)):
        values = []
        for change in (1e-6, -1e-6):
            vector[index] += change
            values.append(float(run_forward(bound, x, None)[0].sum()))
            vector[index] -= change
        assert gradient[index] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-7)


class _Sum:
    """A layer with two inputs, which the shipped layers do not have yet: their sums over features, added."""

    @staticmethod
    def node(inputs: tuple[str, ...]):
        from qnn.model import Node

        return Node("sum1", _Sum(), inputs, ())

    def forward(self, inputs, parameters, rng):
        return sum(x.sum(axis=1, keepdims=True) for x in inputs), tuple(x.shape for x in inputs)

    def backward(self, gradient, saved, parameters, inputs_wanted=True):
        return tuple(np.broadcast_to(gradient, shape) for shape in saved), ()


def test_classes_of_outputs() -> None:
    assert predicted_classes(np.array([[-1.0], [0.0], [1e-9]])).tolist() == [0, 0, 1]
    assert predicted_classes(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 2.0]])).tolist() == [0, 2]


def test_shifts_move_whole_images_and_repeat_their_border(rng: np.random.Generator) -> None:
    images = rng.integers(1, 256, (50, 5, 4, 2)).astype(np.uint8)
    moved = shifted(images, np.empty((50, 9, 8, 2), np.uint8), 2, rng)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    places = set()
    for before, after in zip(padded, moved, strict=True):
        fits = [(i, j) for i in range(5) for j in range(5) if (before[i : i + 5, j : j + 4] == after).all()]
        assert fits
        places.add(fits[0])
    assert len(places) > 15


def test_batches_are_what_the_model_sees_later() -> None:
    for data in (pictures(), readings(), curve()):
        job, _ = prepare(data, "dense", QUICK, None, Callbacks(lambda *_: None, lambda: False))
        rows = data.train[[3, 1, 200]]
        inputs, targets = Batches(data, job.model.normalization, 4).read(rows, None)
        assert inputs.dtype == np.float32
        np.testing.assert_allclose(inputs, normalize(job.model.normalization, data.x[rows]), rtol=1e-6, atol=1e-6)
        assert len(targets) == 3


def test_stored_samples_are_training_samples_of_every_class(rng: np.random.Generator) -> None:
    data = readings(count=3000)
    y = data.y.copy()
    y[data.train] = np.where(np.arange(len(data.train)) % 100 == 0, 2, y[data.train] % 2)
    rows = {row.tobytes(): label for row, label in zip(data.x[data.train], y[data.train], strict=True)}
    for _ in range(20):
        samples, labels = choose_samples(replace(data, y=y), rng)
        assert labels is not None
        assert labels.tolist() == [rows[sample.tobytes()] for sample in samples]
        assert samples.shape == (512, 4)
        assert [rows[sample.tobytes()] for sample in samples].count(2) in (5, 6)  # 21 of 2100
    few, _ = choose_samples(readings(count=50), rng)
    np.testing.assert_array_equal(few, readings(count=50).x[:35])
