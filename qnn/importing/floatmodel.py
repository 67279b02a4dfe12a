# SPDX-License-Identifier: MIT
"""From a float network of a file, and what the user says of its inputs, to a float model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.fixedpoint import INT32_MAX, INT32_MIN
from qnn.importing.border import RECORD
from qnn.importing.onnxfloat import FloatNetwork
from qnn.importing.schemas import imported_schema
from qnn.model import IMPORTED, MAX_STORED_SAMPLES, Model, Normalization
from qnn.modelfile import model_of_bytes
from qnn.schema import Feature, Schema

BYTE = 255


@dataclass(frozen=True)
class InputMeaning:
    """How raw integers become what the network reads: real = (raw - offset) * scale.

    scale None: 1/255 of images, and the decimal unit of columns, so that the network reads values as the data has them.
    """

    scale: float | None = None
    offset: float = 0.0


def float_model(
    network: FloatNetwork, path: Path, labels: tuple[str, ...], meaning: InputMeaning, dataset: Dataset | None
) -> Model:
    """The checked float model. dataset: what it is calibrated on, and scored with; None for images without data.

    Raises QnnError where data and network do not fit, or columns have no data to tell their unit.
    """
    outputs = network.outputs
    if dataset is None and len(network.shape) == 1:
        problem = f"reads {network.shape[0]} values whose unit only data can tell"
        raise QnnError(path, problem, "name data with --data; its columns are the inputs, in their order")
    if dataset is not None and dataset.schema.shape != network.shape:
        problem = f"reads samples of {network.shape}; {dataset.record.source} has {dataset.schema.shape}"
        raise QnnError(path, problem, "name the data that it was trained on")
    dtype = "uint8" if dataset is None else dataset.schema.dtype
    schema = imported_schema(network.shape, dtype, outputs, _labels(network, labels, dataset, path), False)
    if dataset is not None:
        schema = _with_data(schema, dataset)
    samples = np.zeros((0, *network.shape), dtype) if dataset is None else _spread(dataset)
    model = Model(
        net=f"{IMPORTED}{path.name}"[:200],
        schema=schema,
        record=RECORD if dataset is None else dataset.record,
        normalization=_normalization(schema, meaning, dataset, path),
        nodes=network.nodes,
        samples=samples,
    )
    return model_of_bytes(model, path)


def _labels(network: FloatNetwork, labels: tuple[str, ...], dataset: Dataset | None, path: Path) -> tuple[str, ...]:
    """Class names: the user's, else the data's, else numbers where the network ends in probabilities, else none."""
    found = labels or (dataset.schema.classes if dataset is not None else ())
    classes = max(network.outputs, 2)
    if found and len(found) != classes:
        raise QnnError(path, f"has {classes} classes, the data {len(found)}", "name the data that it was trained on")
    if found or not network.ending:
        return found
    return tuple(str(index) for index in range(classes))


def _with_data(schema: Schema, dataset: Dataset) -> Schema:
    """The schema with the names and units of the data's columns and targets."""
    features = dataset.schema.features if len(schema.shape) == 1 else ()
    targets, decimals = schema.targets, schema.target_decimals
    if len(dataset.schema.targets) == len(targets):
        targets, decimals = dataset.schema.targets, dataset.schema.target_decimals
    return Schema(schema.shape, schema.dtype, features, schema.task, schema.classes, targets, decimals)


def _normalization(schema: Schema, meaning: InputMeaning, dataset: Dataset | None, path: Path) -> Normalization:
    if len(schema.shape) == 1:
        units = np.array([10.0**-feature.decimals for feature in schema.features or (Feature(""),) * schema.shape[0]])
        scale = units if meaning.scale is None else np.full(schema.shape, meaning.scale)
        offset = np.full(schema.shape, meaning.offset)
    else:
        scale, offset = np.asarray(1 / BYTE if meaning.scale is None else meaning.scale), np.asarray(meaning.offset)
    if not (math.isfinite(meaning.offset) and np.all(scale > 0)):
        raise QnnError(path, "cannot have that --scale or --offset", "use a positive scale")
    low, high = np.full(scale.shape, 0, np.int64), np.full(scale.shape, BYTE, np.int64)
    if schema.dtype == "int32":
        low, high = np.full(scale.shape, INT32_MIN, np.int64), np.full(scale.shape, INT32_MAX, np.int64)
        if dataset is not None:
            axes = (0,) if len(schema.shape) == 1 else None
            low, high = (np.asarray(end(dataset.x, axis=axes), np.int64) for end in (np.min, np.max))
    count = len(schema.targets)
    return Normalization(offset, scale, low, high, np.zeros(count), np.ones(count))


def _spread(dataset: Dataset) -> np.ndarray:
    """Up to MAX_STORED_SAMPLES training rows, evenly spread (all rows where nothing is set apart for training)."""
    rows = dataset.train if len(dataset.train) else np.arange(len(dataset.x))
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), MAX_STORED_SAMPLES)).round().astype(np.int64)
    return dataset.x[rows[chosen]]
