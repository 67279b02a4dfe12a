# SPDX-License-Identifier: MIT
"""Float models in .qnn files: layers by kind and fields, parameters as arrays, all checked on the way in."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qnn.container import Container, pack, read, unpack
from qnn.errors import QnnError
from qnn.files import StrPath, write_whole
from qnn.forward import node_shapes
from qnn.layers import LAYERS
from qnn.layers.layer import Layer
from qnn.learned import Learned, learned_document, read_learned
from qnn.model import INPUT, MAX_STORED_SAMPLES, Model, Node, Normalization, no_segments
from qnn.net import output_widths
from qnn.outputs import Kind, container_kind
from qnn.schema import Schema
from qnn.schemafile import Document, read_plain, read_record, read_schema
from qnn.segments import SEGMENTS, are_lines

KIND = "float"
FLOAT_MODEL = Kind("a float model", lambda path: container_kind(path) == KIND)
MAX_NODES = 256
NODE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
AGAIN = "train the model again"
# Far beyond what 32-bit integers with up to 18 decimals can give, and far within float32.
SCALES_OF_INPUTS, SCALES_OF_TARGETS, MAX_OFFSET = (1e-12, 1e12), (1e-30, 1e12), 1e12
MAX_PARAMETER = 1e12


def save_model(model: Model, path: Path) -> None:
    """Write `model` to `path`, whole or not at all."""
    write_whole(path, model_bytes(model))


def model_bytes(model: Model) -> bytes:
    """The bytes of the model's .qnn file; equal models give equal bytes."""
    arrays = {f"normalization.{name}": array for name, array in vars(model.normalization).items()}
    for node in model.nodes:
        arrays |= {f"node.{node.name}.{index}": array for index, array in enumerate(node.parameters)}
    document = {
        "net": model.net,
        "schema": dataclasses.asdict(model.schema),
        "record": dataclasses.asdict(model.record),
        "kinds": list(model.kinds),
        "nodes": [
            {"name": node.name, "layer": node.layer.kind, "fields": vars(node.layer), "inputs": list(node.inputs)}
            for node in model.nodes
        ],
    }
    if model.learned is not None:
        document["learned"] = learned_document(model.learned)
    arrays |= {"samples": model.samples} if model.labels is None else {"samples": model.samples, "labels": model.labels}
    return pack(Container(KIND, document, arrays))


def model_hash(model: Model) -> str:
    """sha256 (hex) of the model's file: the same for equal models."""
    return hashlib.sha256(model_bytes(model)).hexdigest()


def load_model(path: StrPath) -> Model:
    """The model in the .qnn file at `path`. Raises QnnError naming the file for anything that is not a sound model."""
    path = Path(path)
    if path.suffix == ".json":
        remedy = "name the file that qnn train -o wrote; a scales file goes with --scales"
        raise QnnError(path, "is not a float model", remedy)
    container = read(path)
    if container.kind != KIND:
        what = "a compiled model" if container.kind == "integer" else "an unfinished training"
        raise QnnError(path, f"is {what}, not a float one", "name the file that qnn train -o wrote")
    return model_of(container, path)


def model_of_bytes(model: Model, path: Path) -> Model:
    """`model` as its file would be read. Raises QnnError, which names `path`, if it is not a sound model."""
    return model_of(unpack(model_bytes(model), path), path)


def model_of(container: Container, path: Path) -> Model:
    """The checked model in `container`; `path` names it in errors."""
    document = Document(container.document, path)
    schema = _schema(document.child("schema"))
    try:
        nodes = _nodes(document.list("nodes"), schema, container.arrays)
    except QnnError as error:
        if error.subject == str(path):
            raise
        raise QnnError(path, f"{error.subject}: {error.problem}", error.remedy or AGAIN) from None
    samples = _samples(schema, container.arrays, path)
    return Model(
        net=document.text("net"),
        schema=schema,
        record=read_record(document.child("record")),
        normalization=_normalization(schema, container.arrays, path),
        nodes=nodes,
        samples=samples,
        kinds=_kinds(document, schema),
        labels=_labels(schema, len(samples), container.arrays, path),
        learned=_learned(document, nodes),
    )


def _learned(document: Document, nodes: tuple[Node, ...]) -> Learned | None:
    """What quantization-aware training left, if the file has it."""
    if "learned" not in document.values:
        return None
    outputs = {node.name: len(node.parameters[0]) for node in nodes if node.layer.has_weights}
    return read_learned(document.child("learned"), outputs)


def _kinds(document: Document, schema: Schema) -> tuple[str, ...]:
    kinds = document.texts("kinds") if "kinds" in document.values else ()  # which older files lack
    if len(kinds) not in (0, len(schema.features)):
        raise QnnError(document.path, "its kinds of normalization do not fit its features", AGAIN)
    return kinds


def _schema(document: Document) -> Schema:
    schema = read_schema(document)
    features = len(schema.features) in ((schema.shape[0],) if len(schema.shape) == 1 else (0,))
    classes, targets = len(schema.classes), len(schema.targets)
    outputs = (classes >= 2 and not targets) if schema.task == "classification" else (targets >= 1 and not classes)
    if len(schema.shape) not in (1, 3) or not features or not outputs or len(schema.target_decimals) != targets:
        raise QnnError(document.path, "its schema contradicts itself", AGAIN)
    return schema


def _nodes(documents: tuple[Document, ...], schema: Schema, arrays: Mapping[str, np.ndarray]) -> tuple[Node, ...]:
    if not 1 <= len(documents) <= MAX_NODES:
        raise QnnError("nodes", f"there are {len(documents)}; a model has 1 to {MAX_NODES}", AGAIN)
    bare = tuple(_bare_node(document) for document in documents)
    shapes = node_shapes(bare, schema.shape)
    if shapes[bare[-1].name] not in [(width,) for width in output_widths(schema)]:
        raise QnnError(bare[-1].name, f"gives {shapes[bare[-1].name]}, which does not fit the schema", AGAIN)
    return tuple(dataclasses.replace(node, parameters=_parameters(node, shapes, arrays)) for node in bare)


def _bare_node(document: Document) -> Node:
    name, kind, inputs = document.text("name"), document.text("layer"), document.texts("inputs")
    if not NODE_NAME.match(name) or name == INPUT:
        raise QnnError(document.path, f"has the impossible node name {name[:40]!r}", AGAIN)
    found = next((layer for layer in LAYERS if layer.kind == kind), None)
    if found is None:
        raise QnnError(document.path, f"has the unknown layer {kind[:40]!r}", "update qnn")
    fields, hints = document.child("fields"), typing.get_type_hints(found)
    names = [field.name for field in dataclasses.fields(typing.cast(Any, found))]
    make = typing.cast(Any, found)
    layer: Layer = make(**{name: read_plain(fields, name, hints[name]) for name in names})
    layer.check()
    return Node(name, layer, inputs, ())


def _parameters(
    node: Node, shapes: Mapping[str, tuple[int, ...]], arrays: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, ...]:
    wanted = node.layer.parameter_shapes(tuple(shapes[name] for name in node.inputs))
    found = [arrays.get(f"node.{node.name}.{index}") for index in range(len(wanted))]
    for array, shape in zip(found, wanted, strict=True):
        if array is None or array.dtype != np.float32 or array.shape != shape:
            raise QnnError(node.name, f"its parameters are not {len(wanted)} float32 arrays of {wanted}", AGAIN)
        if not (np.abs(array) <= MAX_PARAMETER).all():
            raise QnnError(node.name, f"a parameter is not finite, or beyond {MAX_PARAMETER:g}", AGAIN)
    return tuple(array for array in found if array is not None)


def _normalization(schema: Schema, arrays: Mapping[str, np.ndarray], path: Path) -> Normalization:
    names = [field.name for field in dataclasses.fields(Normalization) if field.name != "segments"]
    values = {name: arrays.get(f"normalization.{name}") for name in names}
    shape = getattr(values["offset"], "shape", None)
    allowed = ((), schema.shape) if len(schema.shape) == 1 else ((),)
    for name, array in values.items():
        dtype = np.int64 if name in ("low", "high") else np.float64
        fits = (len(schema.targets),) if name.startswith("target") else shape
        if array is None or array.dtype != dtype or array.shape != fits or shape not in allowed:
            raise QnnError(path, f"its normalization.{name} is missing or does not fit", AGAIN)
        if not np.isfinite(array).all():
            raise QnnError(path, f"its normalization.{name} is not finite", AGAIN)
    segments = _segments(schema, arrays, path)
    normalization = Normalization(**typing.cast(dict[str, np.ndarray], values), segments=segments)
    limits = np.iinfo(schema.dtype)
    inside = (normalization.low >= limits.min) & (normalization.high <= limits.max)
    scales = (normalization.scale == 0) | _within(normalization.scale, *SCALES_OF_INPUTS)
    if not np.all(inside & (normalization.low <= normalization.high) & scales):
        raise QnnError(path, "its normalization has an impossible range or scale", AGAIN)
    if not np.all(_within(normalization.target_scale, *SCALES_OF_TARGETS)):
        raise QnnError(path, "its normalization.target_scale is not positive, or out of range", AGAIN)
    for name in ("offset", "target_offset"):
        if not np.all(np.abs(getattr(normalization, name)) <= MAX_OFFSET):
            raise QnnError(path, f"its normalization.{name} is beyond {MAX_OFFSET:g}", AGAIN)
    return normalization


def _segments(schema: Schema, arrays: Mapping[str, np.ndarray], path: Path) -> np.ndarray:
    segments = arrays.get("normalization.segments", no_segments())  # which older files lack
    rows = (0, len(schema.features)) if schema.dtype == "int32" else (0,)
    if segments.dtype != np.int8 or segments.shape not in [(count, SEGMENTS) for count in rows]:
        raise QnnError(path, "its normalization.segments do not fit its schema", AGAIN)
    if not are_lines(segments):
        raise QnnError(path, "its normalization.segments are out of range", AGAIN)
    return segments


def _within(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.asarray((values >= low) & (values <= high))


def _samples(schema: Schema, arrays: Mapping[str, np.ndarray], path: Path) -> np.ndarray:
    samples = arrays.get("samples")
    if samples is None or samples.dtype != schema.dtype or samples.shape[1:] != schema.shape:
        raise QnnError(path, "its samples are missing or do not fit its schema", AGAIN)
    if len(samples) > MAX_STORED_SAMPLES:
        raise QnnError(path, f"has {len(samples)} samples, more than the {MAX_STORED_SAMPLES} allowed", AGAIN)
    return samples


def _labels(schema: Schema, samples: int, arrays: Mapping[str, np.ndarray], path: Path) -> np.ndarray | None:
    """The samples' labels; None in a file without them."""
    labels = arrays.get("labels")
    if labels is None:
        return None
    classifies = schema.task == "classification"
    shape = (samples,) if classifies else (samples, len(schema.targets))
    inside = labels.shape == shape and labels.dtype == (np.int64 if classifies else np.float64)
    if inside and len(labels):
        inside = labels.min() >= 0 and labels.max() < len(schema.classes) if classifies else np.isfinite(labels).all()
    if not inside:
        raise QnnError(path, "its labels do not fit its samples", AGAIN)
    return labels
