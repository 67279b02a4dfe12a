# SPDX-License-Identifier: MIT
"""Integer graphs in .qnn files: every field listed, checked on the way in (SPEC 7)."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qnn.check import check
from qnn.container import Container, pack, read, unpack
from qnn.errors import QnnError
from qnn.files import StrPath, write_whole
from qnn.graph import Graph, Node
from qnn.ops import OPS
from qnn.ops.choices import AUTO, SPEED, Choices, check_goal, check_pack, parse_weights
from qnn.ops.op import TensorType
from qnn.outputs import Kind, container_kind
from qnn.schemafile import Document, read_plain, read_record, read_schema

KIND = "integer"
INTEGER_MODEL = Kind("a compiled model", lambda path: container_kind(path) == KIND)


def save_graph(graph: Graph, path: Path) -> None:
    """Write `graph` to `path`, whole or not at all."""
    write_whole(path, graph_bytes(graph))


def graph_bytes(graph: Graph) -> bytes:
    """The bytes of the graph's .qnn file; equal graphs give equal bytes."""
    arrays: dict[str, np.ndarray] = {}
    nodes = [_node_document(index, node, arrays) for index, node in enumerate(graph.nodes)]
    document = {
        "name": graph.name,
        "schema": dataclasses.asdict(graph.schema),
        "record": dataclasses.asdict(graph.record),
        "input": dataclasses.asdict(graph.input),
        "nodes": nodes,
        "output": graph.output,
        "quantized_input": graph.quantized_input,
        "choices": _choices_document(graph.choices),
    }
    return pack(Container(KIND, document, arrays))


def load_graph(path: StrPath) -> Graph:
    """The checked graph in the .qnn file at `path`. Raises QnnError naming the file for anything else."""
    path = Path(path)
    container = read(path)
    if container.kind == "float":
        raise QnnError(path, "is a float model, not a compiled one", f"qnn compile {path}")
    if container.kind != KIND:
        raise QnnError(path, "is an unfinished training, not a compiled model", "end it with qnn train ... --resume")
    return _checked(container, path)


def graph_of_bytes(content: bytes, path: Path) -> Graph:
    """The checked graph in the bytes of a .qnn file; `path` names it in errors."""
    return _checked(unpack(content, path), path)


def _checked(container: Container, path: Path) -> Graph:
    try:
        return check(graph_of(container, path))
    except QnnError as error:
        if error.subject == str(path):
            raise
        raise QnnError(path, f"{error.subject}: {error.problem}", error.remedy) from None


def graph_of(container: Container, path: Path) -> Graph:
    """The graph in `container`, unchecked; `path` names it in errors."""
    document = Document(container.document, path)
    nodes = document.list("nodes")
    return Graph(
        name=document.text("name"),
        schema=read_schema(document.child("schema")),
        record=read_record(document.child("record")),
        input=_read_type(document.child("input")),
        nodes=tuple(_read_node(index, node, container.arrays) for index, node in enumerate(nodes)),
        output=document.text("output"),
        quantized_input=document.text("quantized_input"),
        choices=_read_choices(document.child("choices")),
    )


def _choices_document(choices: Choices) -> dict[str, Any]:
    """What was chosen; of the later choices only those that are not the default, which older versions read as well."""
    goal = {} if choices.optimize == SPEED else {"optimize": choices.optimize}
    steady = {"constant_time": 1} if choices.constant_time else {}
    pack = {} if choices.pack == AUTO else {"pack": choices.pack}
    return {"weights": str(choices.weights), **goal, **steady, **pack}


def _read_choices(document: Document) -> Choices:
    goal = document.text("optimize") if "optimize" in document.values else SPEED
    steady = "constant_time" in document.values and document.integer("constant_time", 0, 1) == 1
    pack = document.text("pack") if "pack" in document.values else AUTO
    weights, path = parse_weights(document.text("weights")), document.path
    return Choices(weights, check_goal(goal, path), steady, check_pack(pack, path))


def _node_document(index: int, node: Node, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    _write_fields(node.op, f"{index}", fields, arrays)
    return {
        "name": node.name,
        "kind": node.op.kind,
        "inputs": list(node.inputs),
        "type": dataclasses.asdict(node.type),
        "fields": fields,
    }


def _write_fields(value: Any, prefix: str, fields: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Integers go to `fields`, arrays to `arrays` under prefix.field, a nested dataclass one level deeper."""
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if isinstance(item, np.ndarray):
            arrays[f"{prefix}.{field.name}"] = item
        elif dataclasses.is_dataclass(item):
            fields[field.name] = {}
            _write_fields(item, f"{prefix}.{field.name}", fields[field.name], arrays)
        else:
            fields[field.name] = item


def _read_type(document: Document) -> TensorType:
    return TensorType(
        shape=document.integers("shape"),
        dtype=document.text("dtype"),
        low=document.integer("low"),
        high=document.integer("high"),
        scale=document.magnitude("scale"),
        zero_point=document.integer("zero_point"),
        zero_groups=document.number("zero_groups"),
    )


def _read_node(index: int, document: Document, arrays: Mapping[str, np.ndarray]) -> Node:
    kind = document.text("kind")
    op_class = next((op for op in OPS if op.kind == kind), None)
    if op_class is None:
        raise QnnError(document.path, f"has the unknown operator {kind!r}", "update qnn")
    op = _read_fields(op_class, f"{index}", document.child("fields"), arrays)
    return Node(document.text("name"), op, document.texts("inputs"), _read_type(document.child("type")))


def _read_fields(cls: type, prefix: str, document: Document, arrays: Mapping[str, np.ndarray]) -> Any:
    values: list[Any] = []
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        hint, key = hints[field.name], f"{prefix}.{field.name}"
        if hint is np.ndarray:
            if key not in arrays or arrays[key].ndim == 0 or arrays[key].size == 0:
                raise QnnError(document.path, f"lacks the array {key!r}", "compile the model again")
            values.append(arrays[key])
        elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
            values.append(_read_fields(hint, key, document.child(field.name), arrays))
        else:
            values.append(read_plain(document, field.name, hint))
    return cls(*values)
