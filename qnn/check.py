# SPDX-License-Identifier: MIT
"""The graph's laws, checked after every pass and after loading (SPEC 2.3)."""

from __future__ import annotations

from qnn.errors import QnnError
from qnn.graph import HEADS, INPUT, Graph
from qnn.ops.op import TensorType, expect

MAX_NODES = 1024


def check(graph: Graph) -> Graph:
    """`graph` itself; raises QnnError naming the node where an operator, a type or the wiring is impossible."""
    expect(0 < len(graph.nodes) <= MAX_NODES, graph.name, f"it has {len(graph.nodes)} nodes")
    graph.input.check(INPUT)
    raw_fits = graph.input.shape == graph.schema.shape and graph.input.dtype == graph.schema.dtype
    expect(raw_fits, INPUT, "its type is not the schema's")
    types: dict[str, TensorType] = {INPUT: graph.input}
    for node in graph.nodes:
        expect(node.name not in types, node.name, "its name is taken")
        for name in node.inputs:
            expect(name in types, node.name, f"its input {name!r} does not come before it")
        expect(node.name not in HEADS or node.inputs == (graph.output,), node.name, "a head reads the output alone")
        expect(not any(name in HEADS for name in node.inputs), node.name, "nothing reads a head")
        inputs = tuple(types[name] for name in node.inputs)
        node.type.check(node.name)
        expect(len(inputs) >= 1, node.name, "it has no input")
        if node.type.shape != node.op.output_shape(inputs):
            raise QnnError(node.name, f"its shape {node.type.shape} is not its operator's", "compile the model again")
        node.op.check(node.name, inputs, node.type)
        types[node.name] = node.type
    expect(bool(graph.body) and graph.output == graph.body[-1].name, graph.name, "its output is not its last node")
    expect(graph.nodes[: len(graph.body)] == graph.body, graph.name, "a head stands before the output")
    expect(graph.quantized_input in types, graph.name, f"it has no tensor {graph.quantized_input!r}")
    return graph
