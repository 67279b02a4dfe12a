# SPDX-License-Identifier: MIT
"""What the header's first comment says: hash, sizes, meaning of inputs and outputs, proofs, memory plan."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from qnn.emitter.flash import graph_flash
from qnn.graph import INPUT, PROBABILITIES, VALUE, Graph, Node
from qnn.graphfile import graph_bytes
from qnn.memory import MemoryPlan, Place
from qnn.names import comment_text
from qnn.ops.choices import BALANCED, DEFAULT, SIZE, SPEED
from qnn.ops.compand import Compand, straight_of
from qnn.ops.rescale import Rescale
from qnn.placement import placement_of
from qnn.schema import DataRecord
from qnn.segments import NONE

MAX_LISTED = 32
GOAL_TEXTS = {
    SIZE: "for size: kernels of the least code, shared by all layers",
    BALANCED: "balanced: kernels are shared by all layers, and where little is done they are of the least code",
}
STEADY_TEXT = "constant: the same instructions for every input, by gcc and clang"
NO_RECORD = DataRecord("", "", 0, 0.0, 0.0)


def graph_hash(graph: Graph) -> str:
    """SHA-256, hex, of the graph's file without record and choices: neither changes what the network computes."""
    return hashlib.sha256(graph_bytes(replace(graph, record=NO_RECORD, choices=DEFAULT))).hexdigest()


def header_notes(graph: Graph, plan: MemoryPlan) -> list[str]:
    """Lines of text for the header's opening comment."""
    flash = graph_flash(graph)
    return [
        f"graph    sha256 {graph_hash(graph)}",
        f"flash    {flash.total} bytes of constants: {flash.weights} of weights and biases, {flash.tables} of"
        f" requantization and tables, {flash.structs} of structs and padding",
        f"scratch  {plan.scratch_bytes} bytes, given by the caller; no heap, no static mutable state",
        f"placed   {placement_of(graph, plan)}",
        *_made(graph),
        *_inputs(graph),
        *_outputs(graph),
        "",
        "nodes    every accumulator is proven to stay in its range, in any order of summation:",
        *(_node_line(graph, node) for node in graph.nodes),
        "",
        "memory   offset..end in scratch, during nodes first..last:",
        *(_place_line(graph, place) for place in plan.places),
    ]


def _made(graph: Graph) -> list[str]:
    """What the C is made for, where that is not speed, and its timing."""
    made = [f"made     {GOAL_TEXTS[graph.choices.optimize]}"] if graph.choices.optimize != SPEED else []
    return made + ([f"timing   {STEADY_TEXT}"] if graph.choices.constant_time else [])


def _place_line(graph: Graph, place: Place) -> str:
    over = f", over {place.over}" if place.over else ""
    content = place.tensor or f"workspace of {graph.body[place.first].name}"
    return f"  {place.offset}..{place.end}: {content} ({place.first}..{place.last}{over})"


def _inputs(graph: Graph) -> list[str]:
    shape = " x ".join(str(size) for size in graph.schema.shape)
    lines = [f"in       {shape} raw {graph.input.dtype}"]
    first = graph.nodes[0].op
    quantize = straight_of(first)
    segments = (first.exponents != NONE).sum(axis=1).tolist() if isinstance(first, Compand) else []
    for index, feature in enumerate(graph.schema.features[:MAX_LISTED]):
        unit = f" in units of 1e-{feature.decimals}" if feature.decimals else ""
        span = f", {quantize.low[index]}..{quantize.high[index]}, saturating" if quantize else ""
        curve = f", by a line of {segments[index]} segments" if segments and segments[index] else ""
        lines.append(f"  [{index}] {comment_text(feature.name)}{unit}{span}{curve}")
    return lines + _more(len(graph.schema.features))


def _outputs(graph: Graph) -> list[str]:
    kind = graph.type_of(graph.output)
    meaning = "logits" if graph.schema.task == "classification" else "normalized values"
    lines = [f"out      {kind.elements} {meaning}, {kind.dtype}, one step is {kind.scale:.9g}"]
    names = graph.schema.classes or graph.schema.targets
    value = next((node.op for node in graph.heads if node.name == VALUE), None)
    for index, text in enumerate(names[:MAX_LISTED]):
        unit = f" in units of 1e{-int(value.decimals[index])}" if isinstance(value, Rescale) else ""
        lines.append(f"  [{index}] {comment_text(text)}{unit}")
    lines += _more(len(names))
    if any(node.name == PROBABILITIES for node in graph.heads):
        lines.append("q15      class probabilities, 32768 is 1")
    return lines


def _more(count: int) -> list[str]:
    return [f"  ... {count - MAX_LISTED} more"] if count > MAX_LISTED else []


def _node_line(graph: Graph, node: Node) -> str:
    sources = ", ".join("in" if source == INPUT else source for source in node.inputs)
    line = f"  {graph.nodes.index(node)} {node.name} = {node.op.kind}({sources}): {node.type}"
    bound = node.op.accumulator_bound(graph.types_of(node))
    proof = f", accumulator {bound[0]}..{bound[1]}" if bound else ""
    reason = graph.kernel_of(node).reason
    return line + proof + (f"; {comment_text(reason)}" if reason else "")
