# SPDX-License-Identifier: MIT
"""The float model: a graph of layers, its parameters, and how raw integers enter and results leave."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from qnn.layers.layer import Layer
from qnn.learned import Learned
from qnn.schema import DataRecord, Schema
from qnn.segments import SEGMENTS

INPUT = "input"
IMPORTED = "imported from "  # what stands before the file in the place of a text of the network
MAX_STORED_SAMPLES = 512


def no_segments() -> np.ndarray:
    """int8 (0, 8): of a normalization by straight lines alone."""
    return np.zeros((0, SEGMENTS), np.int8)


@dataclass(frozen=True, eq=False)
class Normalization:
    """How raw integers become the network's floats and its floats become targets.

    input: real = (raw - offset) * scale; offset, scale are float64 (F,) per feature, or () for one of each
    (pixels: 0 and 1/255). low, high: int64, the same shape: raw values saturate there.
    targets (regression): value = real * target_scale + target_offset, float64 (T,); classification: empty.
    segments: int8 (F, 8), of the features whose height on a line of segments takes the place of raw (qnn.segments),
    filled up with -1; (0, 8) where none has one.
    """

    offset: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    target_offset: np.ndarray
    target_scale: np.ndarray
    segments: np.ndarray = field(default_factory=no_segments)


@dataclass(frozen=True, eq=False)
class Node:
    """One layer in the graph: its unique name, its inputs' names (INPUT or earlier nodes), its float32 parameters."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    parameters: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Model:
    """A float network: nodes in execution order, the last one gives the output.

    Classification: the output is logits, one per class, or a single logit where there are two classes
    (class 1 if it is positive). Regression: one normalized value per target.
    net: the NET text it was made from. kinds: how each feature was normalized, in a word; () where that is unknown, or
    one for all. samples: up to MAX_STORED_SAMPLES raw training samples (N, *shape).
    labels: what is right for the samples, as Dataset.y, or None where it is not known.
    learned: what quantization-aware training left; the nodes are those of `prepare` then. None otherwise.
    """

    net: str
    schema: Schema
    record: DataRecord
    normalization: Normalization
    nodes: tuple[Node, ...]
    samples: np.ndarray
    kinds: tuple[str, ...] = ()
    labels: np.ndarray | None = None
    learned: Learned | None = None
