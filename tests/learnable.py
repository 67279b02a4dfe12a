# SPDX-License-Identifier: MIT
"""Small made-up data that a network can learn in a moment, and what tests of training ask of a result."""

from __future__ import annotations

import numpy as np

from qnn.data.dataset import Dataset
from qnn.model import Model
from qnn.modelfile import model_hash
from qnn.schema import DataRecord, Feature, Schema
from qnn.training import TrainResult

SOURCE = DataRecord("made-up", "00" * 32, 0, 0.1, 0.2)


def readings(count: int = 400, classes: int = 3, features: int = 4, seed: int = 1) -> Dataset:
    """int32 samples in clouds, one a class; the last feature is constant."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 900, (classes, features))
    y = rng.integers(0, classes, count)
    x = np.rint(2000 + centres[y] + rng.normal(0, 150, (count, features))).astype(np.int32)
    x[:, -1] = 77
    return dataset(_flat(features, "int32", "classification", classes), x, y)


def pictures(count: int = 300, classes: int = 4, side: int = 6, seed: int = 2) -> Dataset:
    """uint8 images (side, side, 1): one bright row or column tells the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, count)
    x = rng.integers(0, 60, (count, side, side, 1))
    for image, label in zip(x, y, strict=True):
        image[1 + label // 2 :: side, :] += 150 * (label % 2)
        image[:, 1 + label // 2 :: side] += 150 * (1 - label % 2)
    schema = Schema((side, side, 1), "uint8", (), "classification", tuple(f"c{i}" for i in range(classes)), (), ())
    return dataset(schema, x.astype(np.uint8), y)


def curve(count: int = 500, targets: int = 2, seed: int = 3) -> Dataset:
    """int32 samples of 3 features; targets in different units, far from 0."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-1000, 1000, (count, 3)).astype(np.int32)
    u = x / 1000.0
    y = np.stack([500 + 80 * np.sin(2 * u[:, 0]) + 40 * u[:, 1], 0.01 * u[:, 2] - 0.5], axis=1)[:, :targets]
    return dataset(_flat(3, "int32", "regression", targets), x, y)


def dataset(schema: Schema, x: np.ndarray, y: np.ndarray) -> Dataset:
    """All of it, the first rows for training, then a tenth for validation and two for the test."""
    rows, train, held = np.arange(len(x), dtype=np.int64), int(0.7 * len(x)), int(0.8 * len(x))
    return Dataset(schema, SOURCE, x, y, rows[:train], rows[train:held], rows[held:])


def same(one: TrainResult, other: TrainResult) -> bool:
    """Are two results equal bit for bit, but for the time they took?"""
    histories = [[(e.number, e.train_loss, e.loss, e.metric, e.best) for e in r.history] for r in (one, other)]
    return histories[0] == histories[1] and hash_of(one.model) == hash_of(other.model)


def hash_of(model: Model | None) -> str:
    """The model's hash; the test fails without a model."""
    assert model is not None
    return model_hash(model)


def _flat(features: int, dtype: str, task: str, outputs: int) -> Schema:
    classes = tuple(f"c{i}" for i in range(outputs)) if task == "classification" else ()
    targets = tuple(f"t{i}" for i in range(outputs)) if task == "regression" else ()
    names = tuple(Feature(f"f{i}") for i in range(features))
    return Schema((features,), dtype, names, task, classes, targets, (3,) * len(targets))
