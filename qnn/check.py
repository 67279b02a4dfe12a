# SPDX-License-Identifier: MIT
"""The graph's laws, checked after every pass and after loading (SPEC 2.3)."""

from __future__ import annotations

from qnn.errors import QnnError
from qnn.graph import CLASS, HEADS, INPUT, PROBABILITIES, VALUE, Graph
from qnn.names import IDENTIFIER, check_name
from qnn.ops.op import BYTES, TensorType, expect

MAX_NODES = 1024
# Kinds that bring the raw input to the quantized one.
ENTERING_KINDS = ("quantize", "compand", "table", "depthwise_conv2d", "load")
HEAD_KINDS = ((CLASS, "argmax"), (PROBABILITIES, "softmax"), (VALUE, "rescale"))


def check(graph: Graph) -> Graph:
    """`graph` itself; raises QnnError naming the node where an operator, a type or the wiring is impossible."""
    check_name(graph.name)
    expect(0 < len(graph.nodes) <= MAX_NODES, graph.name, f"it has {len(graph.nodes)} nodes")
    graph.input.check(INPUT)
    raw_fits = graph.input.shape == graph.schema.shape and graph.input.dtype == graph.schema.dtype
    expect(raw_fits and graph.input.holds_all(), INPUT, "its type is not the schema's: raw values are not clamped")
    types: dict[str, TensorType] = {INPUT: graph.input}
    for node in graph.nodes:
        expect(bool(IDENTIFIER.match(node.name)), node.name, "its name is not an identifier")
        expect(node.name not in types, node.name, "its name is taken")
        for name in node.inputs:
            expect(name in types, node.name, f"its input {name!r} does not come before it")
        expect(node.name not in HEADS or node.inputs == (graph.output,), node.name, "a head reads the output alone")
        expect(not any(name in HEADS for name in node.inputs), node.name, "nothing reads a head")
        inputs = tuple(types[name] for name in node.inputs)
        node.type.check(node.name)
        expect(len(inputs) == node.op.arity, node.name, f"it has {len(inputs)} inputs, not {node.op.arity}")
        expect((node.name in HEADS) == (node.op.kind in dict(HEAD_KINDS).values()), node.name, "a head out of place")
        if node.type.shape != node.op.output_shape(inputs):
            raise QnnError(node.name, f"its shape {node.type.shape} is not its operator's", "compile the model again")
        node.op.check(node.name, inputs, node.type)
        types[node.name] = node.type
    expect(bool(graph.body) and graph.output == graph.body[-1].name, graph.name, "its output is not its last node")
    expect(graph.nodes[: len(graph.body)] == graph.body, graph.name, "a head stands before the output")
    first = graph.body[0]
    entering = {INPUT} if graph.input.dtype in BYTES else set()
    entering |= {first.name} if first.inputs == (INPUT,) and first.op.kind in ENTERING_KINDS else set()
    expect(graph.quantized_input in entering, graph.name, f"{graph.quantized_input!r} is not its quantized input")
    quantized = graph.type_of(graph.quantized_input)
    expect(quantized.result and quantized.holds_all(), graph.name, "its quantized input is not clamped")
    _check_interface(graph)
    return graph


def _check_interface(graph: Graph) -> None:
    """The heads are those of the task, and the schema names as many features, classes and targets as there are."""
    schema, outputs = graph.schema, graph.type_of(graph.output).elements
    for node in graph.heads:
        expect((node.name, node.op.kind) in HEAD_KINDS, node.name, f"{node.op.kind} is not its operator")
    expect(len(schema.features) in (0, graph.input.elements), INPUT, "its features are not as many as its elements")
    if schema.task == "classification":
        fits = len(schema.classes) == max(outputs, 2) and not schema.targets
    else:
        fits = len(schema.targets) == len(schema.target_decimals) == outputs and not schema.classes
    expect(fits, graph.output, "its classes or targets are not as many as its outputs")
    kinds = {node.name for node in graph.heads}
    expect(kinds <= ({CLASS, PROBABILITIES} if schema.classes else {VALUE}), graph.name, "a head is not of its task")
