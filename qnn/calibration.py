# SPDX-License-Identifier: MIT
"""Calibration: the range of every tensor of the float model on representative samples (SPEC 4.3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qnn.equalization import prepared
from qnn.errors import QnnError
from qnn.evenly import evenly
from qnn.forward import activations, node_shapes
from qnn.model import INPUT, Model
from qnn.prepare import prepare
from qnn.progress import Progress, silent
from qnn.ranges import METHODS, Range, find_range
from qnn.scales import Scales, TensorRange, load_scales
from qnn.schemafile import MAX_MAGNITUDE, MIN_MAGNITUDE

DEFAULT_METHOD = "mse"
MAX_SAMPLES = 2048
MAX_VALUES = 1 << 22  # per tensor: bounds the memory; evenly spaced samples are taken where it would be more


def calibrate(
    model: Model,
    x: np.ndarray,
    method: str = DEFAULT_METHOD,
    progress: Progress = silent,
    equalize: bool = False,
) -> Scales:
    """The Scales of `model` on raw samples x (N, *shape), by `method` (one of METHODS), computed in float64.

    equalize: of the network with equalized weights (qnn.equalization).

    At most MAX_SAMPLES evenly spaced samples are used. Raises QnnError for no samples, others than the
    model takes, or an unknown method.
    """
    if method not in METHODS:
        raise QnnError(f"--method {method}", "is not a calibration method", f"use one of {', '.join(METHODS)}")
    if x.shape[1:] != model.schema.shape or x.dtype.kind not in "iu":
        problem = f"are {x.dtype} of shape {x.shape[1:]}; the model takes {model.schema.dtype} of {model.schema.shape}"
        raise QnnError("samples", problem, "give raw samples, as qnn.load returns them in x")
    if len(x) == 0:
        raise QnnError("calibration", "there are no samples", "give some with --data")
    x = x[evenly(len(x), MAX_SAMPLES)]
    model = prepared(model, equalize)
    shapes = node_shapes(model.nodes, model.schema.shape)
    step = {name: max(1, len(x) * int(np.prod(shape)) // MAX_VALUES) for name, shape in shapes.items()}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in _tensor_names(model)}
    for index, values in enumerate(activations(model, x)):
        for name, found in parts.items():
            found.append(values[name][:: step[name]])
        progress(index + 1, len(x) // len(values[INPUT]) + len(parts))
    tensors = tuple(TensorRange(name, _range(name, np.concatenate(found), method)) for name, found in parts.items())
    low, high = _raw_range(model)
    return Scales(method, len(x), low, high, tensors, equalize)


def _range(name: str, values: np.ndarray, method: str) -> Range:
    """As `find_range`, with bounds that a scales file may hold."""
    largest = float(np.abs(values).max())
    if not largest <= MAX_MAGNITUDE:
        raise QnnError(name, f"its values reach {largest:.3g}: the network has diverged", "train it again")
    return find_range(values if largest >= MIN_MAGNITUDE else np.zeros(1), method).bounded(MIN_MAGNITUDE)


def load_scales_of(model: Model, path: Path) -> Scales:
    """The Scales in the file at `path`. Raises QnnError unless they name the model's tensors, no more and no fewer."""
    scales = load_scales(path)
    wanted, found = _tensor_names(prepare(model)), tuple(tensor.name for tensor in scales.tensors)
    remedy = "calibrate this model: qnn calibrate"
    for name in wanted:
        if name not in found:
            raise QnnError(path, f"has no range for the tensor {name!r} of this model", remedy)
    for name in found:
        if name not in wanted:
            raise QnnError(path, f"names {name!r}, which is no tensor of this model", remedy)
    inputs = len(_raw_range(model)[0])
    for key, limits in (("input_low", scales.input_low), ("input_high", scales.input_high)):
        if len(limits) != inputs:
            raise QnnError(path, f"{key!r} has {len(limits)} numbers; this model needs {inputs}", remedy)
    return scales


def _tensor_names(model: Model) -> tuple[str, ...]:
    """The tensors of a prepared model that have a range of their own, the output last."""
    return tuple(node.name for node in model.nodes if not node.layer.vanishes)


def _raw_range(model: Model) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The raw range per feature; empty for uint8, which is taken as it is."""
    if model.schema.dtype == "uint8":
        return (), ()
    shape = (int(np.prod(model.schema.shape)),)
    low = np.broadcast_to(model.normalization.low, shape)
    high = np.broadcast_to(model.normalization.high, shape)
    return tuple(low.tolist()), tuple(high.tolist())
