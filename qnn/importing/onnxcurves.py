# SPDX-License-Identifier: MIT
"""Functions of one quantized value in ONNX files as tables of 256 entries, computed in float32 as onnxruntime does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from qnn.importing.layout import Stored
from qnn.importing.onnxfile import OnnxNode
from qnn.importing.onnxinteger import IntegerConversion, meant

Curve = Callable[[IntegerConversion, np.ndarray], np.ndarray]


def _attribute(at: IntegerConversion, name: str, default: float) -> np.float32:
    value = float(at.node.attribute(name, default))
    if not math.isfinite(value):
        raise at.refused(f"has {name} {value}", "export the model again")
    return np.float32(value)


def _relu(at: IntegerConversion, x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def _clip(at: IntegerConversion, x: np.ndarray) -> np.ndarray:
    low = at.reals(1).reshape(-1)[0] if at.has(1) else -math.inf
    high = at.reals(2).reshape(-1)[0] if at.has(2) else math.inf
    return np.minimum(np.maximum(x, low), high)


def _leaky_relu(at: IntegerConversion, x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, x * _attribute(at, "alpha", 0.01), x)


def _sigmoid(at: IntegerConversion, x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _tanh(at: IntegerConversion, x: np.ndarray) -> np.ndarray:
    return np.tanh(x)


def _hard_sigmoid(at: IntegerConversion, x: np.ndarray) -> np.ndarray:
    return np.clip(x * _attribute(at, "alpha", 0.2) + _attribute(at, "beta", 0.5), 0, 1)


def _hard_swish(at: IntegerConversion, x: np.ndarray) -> np.ndarray:
    return x * np.clip(x / 6 + np.float32(0.5), 0, 1)


def _elu(at: IntegerConversion, x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, _attribute(at, "alpha", 1.0) * np.expm1(x), x)


def _identity(at: IntegerConversion, x: np.ndarray) -> np.ndarray:
    return x


CURVES: tuple[tuple[str, Curve], ...] = (
    ("Relu", _relu),
    ("Clip", _clip),
    ("LeakyRelu", _leaky_relu),
    ("Sigmoid", _sigmoid),
    ("Tanh", _tanh),
    ("HardSigmoid", _hard_sigmoid),
    ("HardSwish", _hard_swish),
    ("Elu", _elu),
    ("QuantizeLinear", _identity),
)


def waits(at: IntegerConversion) -> bool:
    """Is it a function of one value whose result has no scale, so that it belongs to the function behind it?"""
    return at.node.kind in dict(CURVES) and at.output not in at.found.meanings and not at.ends


def curve(at: IntegerConversion) -> Stored:
    """A function of one value, and those before it whose results have no scale, as one table."""
    makers = {node.outputs[0]: node for node in at.found.nodes if node.outputs}
    chain, start = [at.node], at.node.inputs[0]
    while start not in at.tensors and start in makers and makers[start].kind in dict(CURVES):
        chain.append(makers[start])
        start = makers[start].inputs[0]
    source = replace(at, node=chain[-1]).tensor()
    return at.table(source, applied(at, chain, meant(at.kind(source))), at.result())


def applied(at: IntegerConversion, chain: list[OnnxNode], x: np.ndarray) -> np.ndarray:
    """float32: the functions of `chain`, the last first, of x."""
    with np.errstate(over="ignore"):
        for node in reversed(chain):
            x = dict(CURVES)[node.kind](replace(at, node=node), x).astype(np.float32)
    return x
