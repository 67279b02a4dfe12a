# SPDX-License-Identifier: MIT
"""The float model: a graph of layers, its parameters, and how raw integers enter and results leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.data.dataset import Feature
from qnn.layers.layer import Layer

INPUT = "input"


@dataclass(frozen=True, eq=False)
class InputSpec:
    """How raw integers become the network's input: real = (raw - offset) * scale.

    shape: one sample, (F,) or (H, W, C); dtype: "uint8" or "int32", the raw type.
    offset, scale: float64 arrays of shape (F,) per feature, or () for one of each (pixels: 0 and 1/255).
    low, high: int64 arrays of the same shape as offset: the documented raw range; raw values saturate there.
    features: names and decimal units of a flat sample's elements; empty for images.
    """

    shape: tuple[int, ...]
    dtype: str
    offset: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    features: tuple[Feature, ...]


@dataclass(frozen=True)
class OutputSpec:
    """What the last node's values mean.

    task: "classification" (logits of `classes`; one logit if there are two classes and one output)
    or "regression" (value = real * target_scale + target_offset, one per target).
    """

    task: str
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    target_decimals: tuple[int, ...]
    target_offset: tuple[float, ...]
    target_scale: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Node:
    """One layer in the graph: its unique name, its inputs' names (INPUT or earlier nodes), its float32 parameters."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    parameters: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class DataRecord:
    """Which data a model was trained on (Dataset.sha256) and how that was split, to find the same rows again."""

    source: str
    sha256: str
    seed: int
    validation_fraction: float
    test_fraction: float


@dataclass(frozen=True, eq=False)
class Model:
    """A float network: nodes in execution order, the last one gives the output.

    samples: up to 512 raw training samples (N, *shape), kept for calibration.
    net: the NET text it was made from.
    """

    net: str
    input: InputSpec
    output: OutputSpec
    nodes: tuple[Node, ...]
    samples: np.ndarray
    data: DataRecord
