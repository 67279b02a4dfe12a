# SPDX-License-Identifier: MIT
"""A quantized ONNX file as an integer graph: its scales, zero points and weights, each rounding within one step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qnn.check import check
from qnn.errors import QnnError
from qnn.fixedpoint import HALF_EVEN
from qnn.graph import INPUT, Graph, Node
from qnn.importing.border import FLIPPED, bordered, signed, with_signed_output
from qnn.importing.bounds import Budget
from qnn.importing.conversion import OFFSET, Source
from qnn.importing.explain import DROPPED, FOLDED, KEPT, Fate
from qnn.importing.layout import CHANNELS_FIRST, SEQUENCE_FIRST, Stored, flat_order
from qnn.importing.onnxcompare import Reference
from qnn.importing.onnxcurves import CURVES, curve, waits
from qnn.importing.onnxfile import OnnxModel, OnnxNode
from qnn.importing.onnxinteger import IntegerBuilder, IntegerConversion, unsigned_type
from qnn.importing.onnxmoves import concat, flatten, identity, pad, reshape, transpose
from qnn.importing.onnxproducts import add, batch_normalization, mul, softmax
from qnn.importing.onnxqdq import quantized
from qnn.importing.onnxscales import Quantized
from qnn.importing.onnxsums import average_pool, conv, gemm, global_average_pool, matmul, max_pool
from qnn.names import comment_text
from qnn.ops.flip import Flip
from qnn.ops.gather import Gather
from qnn.ops.op import MAX_ELEMENTS

CONVERTERS: tuple[tuple[str, Callable[[IntegerConversion], Stored], str], ...] = (  # name, converter, operator
    ("Conv", conv, "conv2d"),
    ("Gemm", gemm, "dense"),
    ("MatMul", matmul, "dense"),
    ("Add", add, "add"),
    ("Sub", add, "depthwise_conv2d"),
    ("Mul", mul, "mul"),
    ("Div", mul, "depthwise_conv2d"),
    ("MaxPool", max_pool, "max_pool"),
    ("AveragePool", average_pool, "average_pool"),
    ("GlobalAveragePool", global_average_pool, "average_pool"),
    ("ReduceMean", global_average_pool, "average_pool"),
    ("BatchNormalization", batch_normalization, "depthwise_conv2d"),
    ("Softmax", softmax, "softmax8"),
    *((name, curve, "table") for name, _ in CURVES),
    ("Concat", concat, "concat"),
    ("Pad", pad, "pad"),
    ("Flatten", flatten, ""),
    ("Reshape", reshape, ""),
    ("Squeeze", reshape, ""),
    ("Unsqueeze", reshape, ""),
    ("Transpose", transpose, ""),
    ("Identity", identity, ""),
    ("Dropout", identity, ""),
)
ENDINGS = ("Softmax", "LogSoftmax", "Sigmoid")
NEUTRAL = ("Identity", "Cast")
LAST_FIRST = [0, 3, 1, 2]  # a transpose of an input whose channels come last


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """An integer graph from a file, what became of each node, and how to compute the same in another runtime."""

    graph: Graph
    fates: tuple[Fate, ...]
    reference: Reference


def onnx_graph(
    model: OnnxModel, path: Path, name: str, labels: tuple[str, ...] = (), rounding: str = HALF_EVEN
) -> IntegerNetwork:
    """The checked integer graph of a quantized model. Raises QnnError naming the node that has no integer form here."""
    found = quantized(model, path)
    output, probabilities = _output(found)
    needed = _needed(found, output)
    builder = IntegerBuilder(Budget(path))
    start, first = _input(found, needed, builder)
    tensors = {start: first}
    for node in needed:
        at = IntegerConversion(path, model, node, tensors, builder, found, rounding)
        before = len(builder.nodes)
        if waits(at):
            found.folded(node, "the table behind it computes it")
            continue
        tensors[node.outputs[0]] = _converted(at)
        made = tuple(item.name for item in builder.nodes[before:])
        found.fates.append(_fate(node, KEPT if made else FOLDED, made, "" if made else "values stay where they are"))
    graph = _bordered(found, builder, tensors[output], output, name, labels, probabilities)
    fates = tuple(sorted(found.fates, key=lambda fate: fate.index))
    scale = 0.0 if output in found.meanings else builder.types[tensors[output].node].scale
    reference = Reference(path, start, first.axes, found.stored.get(output, output), scale)
    return IntegerNetwork(check(graph), fates, reference)


def _converted(at: IntegerConversion) -> Stored:
    converter = next((entry[1] for entry in CONVERTERS if entry[0] == at.node.kind), None)
    if converter is None:
        names = ", ".join(entry[0] for entry in CONVERTERS)
        raise at.refused("is not supported in quantized models", f"build the model of {names}")
    result = converter(at)
    if at.ends or at.kind(result).dtype != "uint8":
        return result
    return at.rescaled(result, at.result())


def _fate(node: OnnxNode, fate: str, made: tuple[str, ...], note: str) -> Fate:
    result = comment_text(node.outputs[0] if node.outputs else "")[:60]
    return Fate(node.index, comment_text(node.kind)[:40], result, fate, made, note)


def _output(found: Quantized) -> tuple[str, bool]:
    """(the tensor that the graph gives, does the file make probabilities of it?): what computes on reals is left."""
    if len(found.model.inputs) != 1 or len(found.model.outputs) != 1:
        problem = f"has {len(found.model.inputs)} inputs and {len(found.model.outputs)} outputs"
        raise QnnError(found.path, problem, "export a model with one of each")
    makers = {node.outputs[0]: node for node in found.nodes if node.outputs}
    name, probabilities = found.resolved(found.model.outputs[0]), False
    while name in makers and name not in found.meanings and makers[name].kind in (*ENDINGS, *NEUTRAL):
        node = makers[name]
        single = found.model.shapes.get(node.outputs[0], (0,))[-1] == 1
        if node.kind == "Sigmoid" and not single:
            break
        probabilities |= node.kind in ENDINGS
        found.nodes.remove(node)
        found.folded(node, "the header gives the quantized logits")
        name = found.resolved(node.inputs[0])
    if name in makers and name in found.meanings and makers[name].kind == "Softmax":
        probabilities = True
    return name, probabilities


def _needed(found: Quantized, output: str) -> list[OnnxNode]:
    """The nodes that the output depends on; the others are dropped."""
    wanted, kept = {output}, []
    for node in reversed(found.nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            kept.append(node)
        else:
            found.fates.append(_fate(node, DROPPED, (), "the output does not depend on it"))
    return kept[::-1]


def _input(found: Quantized, nodes: list[OnnxNode], builder: IntegerBuilder) -> tuple[str, Stored]:
    """The model's one input: (H, W, C) here, or flat; int8 is made uint8 first."""
    name = found.model.inputs[0]
    meaning, stored = found.meanings.get(name), found.model.shapes.get(name, ())[1:]
    if meaning is None:
        raise QnnError(found.path, f"its input {comment_text(name)[:60]} is not quantized", "quantize the input too")
    if not 1 <= len(stored) <= 3 or 0 in stored:
        raise QnnError(found.path, f"its input has the shape {found.model.shapes.get(name)}", "export fixed sizes")
    if math.prod(stored) > MAX_ELEMENTS:
        raise QnnError(found.path, f"its input has {math.prod(stored):,} elements", f"use at most {MAX_ELEMENTS:,}")
    shape: tuple[int, ...] = stored
    axes: tuple[int, ...] = ()
    if len(stored) > 1:
        readers = [node for node in nodes if name in node.inputs]
        last = any(node.kind == "Transpose" and list(node.attribute("perm", [])) == LAST_FIRST for node in readers)
        axes = (0, 1, 2) if last else CHANNELS_FIRST if len(stored) == 3 else SEQUENCE_FIRST
        shape = stored if last else (*(1,) * (3 - len(stored)), *stored[1:], stored[0])
    kind = replace(unsigned_type(meaning), shape=shape)
    node = INPUT
    builder.types[INPUT] = kind
    if meaning.dtype == "int8":
        node, builder.types[INPUT] = FLIPPED, signed(kind)
        builder.nodes.append(Node(FLIPPED, Flip(OFFSET), (INPUT,), kind))
        builder.types[FLIPPED] = kind
    return name, Stored(node, shape, stored, axes)


def _bordered(
    found: Quantized,
    builder: IntegerBuilder,
    last: Stored,
    output: str,
    name: str,
    labels: tuple[str, ...],
    probabilities: bool,
) -> Graph:
    """The graph whose last node gives `last` in the file's order and type."""
    order, node = flat_order(last), last.node
    if order is not None:
        node = _in_files_order(found, builder, last)
    if not builder.nodes or builder.nodes[-1].name != node or node == FLIPPED:
        raise QnnError(found.path, "gives its output before its last operator", "export the model again")
    kind, body = builder.types[node], tuple(builder.nodes)
    if output in found.meanings and found.meanings[output].dtype == "int8":
        body = with_signed_output(list(body), Source(node, kind))
    return bordered(name, builder.types[INPUT], body, labels, probabilities)


def _in_files_order(found: Quantized, builder: IntegerBuilder, last: Stored) -> str:
    """A map whose channels the file stores first, so stored."""
    strides = [int(np.prod(last.shape[axis + 1 :])) for axis in range(len(last.shape))]
    axes = last.axes
    if not axes or builder.types[last.node].dtype != "uint8":
        raise QnnError(found.path, "gives a map in another order", "end it in a layer of its own")
    sizes, steps = [last.shape[axis] for axis in axes], [strides[axis] for axis in axes]
    ahead = 4 - len(sizes)
    op = Gather(0, np.array([1] * ahead + sizes, np.int32), np.array([0] * ahead + steps, np.int32))
    return builder.add(op, (last.node,), builder.types[last.node])
