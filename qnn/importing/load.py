# SPDX-License-Identifier: MIT
"""From a file of another tool to an integer graph or a float model, by what the file holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qnn.data.dataset import Dataset
from qnn.data.synthetic import random_samples
from qnn.errors import QnnError
from qnn.files import StrPath
from qnn.fixedpoint import GEMMLOWP, HALF_EVEN, QNN
from qnn.graph import Graph
from qnn.importing.bounds import samples_within
from qnn.importing.difference import COMPARED
from qnn.importing.explain import Fate
from qnn.importing.floatmodel import InputMeaning, float_model
from qnn.importing.onnxcompare import Reference
from qnn.importing.onnxfile import is_onnx, read_onnx
from qnn.importing.onnxfloat import onnx_network
from qnn.importing.onnxgraph import onnx_graph
from qnn.importing.onnxqdq import is_quantized as is_quantized_onnx
from qnn.importing.tflitefile import damage_told, is_tflite, read_tflite
from qnn.importing.tflitefloat import tflite_network
from qnn.importing.tflitegraph import is_quantized, tflite_graph
from qnn.model import Model
from qnn.names import name_from
from qnn.sparsity import with_zero_groups

SAMPLES = 64  # random ones, that tell how often inputs of a layer are zero
OWN = "own"  # the file's own rounding
ROUNDINGS = (OWN, QNN)
AS_IT_IS = InputMeaning()


@dataclass(frozen=True, eq=False)
class ImportOptions:
    """name: the C prefix, None for one made of the file's name. labels: class names, () for numbers.

    rounding: OWN for the framework's bits, QNN for this tool's single rounding where the framework rounds twice.
    meaning, dataset: of float networks, how raw integers enter, and what they are calibrated on.
    """

    name: str | None = None
    labels: tuple[str, ...] = ()
    rounding: str = OWN
    meaning: InputMeaning = AS_IT_IS
    dataset: Dataset | None = None


@dataclass(frozen=True, eq=False)
class Imported:
    """What a file became, what became of each of its operators, and of quantized ONNX what runs the file itself."""

    network: Graph | Model
    fates: tuple[Fate, ...]
    reference: Reference | None = None


def import_file(path: StrPath, options: ImportOptions | None = None) -> Imported:
    """The network in the file at `path` (TensorFlow Lite, ONNX). Raises QnnError naming what cannot be taken over."""
    path, options = Path(path), options or ImportOptions()
    if options.rounding not in ROUNDINGS:
        raise QnnError(f"--rounding {options.rounding}", "is no rounding", f"use {' or '.join(ROUNDINGS)}")
    name = options.name or name_from(path.stem)
    if is_onnx(path):
        with damage_told(path):
            return _from_onnx(path, name, options)
    if not is_tflite(path):
        raise QnnError(path, "is not a model that can be imported", "name a .tflite or .onnx file")
    model = read_tflite(path)
    if not is_quantized(model):
        with damage_told(path):
            network = tflite_network(model, path)
        return Imported(float_model(network, path, options.labels, options.meaning, options.dataset), network.fates)
    rounding = QNN if options.rounding == QNN else GEMMLOWP
    with damage_told(path):
        found = tflite_graph(model, path, name, options.labels, rounding)
    graph = found.graph
    return Imported(_with_zeros(graph), found.fates)


def _from_onnx(path: Path, name: str, options: ImportOptions) -> Imported:
    model = read_onnx(path)
    if is_quantized_onnx(model):
        rounding = QNN if options.rounding == QNN else HALF_EVEN
        found = onnx_graph(model, path, name, options.labels, rounding)
        return Imported(_with_zeros(found.graph), found.fates, found.reference)
    network = onnx_network(model, path)
    return Imported(float_model(network, path, options.labels, options.meaning, options.dataset), network.fates)


def _with_zeros(graph: Graph) -> Graph:
    """The graph that knows how often inputs of its layers are zero, as random samples tell."""
    kept = sum(node.type.bytes for node in graph.nodes) + graph.input.bytes
    count = samples_within(kept, SAMPLES)
    return with_zero_groups(graph, random_samples(graph.schema, (), (), count, np.random.default_rng(0)))


def comparison_samples(graph: Graph) -> np.ndarray:
    """Random and edge inputs (COMPARED, ...) on which networks are compared."""
    count = samples_within(8 * graph.input.elements, COMPARED)
    return random_samples(graph.schema, (), (), count, np.random.default_rng(1))
