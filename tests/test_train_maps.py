# SPDX-License-Identifier: MIT
"""Training over maps: convolutions, batches in parts, statistics of batch norm, augmentation, teachers, resuming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from learnable import curve, hash_of, pictures, readings, same
from test_layers import differences
from test_train_resume import stop_after

from qnn.data.dataset import Dataset
from qnn.data.split import split_rows
from qnn.errors import QnnError
from qnn.forward import activations, forward
from qnn.losses import BinaryCrossEntropy, CrossEntropy, Distillation, Loss, MeanSquaredError
from qnn.metrics import score
from qnn.model import Model
from qnn.modelfile import load_model, model_bytes, save_model
from qnn.prepare import prepare as folded
from qnn.training import TrainOptions, train
from qnn.training.augment import Augmentation, Warper, cut
from qnn.training.batches import Batches
from qnn.training.engine import bind, flat_parameters, run_backward, run_forward, statistics_of
from qnn.training.job import Callbacks, Job, prepare
from qnn.training.shards import SHARDS, Team, processors, team

NET = "conv 3x3 4 bn relu, maxpool 2, conv 2x2 6 bn relu, dense"
EVERY = (
    "conv 3x3 4 same bn relu6, residual(depthwise 3x3 bn relu, conv 1x1 4 bn) relu, "
    "concat(linear; avgpool 3 stride 1), pad 1 0 0 1, maxpool 2 same, conv 2x2 6 stride 2 clamp -2 2, dropout 0.1, "
    "reshape 4x6, conv1d 2 5 bn relu, gap, dense"
)
QUICK = TrainOptions(epochs=12, batch=32, rate=0.02)


def job_of(data: Dataset, net: str, options: TrainOptions = QUICK, teacher: Model | None = None) -> Job:
    return prepare(data, net, options, None, Callbacks(lambda *_: None, lambda: False), teacher)[0]


@pytest.fixture(scope="module")
def trained() -> Model:
    """A small network with batch norms on pictures."""
    model = train(pictures(), NET, QUICK).model
    assert model is not None
    return model


@pytest.mark.parametrize("net", [NET, EVERY, "depthwise 3x3 mult 4 bn relu, gap, dense", "conv 4x4 8 relu, dense"])
def test_learns_pictures(net: str) -> None:
    data = pictures()
    model = train(data, net, replace(QUICK, epochs=25)).model
    assert model is not None
    assert score(model, data, data.test).value >= 0.93


def test_learns_sequences_and_values() -> None:
    data = curve(targets=1)
    model = train(data, "conv1d 2 8 same relu, flatten, dense 16 relu, dense", replace(QUICK, epochs=60)).model
    assert model is not None
    assert score(model, data, data.test).value < 0.2 * data.y.std()


def test_learns_with_batch_norm_between_dense_layers() -> None:
    data = readings()
    model = train(data, "dense 12 bn relu, dense 8 bn tanh, dense", QUICK).model
    assert model is not None
    assert score(model, data, data.test).value >= 0.95


@pytest.mark.parametrize("cut_at", [0, 3, 17])
def test_resuming_keeps_statistics_and_augmentation_bit_for_bit(tmp_path: Path, cut_at: int) -> None:
    data = pictures(side=16, count=200)
    options = replace(QUICK, epochs=4, cutout=3)
    whole = train(data, NET, options, tmp_path / "whole.qnn")
    path = tmp_path / "model.qnn"
    part = train(data, NET, options, path, should_stop=stop_after(cut_at))
    assert part.stopped
    assert same(train(data, None, options, path, resume=True), whole)
    assert path.read_bytes() == (tmp_path / "whole.qnn").read_bytes()


def test_a_model_with_every_layer_survives_its_file(tmp_path: Path) -> None:
    data = pictures()
    model = train(data, EVERY, replace(QUICK, epochs=1)).model
    assert model is not None
    save_model(model, tmp_path / "m.qnn")
    again = load_model(tmp_path / "m.qnn")
    assert [(n.name, n.layer, n.inputs) for n in again.nodes] == [(n.name, n.layer, n.inputs) for n in model.nodes]
    assert model_bytes(again) == model_bytes(model)
    np.testing.assert_array_equal(forward(again, data.x), forward(model, data.x))


def test_statistics_are_neither_decayed_nor_trained() -> None:
    """They stay within what batches measured, whatever the optimizer, decay and averaging do."""
    data = pictures()
    for options in (QUICK, replace(QUICK, optimizer="sgd", rate=0.05, l2=0.01, weight_decay=0.2, averaging=0)):
        job = job_of(data, "conv 3x3 4, bn, flatten, dense", options)
        model = train(data, "conv 3x3 4, bn, flatten, dense", options).model
        assert model is not None
        values = next(iter(activations(model, data.x[data.train], np.float64)))["conv2d1"]
        _, _, mean, variance = model.nodes[1].parameters
        np.testing.assert_allclose(mean, values.mean(axis=(0, 1, 2)), atol=0.5 * values.std())
        assert (np.abs(np.log(variance / values.var(axis=(0, 1, 2)))) < np.log(2.5)).all()
        assert len(statistics_of(job.model.nodes)) == 2


def test_a_node_that_nothing_reads_keeps_its_statistics(rng: np.random.Generator) -> None:
    nodes = job_of(pictures(), "bn, conv 3x3 4 bn, dense").model.nodes
    dead = (*nodes[:1], replace(nodes[0], name="dead"), *nodes[1:])
    vector = flat_parameters(dead)
    vector += rng.normal(size=vector.size).astype(np.float32)
    nodes, gradients = bind(dead, vector), bind(dead, np.full_like(vector, np.nan))
    output, saved = run_forward(nodes, rng.normal(size=(4, 6, 6, 1)).astype(np.float32), rng)
    run_backward(nodes, saved, np.ones_like(output), gradients)
    np.testing.assert_array_equal(gradients[1].parameters[2], nodes[1].parameters[2])
    np.testing.assert_array_equal(gradients[1].parameters[0], 0)
    assert all(np.isfinite(array).all() for node in gradients for array in node.parameters)


@pytest.fixture
def teams() -> tuple[Job, Team, Team]:
    """A job, and teams of one and of SHARDS shards for it, without randomness."""
    data = pictures()
    job = job_of(data, "conv 3x3 4 relu, maxpool 2, dense", replace(QUICK, shift=0))
    vector = flat_parameters(job.model.nodes)
    one, *parts = (Batches(data, job.model.normalization, 32) for _ in range(1 + SHARDS))  # each has buffers of its own
    return job, team(job.model.nodes, vector, (one,)), team(job.model.nodes, vector, tuple(parts))


@pytest.mark.parametrize("rows", [32, 31, 2, 1])
def test_parts_of_a_batch_give_the_gradient_of_the_whole(teams: tuple[Job, Team, Team], rows: int) -> None:
    job, single, several = teams
    seeds = np.arange(SHARDS)
    chosen = job.dataset.train[:rows]
    assert several.learn(chosen, seeds, job.goal) == pytest.approx(single.learn(chosen, seeds, job.goal), rel=1e-6)
    np.testing.assert_allclose(several.shards[0].vector, single.shards[0].vector, rtol=1e-4, atol=1e-6)


def test_folding_batch_norms_changes_nothing(trained: Model) -> None:
    x = pictures().x
    assert len(folded(trained).nodes) < len(trained.nodes)
    np.testing.assert_allclose(forward(folded(trained), x), forward(trained, x), rtol=1e-9, atol=1e-9)


def warped(images: np.ndarray, augmentation: Augmentation, seed: int = 0) -> np.ndarray:
    warper = Warper(images.shape[1:], len(images) + 3, augmentation)
    return warper.warp(images, np.random.default_rng(seed)).copy()


def test_no_change_keeps_every_pixel(rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, (5, 7, 9, 3)).astype(np.uint8)
    found = warped(images, Augmentation())
    np.testing.assert_allclose(found[:, :-1, :-1], images[:, :-1, :-1], atol=1e-3)
    np.testing.assert_allclose(found, images, atol=0.6)  # the last row and column are read EDGE before their middle


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(shift=2, rotate=1e-9),
        Augmentation(rotate=30),
        Augmentation(zoom=0.3),
        Augmentation(shear=0.4),
        Augmentation(2, 12, 0.12, 0.15),
    ],
)
def test_warps_follow_their_formula(augmentation: Augmentation, rng: np.random.Generator) -> None:
    """A slope stays a slope: an image of row numbers shows where each pixel came from."""
    size = 21
    ramp = np.arange(size * 4, dtype=np.int32)[None, :, None, None]
    rows = np.broadcast_to(ramp[:, :size] * 1000, (40, size, size, 1)).astype(np.int32)
    columns = rows.swapaxes(1, 2)
    by_row, by_column = warped(rows, augmentation)[..., 0] / 1000, warped(columns, augmentation)[..., 0] / 1000
    centre = (size - 1) / 2
    middle = slice(7, 14)  # nothing is pushed against a border there
    down, right = np.gradient(by_row[:, middle, middle], axis=(1, 2))
    np.testing.assert_allclose(down - down[:, :1, :1], 0, atol=1e-3)
    np.testing.assert_allclose(right - right[:, :1, :1], 0, atol=1e-3)
    below, beside = np.gradient(by_column[:, middle, middle], axis=(1, 2))
    down, right, below, beside = (part[:, 0, 0] for part in (down, right, below, beside))
    area = down * beside - right * below  # the determinant: zoom squared
    angle = np.degrees(np.arctan2(-right, down))
    move = np.hypot(by_row[:, 10, 10] - centre, by_column[:, 10, 10] - centre)
    assert np.abs(np.sqrt(area) - 1).max() <= augmentation.zoom + 2e-3
    assert np.abs(angle).max() <= augmentation.rotate + 0.1
    assert move.max() <= augmentation.shift * np.sqrt(2) + 1e-3
    for name, spread, limit in (
        ("zoom", np.ptp(np.sqrt(area)), 2 * augmentation.zoom),
        ("rotate", np.ptp(angle), 2 * augmentation.rotate),
        ("shift", move.max(), augmentation.shift),
    ):
        assert spread >= 0.6 * limit or limit < 1e-6, name


def test_shear_slants_columns_only() -> None:
    size = 15
    ramp = np.broadcast_to(1000 * np.arange(size)[None, :, None, None], (30, size, size, 1)).astype(np.int32)
    by_row, by_column = (warped(x, Augmentation(shear=0.4))[..., 0] / 1000 for x in (ramp, ramp.swapaxes(1, 2)))
    np.testing.assert_allclose(by_row[:, 5:10, 5:10], ramp[:, 5:10, 5:10, 0] / 1000, atol=1e-3)
    slope = by_column[:, 8, 7] - by_column[:, 7, 7]
    assert 0.25 < np.abs(slope).max() <= 0.401
    assert slope.min() < 0 < slope.max()


def test_warping_is_seeded_and_keeps_its_input(rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, (6, 16, 16, 1)).astype(np.uint8)
    before, augmentation = images.copy(), Augmentation(2, 12, 0.12, 0.15)
    np.testing.assert_array_equal(warped(images, augmentation, 3), warped(images, augmentation, 3))
    assert (warped(images, augmentation, 3) != warped(images, augmentation, 4)).any()
    assert warped(images, augmentation).min() >= images.min()
    assert warped(images, augmentation).max() <= images.max()
    np.testing.assert_array_equal(images, before)
    assert warped(images[:1, :1, :1], augmentation).shape == (1, 1, 1, 1)


def test_cutout_blanks_one_square(rng: np.random.Generator) -> None:
    images = np.ones((200, 9, 11, 2), np.float32)
    cut(images, 4, rng)
    assert ((images[..., 0] == 0) == (images[..., 1] == 0)).all()
    for image in images[..., 0]:
        rows, columns = np.nonzero(image == 0)
        sides = (np.ptp(rows) + 1, np.ptp(columns) + 1)
        assert len(rows) == sides[0] * sides[1]
        assert max(sides) <= 4
    assert (images == 0).any(axis=0).all()
    assert max((image == 0).sum() for image in images[..., 0]) == 16


def test_changes_are_for_training_only_and_in_the_networks_units(rng: np.random.Generator) -> None:
    for data in (pictures(side=16, count=60), replace(pictures(side=16, count=60), x=None)):
        if data.x is None:  # readings in place of pixels: an offset and a scale for all of them
            pixels = pictures(side=16, count=60)
            schema = replace(pixels.schema, dtype="int32")
            data = replace(pixels, schema=schema, x=pixels.x.astype(np.int32) * 100 - 7000)
        job = job_of(data, NET)
        rows = data.train[:8]
        batches = Batches(data, job.model.normalization, 8, Augmentation(1, 10, 0.1, 0.1))
        plain = batches.read(rows, None)[0].copy()
        changed = batches.read(rows, rng)[0].copy()
        np.testing.assert_array_equal(batches.read(rows, None)[0], plain)
        assert (changed != plain).any()
        assert abs(changed.mean() - plain.mean()) < 0.1
        assert plain.min() - 1e-5 <= changed.min() <= changed.max() <= plain.max() + 1e-5


@pytest.mark.parametrize(
    ("labels", "outputs", "targets"),
    [
        (CrossEntropy(), 3, np.array([0, 2, 1, 1])),
        (CrossEntropy(0.1), 3, np.array([0, 2, 1, 1])),
        (BinaryCrossEntropy(), 1, np.array([0, 1, 1, 0])),
        (MeanSquaredError(), 2, np.arange(8.0).reshape(4, 2)),
    ],
)
def test_gradients_of_distillation(labels: Loss, outputs: int, targets: np.ndarray, rng: np.random.Generator) -> None:
    z, teacher = rng.normal(size=(2, 4, outputs)) * 2
    for weight in (0.0, 0.3, 1.0):
        loss = Distillation(labels, weight, 2.5)
        numeric = differences(lambda loss=loss: loss.value(z, targets, teacher), z)
        np.testing.assert_allclose(loss.gradient(z, targets, teacher), numeric, rtol=1e-6, atol=1e-8)
    assert Distillation(labels, 0.0, 2.5).value(z, targets, teacher) == pytest.approx(labels.value(z, targets))
    assert Distillation(labels, 1.0, 2.5).value(teacher, targets, teacher) == pytest.approx(0, abs=1e-12)


def test_a_student_follows_its_teacher_where_labels_say_nothing() -> None:
    data = pictures()
    teacher = train(data, "conv 3x3 8 bn relu, maxpool 2, dense", replace(QUICK, epochs=25)).model
    assert teacher is not None
    noise = np.random.default_rng(0).integers(0, 4, len(data.y))
    blind = replace(data, y=np.where(np.isin(np.arange(len(data.y)), data.train), noise, data.y))
    options = replace(QUICK, epochs=25, distill=1.0)
    alone = train(blind, NET, options)
    taught = train(blind, NET, options, teacher=teacher)
    assert alone.model is not None
    assert taught.model is not None
    assert score(alone.model, data, data.test).value < 0.6
    assert score(taught.model, data, data.test).value > 0.9


def test_resuming_needs_the_same_teacher(tmp_path: Path, trained: Model) -> None:
    data, path = pictures(), tmp_path / "m.qnn"
    options = replace(QUICK, epochs=4)
    whole = train(data, "conv 3x3 2 relu, dense", options, teacher=trained)
    train(data, "conv 3x3 2 relu, dense", options, path, teacher=trained, should_stop=stop_after(9))
    with pytest.raises(QnnError, match="another --teacher"):
        train(data, None, options, path, resume=True)
    assert same(train(data, None, options, path, teacher=trained, resume=True), whole)
    train(data, "conv 3x3 2 relu, dense", options, path, should_stop=stop_after(9))
    with pytest.raises(QnnError, match="without --teacher"):
        train(data, None, options, path, teacher=trained, resume=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda m: replace(m, schema=replace(m.schema, dtype="int32")),
            r"for 6x6x1 int32 \(.*\); made-up is 6x6x1 uint8",
        ),
        (lambda m: replace(m, schema=replace(m.schema, classes=("a", "b", "c", "d"))), "other classes"),
        (lambda m: replace(m, record=replace(m.record, seed=9)), "--seed 9"),
        (lambda m: replace(m, normalization=replace(m.normalization, scale=np.asarray(0.5))), "differently"),
    ],
)
def test_teachers_that_do_not_fit(trained: Model, change: object, said: str) -> None:
    with pytest.raises(QnnError, match=said) as caught:
        train(pictures(), NET, QUICK, teacher=change(trained))
    assert str(caught.value).startswith("--teacher")


def test_a_teacher_of_other_data_may_teach(trained: Model) -> None:
    other = replace(trained, record=replace(trained.record, sha256="11" * 32, seed=5))
    assert train(pictures(), NET, replace(QUICK, epochs=1), teacher=other).model is not None


def test_kept_statistics_are_those_of_unchanged_training_images() -> None:
    """However much images are changed while training."""
    data = pictures(side=16, count=300)
    model = train(data, "conv 3x3 4 bn relu, conv 3x3 3 bn, gap, dense", replace(QUICK, epochs=2, cutout=9)).model
    assert model is not None
    values = next(iter(activations(model, data.x[data.train], np.float64)))
    for name, norm in (("conv2d1", "batch_norm1"), ("conv2d2", "batch_norm2")):
        mean, variance = next(node.parameters[2:] for node in model.nodes if node.name == norm)
        np.testing.assert_allclose(mean, values[name].mean(axis=(0, 1, 2)), atol=0.1 * values[name].std())
        np.testing.assert_allclose(variance, values[name].var(axis=(0, 1, 2)), rtol=0.2)


def test_elastic_moves_every_point_on_its_own_and_smoothly() -> None:
    size = 40
    ramp = np.broadcast_to(1000 * np.arange(size)[None, :, None, None], (100, size, size, 1)).astype(np.int32)
    moved = warped(ramp, Augmentation(elastic=1.5))[..., 0] / 1000 - ramp[..., 0] / 1000
    inside = moved[:, 8:-8, 8:-8]
    assert 1.3 < inside.std() < 1.7
    assert abs(inside.mean()) < 0.25
    assert np.abs(np.diff(inside, 2, axis=1)).max() < 0.5  # no creases
    far, near = (np.corrcoef(inside[:, 0, 0], inside[:, d, d])[0, 1] for d in (20, 1))
    assert near > 0.95
    assert abs(far) < 0.3
    assert warped(ramp[:, :2, :3], Augmentation(elastic=1.5)).shape == (100, 2, 3, 1)


def test_processors_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processors() >= 1
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    for count, expected in ((3, 3), (None, 1)):
        monkeypatch.setattr("os.cpu_count", lambda count=count: count)
        assert processors() == expected


def test_a_network_without_anything_to_learn_is_a_model_too(tmp_path: Path) -> None:
    data = pictures(classes=2)
    path = tmp_path / "model.qnn"
    result = train(data, "maxpool 3, pad 0 1 0 1, gap", replace(QUICK, epochs=2), path)
    assert len(result.history) == 2
    assert hash_of(load_model(path)) == hash_of(result.model)


def test_the_last_epoch_may_be_kept() -> None:
    data = pictures()
    result = train(data, NET, replace(QUICK, keep="last", patience=1))
    assert [epoch.best for epoch in result.history] == [True] * QUICK.epochs
    assert result.best == result.history[-1]
    assert score(result.model, data, data.validation).value == result.best.metric
    unread = replace(data, y=np.where(np.isin(np.arange(len(data.y)), data.validation), 0, data.y))
    assert model_bytes(train(unread, NET, replace(QUICK, keep="last")).model) == model_bytes(result.model)


@pytest.mark.parametrize(("validation", "seed", "fits"), [(0.0, 9, True), (0.1, 9, False), (0.1, 0, True)])
def test_a_teacher_of_another_seed_may_teach_if_it_has_seen_nothing_held_out(
    trained: Model, validation: float, seed: int, fits: bool
) -> None:
    """With a given test part and no validation part, every seed has the same training rows."""
    data = pictures()
    record = replace(data.record, validation_fraction=validation)
    rows = np.arange(len(data.x))
    train_rows, validation_rows, _ = split_rows(len(rows), 60, record)
    data = replace(data, record=record, train=train_rows, validation=validation_rows, test=rows[-60:])
    teacher = replace(trained, record=replace(record, seed=seed))
    if fits:
        assert train(data, NET, replace(QUICK, epochs=1, keep="last"), teacher=teacher).model is not None
        return
    with pytest.raises(QnnError, match="rows that are held out here"):
        train(data, NET, QUICK, teacher=teacher)
