# SPDX-License-Identifier: MIT
"""ONNX files as plain data: checked by the onnx library, shapes inferred, constants folded; every size is bounded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qnn.errors import QnnError
from qnn.files import read_bounded
from qnn.names import comment_text
from qnn.ops.op import MAX_ELEMENTS

MAX_BYTES = 256 << 20
MAX_NODES, MAX_TENSORS, MAX_RANK = 4096, 16384, 8
MAX_SHAPE = 64  # of constants that are joined: parts of shapes
LEAST_OPSET = 13
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")


@dataclass(frozen=True, eq=False)
class OnnxNode:
    """A node: its place in the file, its operator, its tensors' names ("" where left out), its attributes.

    attributes: numbers, texts, lists of numbers and arrays, by name.
    """

    index: int
    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[tuple[str, Any], ...]

    def attribute(self, name: str, default: Any) -> Any:
        """The attribute called `name`, else `default`."""
        return dict(self.attributes).get(name, default)


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A graph: nodes in execution order, constants by name, shapes by name (0 where a size is open), ends.

    dtypes: NumPy names by tensor name, where they are known.
    """

    nodes: tuple[OnnxNode, ...]
    constants: dict[str, np.ndarray]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def is_onnx(path: Path) -> bool:
    """Is the file called like one of ONNX?"""
    return path.suffix.lower() == ".onnx"


def library() -> Any:
    """The package `onnx`. Raises QnnError where it is not installed."""
    try:
        import onnx
        import onnx.checker
        import onnx.numpy_helper
        import onnx.shape_inference
    except ImportError:
        raise QnnError("qnn import", "needs the package onnx", "pip install 'qnn[import]'") from None
    return onnx


def read_onnx(path: Path) -> OnnxModel:
    """The model in the file at `path`. Raises QnnError naming the file where the onnx checker, or this, refuses it."""
    onnx = library()
    data = read_bounded(path, MAX_BYTES)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
        _bounded(path, model)
        onnx.checker.check_model(model)
        model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=False)
    except QnnError:
        raise
    except Exception as error:  # the library has no error class of its own that covers protobuf's and its own
        first = comment_text(str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__)
        raise QnnError(path, f"is refused by the onnx checker ({first})", "export the model again") from None
    return _model(onnx, model.graph, path)


def _bounded(path: Path, model: Any) -> None:
    """Raises QnnError for what is too large, too old or not supported, before anything is computed."""
    graph = model.graph
    for what, count, most in (
        ("nodes", len(graph.node), MAX_NODES),
        ("constants", len(graph.initializer), MAX_TENSORS),
        ("tensors", len(graph.value_info), MAX_TENSORS),
    ):
        if count > most:
            raise QnnError(path, f"has {count:,} {what}, more than {most:,}", "use a smaller network")
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if not graph.node or opset < LEAST_OPSET:
        raise QnnError(path, f"has opset {opset}", f"export it with opset {LEAST_OPSET} or later")
    if len(model.functions) or len(graph.sparse_initializer):
        raise QnnError(path, "has functions of its own or sparse constants", "export the model without them")
    for tensor in graph.initializer:
        if tensor.data_location == tensor.EXTERNAL or len(tensor.external_data):
            raise QnnError(path, "keeps its weights in another file", "export it with the weights inside")
        if len(tensor.dims) > MAX_RANK or min(tensor.dims, default=1) < 0 or math.prod(tensor.dims) > MAX_ELEMENTS:
            raise QnnError(path, f"has a constant of shape {tuple(tensor.dims)[:9]}", "use a smaller network")


def _model(onnx: Any, graph: Any, path: Path) -> OnnxModel:
    constants = {tensor.name: _array(onnx, tensor, path) for tensor in graph.initializer}
    shapes, dtypes = {}, {}
    for info in (*graph.input, *graph.output, *graph.value_info):
        kind = info.type.tensor_type
        if kind.HasField("shape") and len(kind.shape.dim) <= MAX_RANK:
            shapes[info.name] = tuple(max(int(dim.dim_value), 0) for dim in kind.shape.dim)
        if kind.elem_type:
            dtypes[info.name] = str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)))
    nodes, made = [], 0
    for index, node in enumerate(graph.node):
        attributes = tuple((entry.name, _attribute(onnx, entry, path)) for entry in node.attribute)
        kind = node.op_type if node.domain in DOMAINS else f"{node.domain}.{node.op_type}"
        found = OnnxNode(index, kind, node.name[:200], tuple(node.input), tuple(node.output), attributes)
        folded = _folded(found, constants, shapes)
        if folded is None:
            nodes.append(found)
        else:
            constants[found.outputs[0]] = folded
            made += folded.size
        if made > MAX_ELEMENTS:
            raise QnnError(path, f"computes {made:,} constants", "simplify the model before (onnxsim)")
    inputs = tuple(info.name for info in graph.input if info.name not in constants)
    return OnnxModel(tuple(nodes), constants, shapes, dtypes, inputs, tuple(info.name for info in graph.output))


def _array(onnx: Any, tensor: Any, path: Path) -> np.ndarray:
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError) as error:
        raise QnnError(path, f"has a damaged constant ({comment_text(str(error)[:100])})", "export it again") from None


def _attribute(onnx: Any, entry: Any, path: Path) -> Any:
    if entry.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
        raise QnnError(path, "has loops or branches", "export the model without control flow")
    if entry.type == onnx.AttributeProto.TENSOR:
        if math.prod(entry.t.dims) > MAX_ELEMENTS or entry.t.data_location == entry.t.EXTERNAL:
            raise QnnError(path, f"has a constant of shape {tuple(entry.t.dims)[:9]}", "use a smaller network")
        return _array(onnx, entry.t, path)
    value = onnx.helper.get_attribute_value(entry)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _folded(node: OnnxNode, constants: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]]) -> np.ndarray | None:
    """What a node gives that reads constants only and moves values; None where it has to be computed at run time."""
    if len(node.outputs) != 1:
        return None
    if node.kind == "Constant":
        value = [
            node.attribute(name, None) for name in ("value", "value_float", "value_int", "value_floats", "value_ints")
        ]
        found = next((entry for entry in value if entry is not None), None)
        return None if found is None or isinstance(found, str) else np.asarray(found)
    if node.kind == "Shape":
        shape = shapes.get(node.inputs[0], ())
        start, end = node.attribute("start", 0), node.attribute("end", None)
        return np.array(shape[start:end], np.int64) if shape and 0 not in shape[1:] else None
    values = [constants.get(name) for name in node.inputs]
    if not values or any(value is None for value in values):
        return None
    return _moved(node, [value for value in values if value is not None])


def _moved(node: OnnxNode, values: list[np.ndarray]) -> np.ndarray | None:
    first = values[0]
    if node.kind == "Identity":
        return first
    if node.kind == "Transpose":
        return first.transpose(node.attribute("perm", list(range(first.ndim))[::-1]))
    if node.kind == "Gather" and first.ndim == 1 and values[1].size == 1:
        index = int(values[1].reshape(-1)[0])
        return first[index].reshape(values[1].shape) if -len(first) <= index < len(first) else None
    if node.kind == "Concat" and all(value.ndim == 1 for value in values):
        return np.concatenate(values) if sum(value.size for value in values) <= MAX_SHAPE else None
    if node.kind == "Unsqueeze" and len(values) == 2 and first.ndim == 0:
        return first.reshape(1)
    if node.kind == "Squeeze":
        return first.reshape([size for size in first.shape if size != 1])
    if node.kind == "Cast":
        types = {1: np.float32, 6: np.int32, 7: np.int64, 11: np.float64}
        return first.astype(types[node.attribute("to", 0)]) if node.attribute("to", 0) in types else None
    if node.kind == "Reshape" and first.size and values[1].size <= MAX_RANK:
        target = [int(size) for size in values[1].reshape(-1)]
        fixed = math.prod(size for size in target if size != -1)
        fits = target.count(-1) <= 1 and min(target, default=1) >= -1 and fixed > 0
        return (
            first.reshape(target)
            if fits and (first.size % fixed == 0) and (-1 in target or first.size == fixed)
            else None
        )
    return None
