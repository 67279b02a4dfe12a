# SPDX-License-Identifier: MIT
"""How raw integers become floats, from the training rows alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from learnable import curve, dataset, pictures, readings

from qnn.data.dataset import Dataset
from qnn.model import Normalization
from qnn.normalize import normalize, normalize_into, normalize_targets, target_values
from qnn.schema import Feature, Schema
from qnn.training import TrainOptions, train
from qnn.training.normalization import fit_normalization as fitted


def fit_normalization(data: Dataset, wanted: str = "auto") -> Normalization:
    return fitted(data, wanted).normalization


def brightest(level: int) -> Dataset:
    """Images whose brightest training pixel is `level`; later rows are brighter."""
    data = pictures()
    x = np.minimum(data.x, level)
    x[0, 0, 0, 0] = level
    x[data.test] = 255
    return replace(data, x=x.astype(np.uint8))


@pytest.mark.parametrize(
    ("level", "full"), [(255, 255), (200, 255), (129, 255), (128, 128), (16, 16), (15, 16), (1, 1)]
)
def test_images_are_scaled_by_what_is_full_scale(level: int, full: int) -> None:
    normalization = fit_normalization(brightest(level))
    assert normalization.scale.shape == normalization.low.shape == ()
    assert normalization.scale == 1 / full
    assert (normalization.offset, normalization.low, normalization.high) == (0, 0, 255)


def test_readings_are_standardized_by_feature_and_saturate_at_the_training_range() -> None:
    data = readings()
    x = data.x.copy()
    x[data.test] = 10**9
    data = replace(data, x=x)
    normalization = fit_normalization(data)
    rows = x[data.train]
    z = normalize(normalization, rows)
    np.testing.assert_allclose(z[:, :-1].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(z[:, :-1].std(axis=0), 1, rtol=1e-12)
    np.testing.assert_array_equal(z[:, -1], 0)
    assert normalization.scale[-1] == 0
    np.testing.assert_array_equal(normalization.low, rows.min(axis=0))
    np.testing.assert_array_equal(normalization.high, rows.max(axis=0))
    np.testing.assert_allclose(normalize(normalization, x[data.test])[0, :-1], z.max(axis=0)[:-1])


def test_extreme_readings_do_not_overflow() -> None:
    data = readings()
    x = data.x.copy()
    x[:, 0] = np.where(np.arange(len(x)) % 2, 2**31 - 1, -(2**31))
    normalization = fit_normalization(replace(data, x=x))
    np.testing.assert_allclose(np.abs(normalize(normalization, x)[:, 0]), 1, rtol=1e-6)


def test_flat_bytes_are_standardized_but_rare_values_do_not_explode() -> None:
    base = readings()
    x = np.random.default_rng(0).integers(0, 100, base.x.shape).astype(np.uint8)
    x[:, 1] = 0
    x[3, 1] = 200  # one sample only
    x[:, 2] = 9
    schema = replace(base.schema, dtype="uint8", features=tuple(Feature(f"b{i}") for i in range(4)))
    data = dataset(schema, x, base.y)
    normalization = fit_normalization(data)
    z = normalize(normalization, x)
    assert abs(z[data.train, 0].std() - 1) < 1e-9
    assert z[3, 1] == pytest.approx(8, rel=0.01)
    assert (z[:, 2] == 0).all()
    assert (normalization.low == 0).all()
    assert (normalization.high == 255).all()


def test_wide_samples_of_readings_have_one_scale() -> None:
    base = pictures()
    x = base.x.astype(np.int32) * 1000 - 40000
    data = replace(base, x=x, schema=replace(base.schema, dtype="int32"))
    normalization = fit_normalization(data)
    assert normalization.offset.shape == normalization.high.shape == ()
    z = normalize(normalization, x[data.train])
    assert abs(z.mean()) < 1e-9
    assert abs(z.std() - 1) < 1e-9


def test_targets_are_standardized_and_come_back() -> None:
    data = curve()
    y = np.column_stack([data.y, np.full(len(data.y), 3.5)])
    schema = replace(data.schema, targets=("a", "b", "c"), target_decimals=(0, 0, 0))
    normalization = fit_normalization(replace(data, y=y, schema=schema))
    z = normalize_targets(normalization, y)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z[data.train].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(z[data.train, :2].std(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(z[:, 2], 0)
    np.testing.assert_allclose(target_values(normalization, z), y, rtol=1e-5)


@pytest.mark.parametrize("data", [pictures(), readings(), curve()])
def test_into_a_buffer_is_the_same(data: Dataset) -> None:
    normalization = fit_normalization(data)
    out = np.empty(data.x.shape, np.float32)
    normalize_into(normalization, data.x, out)
    np.testing.assert_allclose(out, normalize(normalization, data.x), rtol=1e-6)


def test_many_rows_are_measured_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = readings()
    whole = fit_normalization(data)
    monkeypatch.setattr("qnn.training.normalization.CHUNK", 7)
    for one, other in zip(vars(whole).values(), vars(fit_normalization(data)).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def sequences() -> Dataset:
    """Readings of three channels at eight places, whose means drift along the sequence."""
    rng = np.random.default_rng(4)
    drift = np.arange(8)[:, None] * np.array([100, 2000, 3])
    x = (drift + rng.normal(0, [50, 400, 2], (200, 8, 3))).reshape(200, 24).astype(np.int32)
    schema = Schema((24,), "int32", tuple(Feature(f"x{i}") for i in range(24)), "classification", ("a", "b"), (), ())
    return dataset(schema, x, (x[:, 0] > x[:, 12]).astype(np.int64))


@pytest.mark.parametrize(
    ("net", "kinds"),
    [
        ("conv1d 3 4 relu, gap, dense", 1),
        ("reshape 8x3, conv1d 3 4 relu, gap, dense", 3),
        ("reshape 2x4x3, dropout 0.1, maxpool 2, gap, dense", 3),
        ("dense 4 relu, dense", 24),
        ("relu, dense", 24),
    ],
)
def test_what_a_window_slides_over_has_one_normalization_a_channel(net: str, kinds: int) -> None:
    """The same reading means the same at every place; else the network would see the places' own means taken away."""
    data = sequences()
    result = train(data, net, TrainOptions(epochs=1))
    assert result.model is not None
    n = result.model.normalization
    columns = list(zip(n.offset.tolist(), n.scale.tolist(), n.low.tolist(), n.high.tolist(), strict=True))
    assert len(set(columns)) == kinds
    assert columns == columns[:kinds] * (24 // kinds)
    z = normalize(n, data.x[data.train]).reshape(len(data.train), 24 // kinds, kinds)
    assert np.allclose(z.mean(axis=(0, 1)), 0, atol=1e-6)
    assert np.allclose(z.std(axis=(0, 1)), 1)


def test_a_column_with_a_choice_of_its_own_stands_apart() -> None:
    chosen = fitted(sequences(), "x4=minmax", False, 3).normalization
    assert len(set(chosen.scale.tolist())) == 4
    assert chosen.scale[1] == chosen.scale[7] != chosen.scale[4]
