# SPDX-License-Identifier: MIT
"""What the rows of a report are compared with: the float network, and what needs no network at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qnn.data import LoadOptions, load
from qnn.data.request import Samples
from qnn.data.steinhart import NAME as STEINHART_HART
from qnn.data.steinhart import celsius_by, steinhart_hart
from qnn.data.thermistor import FEATURES
from qnn.errors import QnnError
from qnn.metrics import Score, answers_on, score_of
from qnn.model import Model
from qnn.report.residuals import residuals
from qnn.report.row import per_target

THERMISTOR = "thermistor"


@dataclass(frozen=True, eq=False)
class Reference:
    """How good a network is in floats, on the samples of the report; baseline: what does the same without one."""

    score: Score
    document: dict[str, Any]
    baseline: dict[str, Any] | None = None


def labels_of(samples: Samples) -> np.ndarray:
    """The samples' labels. Raises QnnError where there are none."""
    if samples.y is None:
        raise QnnError(samples.source, "has no labels to compare with", "use data with labels")
    return samples.y


def reference_of(network: Model, samples: Samples) -> Reference:
    """The Reference of a network on samples. Raises QnnError where they have no labels."""
    y = labels_of(samples)
    answers = answers_on(network, samples.x)
    score = score_of(network.schema, answers, y)
    parameters = sum(array.size for node in network.nodes for array in node.parameters)
    document = {**_score_document(score), "samples": score.samples, "parameters": parameters}
    return Reference(score, document | _residuals(network, answers, y), _baseline(network, samples, y))


def _baseline(network: Model, samples: Samples, y: np.ndarray) -> dict[str, Any] | None:
    """Of the built-in thermistor, the Steinhart-Hart equation fitted to the rows that the network learned from."""
    if network.record.source != THERMISTOR or samples.source != THERMISTOR:
        return None
    dataset = load(THERMISTOR, LoadOptions().like(network.record), schema=network.schema)
    if dataset.y is None or tuple(feature.name for feature in network.schema.features) != FEATURES:
        return None
    coefficients = steinhart_hart(dataset.x[dataset.train], dataset.y[dataset.train])
    answers = celsius_by(coefficients, samples.x)
    score = score_of(network.schema, answers, y)
    return {"name": STEINHART_HART, **_score_document(score), **_residuals(network, answers, y)}


def _score_document(score: Score) -> dict[str, Any]:
    return {score.metric: score.value, **per_target(score)}


def _residuals(network: Model, answers: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    names: Sequence[str] = network.schema.targets
    return {"residuals": residuals(names, answers, y)} if names else {}
