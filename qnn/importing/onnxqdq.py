# SPDX-License-Identifier: MIT
"""A quantized ONNX file as operators on tensors that have a scale: QDQ pairs and QOperator nodes become the same.

Each tensor of real numbers that is quantized keeps its name; what quantizes and dequantizes it vanishes, and so do a
Relu and a Clip that clamp what is quantized behind them. What the onnx operators mean is in their specification, of the
com.microsoft domain in onnxruntime's ContribOperators.md.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from qnn.importing.onnxfile import OnnxModel, OnnxNode
from qnn.importing.onnxscales import Meaning, Quantized, constant, meaning, parameters
from qnn.importing.onnxspread import fold_clamps, spread

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
KINDS: tuple[tuple[str, str, int], ...] = (  # with scales among the inputs, the operator on reals, its quantized inputs
    ("QLinearConv", "Conv", 2),
    ("QLinearMatMul", "MatMul", 2),
    ("QGemm", "Gemm", 2),
    ("QLinearAdd", "Add", 2),
    ("QLinearMul", "Mul", 2),
    ("QLinearSigmoid", "Sigmoid", 1),
    ("QLinearLeakyRelu", "LeakyRelu", 1),
    ("QLinearSoftmax", "Softmax", 1),
    ("QLinearAveragePool", "AveragePool", 1),
    ("QLinearGlobalAveragePool", "GlobalAveragePool", 1),
    ("QLinearConcat", "Concat", 0),
)


def is_quantized(model: OnnxModel) -> bool:
    """Does the file quantize anything?"""
    kinds = {QUANTIZE, DEQUANTIZE, *(kind for kind, _, _ in KINDS)}
    return any(node.kind in kinds for node in model.nodes)


def quantized(model: OnnxModel, path: Path) -> Quantized:
    """The operators of a quantized model. Raises QnnError naming the node whose scales cannot be taken over."""
    found = Quantized(path, model)
    forms = {kind: (real, inputs) for kind, real, inputs in KINDS}
    for node in model.nodes:
        if node.kind == QUANTIZE:
            _quantize(found, node)
        elif node.kind == DEQUANTIZE:
            _dequantize(found, node)
        elif node.kind in forms:
            _with_scales(found, node, *forms[node.kind])
        elif node.inputs and node.inputs[0] in found.weights and node.kind in ("Transpose", "Identity"):
            _moved_constant(found, node)
        else:
            inputs = tuple(found.resolved(name) for name in node.inputs)
            found.nodes.append(replace(node, inputs=inputs))
    fold_clamps(found)
    spread(found)
    return found


def _quantize(found: Quantized, node: OnnxNode) -> None:
    """QuantizeLinear: its input keeps its name; a tensor that has another scale already is brought to this one."""
    name, output = found.resolved(node.inputs[0]), node.outputs[0]
    axis, default = int(node.attribute("axis", 1)), "uint8"
    if name in found.model.constants:
        reals = found.model.constants[name].astype(np.float32)
        scales, zeros, dtype = parameters(found, node, 1, default)
        limits = np.iinfo(dtype)
        made = constant(found, node, np.zeros(reals.shape, np.dtype(dtype)), 1, axis)
        steps = np.rint(reals / made.spread(scales)) + made.spread(zeros)
        found.weights[output] = replace(made, values=np.clip(steps, limits.min, limits.max).astype(np.int64))
        found.folded(node, "of a constant")
        return
    said = meaning(found, node, 1, default)
    if found.meanings.setdefault(name, said) != said:
        found.meanings[output], found.stored[output] = said, output
        found.nodes.append(replace(node, inputs=(name,)))
        return
    found.same[output] = name
    found.stored.setdefault(name, output)
    found.folded(node, "a scale of what is before it")


def _dequantize(found: Quantized, node: OnnxNode) -> None:
    """DequantizeLinear: of a constant, weights; of a tensor, the tensor itself."""
    name, output = found.resolved(node.inputs[0]), node.outputs[0]
    values = found.model.constants.get(name)
    if name in found.weights or values is not None:
        if values is not None:
            made = constant(found, node, values, 1, int(node.attribute("axis", 1)))
        found.weights[output] = found.weights[name] if values is None else made
        found.folded(node, "constants keep their scales")
        return
    _expect(found, node, name, meaning(found, node, 1, found.model.dtypes.get(node.inputs[0], "uint8")))
    found.same[output] = name
    found.folded(node, "a scale of what is before it")


def _expect(found: Quantized, node: OnnxNode, name: str, said: Meaning) -> None:
    """Note what a tensor means. Raises QnnError where it was said otherwise before."""
    if found.meanings.setdefault(name, said) != said:
        raise found.refused(node, "reads with another scale than was written", "quantize the model again")
    found.stored.setdefault(name, name)


def _with_scales(found: Quantized, node: OnnxNode, kind: str, count: int) -> None:
    """A QOperator node as the operator on reals."""
    operands: list[tuple[int, int]] = [(3 * i, 3 * i + 1) for i in range(count)]
    result, rest = 3 * count, node.inputs[3 * count + 2 :]
    if kind == "Gemm":
        result, rest = 7, node.inputs[6:7]
    if kind == "Concat":
        result, operands, rest = 0, [(i, i + 1) for i in range(2, len(node.inputs) - 2, 3)], ()
    if node.attribute("channels_last", 0):
        raise found.refused(node, "has its channels last", "export the model with channels first")
    inputs = []
    for at, scales in operands:
        name = found.resolved(node.inputs[at])
        if name in found.model.constants:
            axis = 0 if kind == "Conv" or (kind == "Gemm" and node.attribute("transB", 0)) else -1
            values = found.model.constants[name]
            name = f"{name} of {node.index}"
            found.weights[name] = constant(found, node, values, scales, axis)
        else:
            said = meaning(found, node, scales, "uint8")
            _expect(found, node, name, said)
        inputs.append(name)
    inputs += [name for name in rest if name]
    output = node.outputs[0]
    if len(node.inputs) > result:
        found.meanings[output] = meaning(found, node, result, "uint8")
        found.stored[output] = output
    found.nodes.append(replace(node, kind=kind, inputs=tuple(inputs)))


def _moved_constant(found: Quantized, node: OnnxNode) -> None:
    """A quantized constant in another order of axes."""
    known = found.weights[node.inputs[0]]
    rank = known.values.ndim
    order = [int(axis) for axis in node.attribute("perm", range(rank)[::-1])]
    order = order if node.kind == "Transpose" else list(range(rank))
    if sorted(order) != list(range(rank)):
        raise found.refused(node, f"has the order {order}", "export the model again")
    axis = order.index(known.axis) if known.axis < rank else 0
    found.weights[node.outputs[0]] = replace(known, values=known.values.transpose(order), axis=axis)
    found.folded(node, "constants are put in order")
