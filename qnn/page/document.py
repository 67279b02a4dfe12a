# SPDX-License-Identifier: MIT
"""What a page knows of its model: a JSON document, and bytes beside it (module, samples, golden checksums)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from qnn.emitter.manifest import SPEC_VERSION
from qnn.emitter.notes import graph_hash
from qnn.engines.interface import HEAD_DTYPES, Tensor, interface_of
from qnn.graph import CLASS, PROBABILITIES, VALUE, Graph
from qnn.ops.quantize import Quantize
from qnn.ops.rescale import Rescale
from qnn.page.golden import checksums, golden_for, made_up

PLACES = {CLASS: "qnnClass", PROBABILITIES: "qnnProbabilities", VALUE: "qnnValues"}
MNIST, BOX, NONE = "mnist", "box", "none"
PREPARATIONS = (MNIST, BOX, NONE)
SOURCES = {"mnist": MNIST, "digits": BOX}
MNIST_SHAPE = (28, 28, 1)
SMALLEST_IMAGE = 4
SEEN = {
    MNIST: "scaled to a box of 20/28 of the image, the centre of mass in the middle, as MNIST's digits were.",
    BOX: "scaled to the whole image.",
    NONE: "shrunk as it is.",
}


@dataclass(frozen=True, eq=False)
class Samples:
    """Raw samples x (N, *shape) with a name and a label ("" if unknown) each; low, high: the data's raw range."""

    x: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Content:
    """The document, and the bytes that it describes."""

    document: dict[str, Any]
    data: bytes


def drawable(graph: Graph) -> bool:
    """Is the input a picture, grey or coloured?"""
    shape = graph.input.shape
    picture = len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) >= SMALLEST_IMAGE
    return picture and graph.input.dtype == "uint8"


def preparation_of(graph: Graph) -> str:
    """How drawings become images like those that the model was trained on."""
    default = MNIST if graph.input.shape == MNIST_SHAPE else NONE
    return SOURCES.get(graph.record.source, default)


def no_samples(graph: Graph) -> Samples:
    """No samples, and the widest raw range."""
    limits = np.iinfo(graph.input.dtype)
    count = graph.input.elements
    low, high = np.full(count, limits.min, np.int64), np.full(count, limits.max, np.int64)
    return Samples(np.zeros((0, *graph.input.shape), graph.input.dtype), (), (), low, high)


def pick(graph: Graph, x: np.ndarray, y: np.ndarray | None, count: int) -> Samples:
    """`count` of the samples x (N, *shape): of a classifier the first of each class first, else evenly spaced ones."""
    classes = graph.schema.classes
    rows = np.linspace(0, len(x) - 1, min(count, len(x))).round().astype(np.int64)
    if classes and y is not None:
        first = [int(np.argmax(y == index)) for index in range(len(classes)) if np.any(y == index)]
        others = [row for row in range(min(len(x), count)) if row not in first]
        rows = np.array([*first, *others][:count], np.int64)
    labels = [_label(graph, None if y is None else y[row]) for row in rows.tolist()]
    flat = x.reshape(len(x), -1)
    low, high = flat.min(axis=0).astype(np.int64), flat.max(axis=0).astype(np.int64)
    return Samples(x[rows], tuple(f"sample {row}" for row in rows.tolist()), tuple(labels), low, high)


def _label(graph: Graph, label: Any) -> str:
    if label is None:
        return ""
    if graph.schema.classes:
        return graph.schema.classes[int(label)]
    values = np.atleast_1d(label).tolist()
    return ", ".join(
        f"{value:.{max(0, decimals)}f}" for value, decimals in zip(values, graph.schema.target_decimals, strict=True)
    )


def content(graph: Graph, module: bytes, samples: Samples, preparation: str) -> Content:
    """The page's content for the WebAssembly `module` of `graph`."""
    interface = interface_of(graph)
    low, high = _raw_range(graph, samples)
    golden = golden_for(graph, low, high)
    expected = checksums(graph, np.concatenate([samples.x, made_up(graph, golden)]))
    little = samples.x.astype(samples.x.dtype.newbyteorder("<"))
    document = {
        "name": graph.name,
        "hash": graph_hash(graph),
        "spec_version": SPEC_VERSION,
        "task": graph.schema.task,
        "drawable": drawable(graph),
        "preparation": preparation,
        "maximum": int(max(1, samples.high.max())) if graph.input.dtype == "uint8" else 0,
        "input": _tensor(interface.input),
        "output": _tensor(interface.output),
        "nodes": [
            {**_tensor(tensor), "operator": node.op.kind}
            for tensor, node in zip(interface.nodes, graph.body, strict=True)
        ],
        "heads": [
            {**_tensor(Tensor(head.name, HEAD_DTYPES[head.name], head.shape)), "place": PLACES[head.name]}
            for head in interface.heads
        ],
        "features": [] if drawable(graph) else _features(graph, low, high),
        "classes": list(graph.schema.classes),
        "targets": _targets(graph),
        "samples": [{"name": name, "label": label} for name, label in zip(samples.names, samples.labels, strict=True)],
        "golden": asdict(golden),
        "module": len(module),
        "bridge": None,
        "flash": None,
    }
    return Content(document, module + little.tobytes() + expected.astype("<u4").tobytes())


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape), "bytes": tensor.bytes}


def _raw_range(graph: Graph, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """What each raw input may be before it saturates, else what the data has."""
    op = next((node.op for node in graph.nodes if isinstance(node.op, Quantize)), None)
    if op is None:
        return samples.low, samples.high
    return op.low.reshape(-1).astype(np.int64), op.high.reshape(-1).astype(np.int64)


def _features(graph: Graph, low: np.ndarray, high: np.ndarray) -> list[dict[str, Any]]:
    named = graph.schema.features
    return [
        {
            "name": named[index].name if named else f"x{index + 1}",
            "decimals": named[index].decimals if named else 0,
            "low": int(low[index]),
            "high": int(high[index]),
        }
        for index in range(graph.input.elements)
    ]


def _targets(graph: Graph) -> list[dict[str, Any]]:
    op = next((node.op for node in graph.heads if isinstance(node.op, Rescale)), None)
    return [
        {"name": name, "decimals": int(op.decimals[index]) if op else 0}
        for index, name in enumerate(graph.schema.targets)
    ]
