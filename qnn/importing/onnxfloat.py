# SPDX-License-Identifier: MIT
"""A float ONNX file as a float model, to be calibrated and quantized here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qnn.errors import QnnError
from qnn.importing.explain import DROPPED, FOLDED, KEPT, Fate
from qnn.importing.floatgraph import FloatBuilder
from qnn.importing.layout import CHANNELS_FIRST, SEQUENCE_FIRST, Stored, flat_order, flattened
from qnn.importing.onnxarith import add, batch_normalization, clip, leaky_relu, mul, relu, sigmoid, tanh
from qnn.importing.onnxconversion import OnnxConversion
from qnn.importing.onnxfile import OnnxModel, OnnxNode
from qnn.importing.onnxlayers import average_pool, conv, gemm, global_average_pool, matmul, max_pool
from qnn.importing.onnxmoves import concat, flatten, identity, pad, reshape, transpose
from qnn.model import INPUT, Node
from qnn.names import comment_text

CONVERTERS: tuple[tuple[str, Callable[[OnnxConversion], Stored], str], ...] = (  # name, converter, layer
    ("Conv", conv, "conv2d"),
    ("Gemm", gemm, "dense"),
    ("MatMul", matmul, "dense"),
    ("Add", add, "add"),
    ("Sub", add, "batch_norm"),
    ("Mul", mul, "mul"),
    ("Div", mul, "batch_norm"),
    ("Relu", relu, "relu"),
    ("Clip", clip, "clamp"),
    ("LeakyRelu", leaky_relu, "leaky_relu"),
    ("Sigmoid", sigmoid, "sigmoid"),
    ("Tanh", tanh, "tanh"),
    ("MaxPool", max_pool, "max_pool"),
    ("AveragePool", average_pool, "average_pool"),
    ("GlobalAveragePool", global_average_pool, "global_average_pool"),
    ("ReduceMean", global_average_pool, "global_average_pool"),
    ("BatchNormalization", batch_normalization, "batch_norm"),
    ("Flatten", flatten, "flatten"),
    ("Reshape", reshape, "reshape"),
    ("Squeeze", reshape, "reshape"),
    ("Unsqueeze", reshape, "reshape"),
    ("Transpose", transpose, ""),
    ("Concat", concat, "concat"),
    ("Pad", pad, "pad"),
    ("Identity", identity, ""),
    ("Dropout", identity, ""),
    ("Cast", identity, ""),
)
ENDINGS = ("Softmax", "Sigmoid", "LogSoftmax")
DYNAMIC = ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger")  # scales that are found at run time
LAST_FIRST = [0, 3, 1, 2]  # a transpose of an input whose channels come last


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """A float network: nodes, one sample's shape, what ends it ("" or the probabilities that were left out), fates."""

    nodes: tuple[Node, ...]
    shape: tuple[int, ...]
    ending: str
    fates: tuple[Fate, ...]
    outputs: int


def onnx_network(model: OnnxModel, path: Path) -> FloatNetwork:
    """The float network of an ONNX model. Raises QnnError naming the node that has no layer here."""
    output = _output(model, path)
    needed, fates = _needed(model, output)
    needed, output, ending, left_out = _without_ending(model, needed, output)
    fates += [_fate(node, FOLDED, (), "probabilities are made from the logits") for node in left_out]
    builder = FloatBuilder()
    start = _input(model, path, builder, needed)
    tensors = {start[0]: start[1]}
    for node in needed:
        before = len(builder.nodes)
        at = OnnxConversion(path, model, node, tensors, builder)
        converter = next((entry[1] for entry in CONVERTERS if entry[0] == node.kind), None)
        if converter is None:
            names = ", ".join(entry[0] for entry in CONVERTERS)
            remedy = (
                "quantize the model statically (quantize_static)" if node.kind in DYNAMIC else f"build it of {names}"
            )
            raise at.refused("is not supported", remedy)
        tensors[node.outputs[0]] = converter(at)
        made = tuple(item.name for item in builder.nodes[before:])
        fates.append(_fate(node, KEPT if made else FOLDED, made, "" if made else "no value is computed"))
    last = flattened(builder, tensors[output])
    if flat_order(last) is not None or not builder.nodes or builder.nodes[-1].name != last.node:
        raise QnnError(path, f"its output {comment_text(output)[:60]} is a map", "end it in a layer of its own")
    ordered = tuple(sorted(fates, key=lambda fate: fate.index))
    return FloatNetwork(tuple(builder.nodes), builder.shape(INPUT), ending, ordered, math.prod(last.shape))


def _output(model: OnnxModel, path: Path) -> str:
    """The one output of floats (classifiers may give a label as well)."""
    floats = [name for name in model.outputs if model.dtypes.get(name, "float32").startswith("float")]
    if len(floats) != 1:
        raise QnnError(path, f"has {len(floats)} outputs of floats", "export a model with one (skl2onnx: zipmap=False)")
    return floats[0]


def _needed(model: OnnxModel, output: str) -> tuple[list[OnnxNode], list[Fate]]:
    """The nodes that the output depends on, and the fates of the others."""
    wanted, kept = {output}, []
    for node in reversed(model.nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            kept.append(node)
    dropped = [node for node in model.nodes if node not in kept]
    return kept[::-1], [_fate(node, DROPPED, (), "the output does not depend on it") for node in dropped]


def _without_ending(
    model: OnnxModel, nodes: list[OnnxNode], output: str
) -> tuple[list[OnnxNode], str, str, list[OnnxNode]]:
    """(nodes, output, ending, nodes left out): without the softmax or sigmoid that makes probabilities of logits.

    Two probabilities p and 1 - p of one sigmoid (scikit-learn) count as that sigmoid.
    """
    by_output = {node.outputs[0]: node for node in nodes}
    left: list[OnnxNode] = []
    name = output
    while name in by_output and by_output[name].kind in ("Identity", "Cast"):
        left.append(by_output[name])
        name = by_output[name].inputs[0]
    last = by_output.get(name)
    if last is not None and last.kind == "Concat" and len(last.inputs) == 2:
        minus, plus = (by_output.get(tensor) for tensor in last.inputs)
        if minus is not None and plus is not None and minus.kind == "Sub" and plus.kind == "Sigmoid":
            one = model.constants.get(minus.inputs[0], np.zeros(1))
            if minus.inputs[1] == plus.outputs[0] and one.size == 1 and float(one.reshape(-1)[0]) == 1:
                left += [last, minus]
                last = plus
    width = model.shapes.get(last.outputs[0], (0,))[-1] if last is not None else 0
    several = last is not None and last.kind == "Sigmoid" and width != 1
    if last is None or last.kind not in ENDINGS or several or any(last.inputs[0] == node.outputs[0] for node in left):
        return nodes, output, "", []
    left.append(last)
    rest = [node for node in nodes if node not in left]
    return rest, last.inputs[0], last.kind, left


def _input(model: OnnxModel, path: Path, builder: FloatBuilder, nodes: list[OnnxNode]) -> tuple[str, Stored]:
    """The model's one input: (H, W, C) here, or flat; the file has its channels first, unless a transpose says it."""
    if len(model.inputs) != 1:
        raise QnnError(path, f"has {len(model.inputs)} inputs", "export a model with one")
    name = model.inputs[0]
    stored = model.shapes.get(name, ())[1:]
    if not 1 <= len(stored) <= 3 or 0 in stored:
        raise QnnError(path, f"its input has the shape {model.shapes.get(name)}", "export it with fixed sizes")
    if len(stored) == 1:
        builder.start(stored)
        return name, Stored(INPUT, stored, stored)
    readers = [node for node in nodes if name in node.inputs]
    last = len(stored) == 3 and any(
        node.kind == "Transpose" and list(node.attribute("perm", [])) == LAST_FIRST for node in readers
    )
    if last:
        builder.start(stored)
        return name, Stored(INPUT, stored, stored, (0, 1, 2))
    shape = (*stored[1:], stored[0]) if len(stored) == 3 else (1, stored[1], stored[0])
    builder.start(shape)
    return name, Stored(INPUT, shape, stored, CHANNELS_FIRST if len(stored) == 3 else SEQUENCE_FIRST)


def _fate(node: OnnxNode, fate: str, made: tuple[str, ...], note: str) -> Fate:
    result = comment_text(node.outputs[0] if node.outputs else "")[:60]
    return Fate(node.index, comment_text(node.kind)[:40], result, fate, made, note)
