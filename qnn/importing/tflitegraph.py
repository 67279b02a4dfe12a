# SPDX-License-Identifier: MIT
"""An int8 TensorFlow Lite file as an integer graph: the same bits as TensorFlow Lite Micro, operator by operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from qnn.check import check
from qnn.errors import QnnError
from qnn.fixedpoint import GEMMLOWP
from qnn.graph import INPUT, Graph
from qnn.importing.border import bordered, entered, left
from qnn.importing.bounds import Budget
from qnn.importing.conversion import QUANTIZED, Conversion, Converted, Source, activation_type
from qnn.importing.explain import DROPPED, FOLDED, KEPT, Fate
from qnn.importing.tflitearith import add, mean, mul, softmax
from qnn.importing.tflitecurves16 import clamp, sigmoid
from qnn.importing.tflitefile import NO_TENSOR, TfliteModel, TfliteOperator
from qnn.importing.tflitelayers import average_pool_2d, conv_2d, depthwise_conv_2d, fully_connected, max_pool_2d
from qnn.importing.tflitemoves import concatenation, pad, reshape, strided_slice, transpose
from qnn.importing.tflitesoftmax16 import softmax16
from qnn.importing.tflitetables import (
    leaky_relu_table,
    logistic_table,
    quantize_table,
    relu6_table,
    relu_n1_to_1_table,
    relu_table,
    tanh_table,
)
from qnn.names import comment_text

CONVERTERS: tuple[tuple[str, Callable[[Conversion], Converted], str], ...] = (  # name, converter, operator
    ("CONV_2D", conv_2d, "conv2d"),
    ("DEPTHWISE_CONV_2D", depthwise_conv_2d, "depthwise_conv2d"),
    ("FULLY_CONNECTED", fully_connected, "dense"),
    ("AVERAGE_POOL_2D", average_pool_2d, "average_pool"),
    ("MAX_POOL_2D", max_pool_2d, "max_pool"),
    ("ADD", add, "add"),
    ("MUL", mul, "mul"),
    ("MEAN", mean, "average_pool"),
    ("CONCATENATION", concatenation, "concat"),
    ("PAD", pad, "pad"),
    ("PADV2", pad, "pad"),
    ("RESHAPE", reshape, ""),
    ("SQUEEZE", reshape, ""),
    ("EXPAND_DIMS", reshape, ""),
    ("STRIDED_SLICE", strided_slice, "gather"),
    ("TRANSPOSE", transpose, "gather"),
    ("SOFTMAX", softmax, "softmax8"),
    ("LOGISTIC", logistic_table, "table"),
    ("TANH", tanh_table, "table"),
    ("RELU", relu_table, "table"),
    ("RELU_N1_TO_1", relu_n1_to_1_table, "table"),
    ("RELU6", relu6_table, "table"),
    ("LEAKY_RELU", leaky_relu_table, "table"),
    ("QUANTIZE", quantize_table, "table"),
)
WIDE = (
    *("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "AVERAGE_POOL_2D", "MAX_POOL_2D", "ADD", "MUL", "MEAN"),
    *("CONCATENATION", "PAD", "PADV2", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "STRIDED_SLICE", "TRANSPOSE", "QUANTIZE"),
    *("SOFTMAX", "LOGISTIC", "TANH", "RELU", "RELU6"),
)  # with activations of 16 bits too
OF_16_BITS: tuple[tuple[str, Callable[[Conversion], Converted], str], ...] = (  # what is another operator then
    ("SOFTMAX", softmax16, "softmax16"),
    ("LOGISTIC", sigmoid, "sigmoid16"),
    ("TANH", sigmoid, "sigmoid16"),
    ("RELU", clamp, "retype"),
    ("RELU6", clamp, "retype"),
    ("ADD", add, "add16"),
    ("QUANTIZE", quantize_table, "retype"),
)
BORDERS = ("QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True, eq=False)
class ImportedGraph:
    """An integer graph from a file, and what became of each operator."""

    graph: Graph
    fates: tuple[Fate, ...]


def is_quantized(model: TfliteModel) -> bool:
    """Does the file hold an int8 network? (Its input and output may be float32 or uint8, behind QUANTIZE.)"""
    return any(tensor.dtype in ("int8", "int16") and len(tensor.scales) > 0 for tensor in model.tensors)


def tflite_graph(
    model: TfliteModel, path: Path, name: str, labels: tuple[str, ...] = (), rounding: str = GEMMLOWP
) -> ImportedGraph:
    """The checked integer graph of an int8 model. Raises QnnError naming the operator that has no integer form here."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        problem = f"has {len(model.inputs)} inputs and {len(model.outputs)} outputs"
        raise QnnError(path, problem, "export a model with one of each")
    wanted, fates = _needed(model)
    first, last, borders = _border(model, wanted, path)
    fates += [_fate(model, op, FOLDED, (), "the header takes and gives the quantized values") for op in borders]
    operators = [op for op in wanted if op not in borders]
    if not operators:
        raise QnnError(path, "computes nothing", "export the model again")
    start = Conversion(path, model, operators[0], rounding)
    kind = activation_type(model.tensors[first], start)
    raw, nodes = entered(kind, _reads_directly(model, operators, first))
    sources = {first: Source(nodes[0].name, nodes[0].type) if nodes else Source(INPUT, raw)}
    budget = Budget(path, {INPUT: raw, **{node.name: node.type for node in nodes}})
    for op in operators:
        converted = _converted(replace(start, op=op, sources=sources))
        result = converted.same or Source(converted.nodes[-1].name, converted.nodes[-1].type)
        if len(op.outputs) == 1:
            sources[op.outputs[0]] = result
        for node in converted.nodes:
            budget.spend(node)
        nodes += converted.nodes
        names = tuple(node.name for node in converted.nodes)
        fates.append(_fate(model, op, KEPT if names else FOLDED, names, converted.note))
    body = left(nodes, sources[last])
    graph = bordered(name, raw, body, labels, operators[-1].kind == "SOFTMAX")
    return ImportedGraph(check(graph), tuple(sorted(fates, key=lambda fate: fate.index)))


def _needed(model: TfliteModel) -> tuple[list[TfliteOperator], list[Fate]]:
    """The operators that the output depends on, and the fates of the others."""
    needed, kept = set(model.outputs), []
    for op in reversed(model.operators):
        if needed & set(op.outputs):
            needed |= set(op.inputs) - {NO_TENSOR}
            kept.append(op)
    dropped = [op for op in model.operators if op not in kept]
    return kept[::-1], [_fate(model, op, DROPPED, (), "the output does not depend on it") for op in dropped]


def _border(model: TfliteModel, operators: list[TfliteOperator], path: Path) -> tuple[int, int, list[TfliteOperator]]:
    """(first tensor, last tensor, operators beyond them): what lies within QUANTIZE and DEQUANTIZE at the ends."""
    first, last, borders = model.inputs[0], model.outputs[0], []
    for _ in range(2):
        readers = [op for op in operators if first in op.inputs]
        if model.tensors[first].dtype not in QUANTIZED and len(readers) == 1 and readers[0].kind == "QUANTIZE":
            first = readers[0].outputs[0]
            borders.append(readers[0])
        writers = [op for op in operators if last in op.outputs]
        if model.tensors[last].dtype not in QUANTIZED and writers and writers[0].kind in BORDERS:
            last = writers[0].inputs[0]
            borders.append(writers[0])
    for index, end in ((first, "input"), (last, "output")):
        if model.tensors[index].dtype not in QUANTIZED:
            problem = f"has an {end} of {model.tensors[index].dtype} without a scale behind it"
            raise QnnError(path, problem, "quantize the whole model to int8")
    return first, last, borders


def _converted(at: Conversion) -> Converted:
    converter = next((entry[1] for entry in CONVERTERS if entry[0] == at.op.kind), None)
    if converter is None:
        names = ", ".join(entry[0] for entry in CONVERTERS)
        raise at.refused("is not supported", f"build the model of {names}")
    wide = any(index != NO_TENSOR and at.model.tensors[index].dtype == "int16" for index in at.op.inputs)
    own = next((entry[1] for entry in OF_16_BITS if entry[0] == at.op.kind), None)
    if wide and own is not None:
        return own(at)
    if wide and at.op.kind not in WIDE:
        raise at.refused("has no form with activations of 16 bits", f"use int8, or {', '.join(WIDE)}")
    return converter(at)


def _fate(model: TfliteModel, op: TfliteOperator, fate: str, nodes: tuple[str, ...], note: str) -> Fate:
    result = ", ".join(model.tensors[index].name for index in op.outputs if index != NO_TENSOR)
    return Fate(op.index, op.kind, comment_text(result)[:60], fate, nodes, note)


def _reads_directly(model: TfliteModel, operators: list[TfliteOperator], first: int) -> bool:
    """Is the input's only reader a fully connected layer of one row, which takes int8 as it is?"""
    readers = [op for op in operators if first in op.inputs]
    wide = model.tensors[first].dtype != "int8"
    if wide or len(readers) != 1 or readers[0].kind != "FULLY_CONNECTED" or len(readers[0].inputs) < 2:
        return False
    weights = model.tensors[readers[0].inputs[1]]
    return readers[0].inputs[0] == first and weights.shape[1:] == (model.tensors[first].elements,)
