# SPDX-License-Identifier: MIT
"""The ends of an imported integer graph: int8 where the file has int8, uint8 within; classes and heads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.graph import CLASS, INPUT, Graph, Node
from qnn.importing.conversion import OFFSET, Source
from qnn.importing.schemas import imported_schema
from qnn.ops.argmax import Argmax
from qnn.ops.flip import Flip
from qnn.ops.load import Load
from qnn.ops.op import TensorType
from qnn.ops.softmax8 import Softmax8
from qnn.ops.table import Table
from qnn.schema import DataRecord

FLIPPED, LOADED, OUTPUT = "input_unsigned", "input_loaded", "output"
ALIGNED = ("pad", "concat")  # write 16-bit values where they are aligned, which an output need not be
RECORD = DataRecord("random:1000", "", 0, 0.1, 0.2)


def signed(kind: TensorType) -> TensorType:
    """A uint8 type as int8 of 128 less."""
    return replace(
        kind, dtype="int8", low=kind.low - OFFSET, high=kind.high - OFFSET, zero_point=kind.zero_point - OFFSET
    )


def unsigned(kind: TensorType) -> TensorType:
    """An int8 type as uint8 of 128 more."""
    return replace(
        kind, dtype="uint8", low=kind.low + OFFSET, high=kind.high + OFFSET, zero_point=kind.zero_point + OFFSET
    )


def entered(kind: TensorType, direct: bool) -> tuple[TensorType, list[Node]]:
    """(the raw input's type, the node that gives it as `kind`, uint8 or int16).

    direct: nothing but a layer reads it that takes int8 as it is, so that there is no such node.
    """
    if kind.dtype == "int16":
        return kind, [Node(LOADED, Load(), (INPUT,), kind)]
    return signed(kind), [] if direct else [Node(FLIPPED, Flip(OFFSET), (INPUT,), kind)]


def left(nodes: list[Node], result: Source) -> tuple[Node, ...]:
    """The nodes, the last of which gives `result` as the file has it: int16, or int8 of what is uint8 here."""
    if result.type.dtype != "int16":
        return with_signed_output(nodes, result)
    if nodes[-1].name == result.name and nodes[-1].name != LOADED and nodes[-1].op.kind not in ALIGNED:
        return tuple(nodes)
    return (*nodes, Node(OUTPUT, Load(), (result.name,), result.type))


def with_signed_output(nodes: list[Node], result: Source) -> tuple[Node, ...]:
    """The nodes, the last of which gives `result` as int8: its operator writes it so where it can, else a flip does."""
    last = nodes[-1] if nodes else None
    read = {name for node in nodes for name in node.inputs}
    if last is not None and last.name == result.name and result.name not in read:
        op: Any = last.op
        requantization = getattr(op, "requantization", None)
        kind = signed(last.type)
        if isinstance(requantization, Requantization):
            lowered = replace(
                requantization,
                zero_point=requantization.zero_point - np.int32(OFFSET),
                low=requantization.low - OFFSET,
                high=requantization.high - OFFSET,
            )
            return (*nodes[:-1], replace(last, op=replace(op, requantization=lowered), type=kind))
        if isinstance(last.op, Table):
            entries = (last.op.entries - OFFSET).astype(np.int16)
            return (*nodes[:-1], replace(last, op=replace(last.op, entries=entries), type=kind))
        if isinstance(last.op, Softmax8):
            return (*nodes[:-1], replace(last, op=replace(last.op, zero_point=-OFFSET), type=kind))
    return (*nodes, Node(OUTPUT, Flip(-OFFSET), (result.name,), signed(result.type)))


def bordered(name: str, raw: TensorType, body: tuple[Node, ...], labels: tuple[str, ...], probabilities: bool) -> Graph:
    """The graph of `body`, whose last node is the output; a classifier with labels, or if it gives `probabilities`."""
    output = body[-1]
    schema = imported_schema(raw.shape, raw.dtype, output.type.elements, labels, probabilities)
    raw = replace(raw, shape=schema.shape)
    heads: tuple[Node, ...] = ()
    if schema.classes:
        kind = TensorType((1,), "int32", 0, len(schema.classes) - 1)
        heads = (Node(CLASS, Argmax(output.type.zero_point), (output.name,), kind),)
    quantized = LOADED if raw.dtype == "int16" else INPUT
    return Graph(name, schema, RECORD, raw, (*body, *heads), output.name, quantized)
