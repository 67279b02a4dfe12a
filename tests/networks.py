# SPDX-License-Identifier: MIT
"""Small networks with random weights, compiled into build folders, for tests of what runs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qnn.calibration import calibrate
from qnn.compiler import compile_model, write_build
from qnn.model import Model, Normalization
from qnn.net import build_nodes, parse_net
from qnn.schema import DataRecord, Feature, Schema


@dataclass(frozen=True)
class Example:
    """A network to build: NET, input shape and type, how many classes (0: regression with `targets` outputs)."""

    name: str
    net: str
    shape: tuple[int, ...] = (12,)
    dtype: str = "uint8"
    classes: int = 4
    targets: int = 0


BYTES = Example("bytes", "dense 9 relu, dense 6 tanh, dense 4")
IMAGE = Example("image", "dense 16 relu, dense 10", (8, 8, 1), "uint8", 10)
READINGS = Example("readings", "dense 8 leaky_relu 0.1, dense 5 sigmoid, dense 2", (5,), "int32", 0, 2)
BINARY = Example("binary", "dense 6 relu, dense 1", (7,), "int32", 2)
EXAMPLES = (BYTES, IMAGE, READINGS, BINARY)


def schema_of(example: Example) -> Schema:
    """The schema of the example's samples."""
    flat = len(example.shape) == 1
    return Schema(
        shape=example.shape,
        dtype=example.dtype,
        features=tuple(Feature(f"x{i}") for i in range(example.shape[0])) if flat else (),
        task="classification" if example.classes else "regression",
        classes=tuple(str(i) for i in range(example.classes)),
        targets=tuple(f"y{i}" for i in range(example.targets)),
        target_decimals=(2,) * example.targets,
    )


def samples_of(example: Example, count: int, seed: int = 0) -> np.ndarray:
    """Raw samples (count, *shape), some of them beyond the range that the network was calibrated for."""
    rng = np.random.default_rng(seed)
    low, high = (0, 256) if example.dtype == "uint8" else (-1200, 1201)
    return rng.integers(low, high, (count, *example.shape)).astype(example.dtype)


def model_of(example: Example, seed: int = 0) -> Model:
    """The example as a float model with random weights."""
    schema, rng = schema_of(example), np.random.default_rng(seed)
    nodes = build_nodes(parse_net(example.net, schema), schema, rng, "he")
    features = example.shape if len(example.shape) == 1 else ()
    if example.dtype == "uint8":
        edges = (np.zeros(features), np.full(features, 1 / 255), np.zeros(features, np.int64), np.full(features, 255))
    else:
        limit = np.full(features, 1000)
        edges = (np.zeros(features), np.full(features, 1 / 500), -limit, limit)
    targets = (np.zeros(example.targets), np.full(example.targets, 3.5))
    normalization = Normalization(*edges, *targets)
    return Model(
        example.net, schema, DataRecord("random", "0" * 64, 0, 0.1, 0.2), normalization, nodes, samples_of(example, 64)
    )


def write_example(example: Example, folder: Path, seed: int = 0) -> Path:
    """`folder`, with the example's build in it."""
    model = model_of(example, seed)
    write_build(compile_model(model, calibrate(model, model.samples), example.name), folder)
    return folder
