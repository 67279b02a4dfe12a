# SPDX-License-Identifier: MIT
"""Random integer graphs as imports of models with 16-bit activations make them: int16 from end to end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from graphs import RECORD, random_schema
from mapgraphs import Tensor, random_max_pool, random_pad, random_window

from qnn.check import check
from qnn.fixedpoint import INT32_MAX, INT32_MIN, Requantization, requantization
from qnn.graph import CLASS, INPUT, Graph, Node
from qnn.importing.tflitecurves16 import logistic_table
from qnn.importing.tflitesoftmax16 import exponentials, place_scale, reciprocals
from qnn.importing.tflm import gemmlowp, int16x8
from qnn.ops.accumulate import channel_bounds
from qnn.ops.add16 import Add16
from qnn.ops.argmax import Argmax
from qnn.ops.average_pool import AveragePool
from qnn.ops.conv2d import Conv2d
from qnn.ops.dense import Dense
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.gather import Gather
from qnn.ops.load import Load
from qnn.ops.mul import Mul
from qnn.ops.op import Op, TensorType
from qnn.ops.retype import Retype
from qnn.ops.sigmoid16 import Sigmoid16
from qnn.ops.softmax16 import Softmax16
from qnn.weights import rounding_shift

Made = tuple[tuple[str, ...], Op, TensorType]
SMALLEST, LARGEST = -32768, 32767


def random_wide_graph(rng: np.random.Generator, name: str = "net") -> Graph:
    """A checked graph of one to five operators from int16 to int16."""
    raw = wide((*rng.choice([1, 2, 3, 5], 2).tolist(), int(rng.choice([1, 2, 4, 5]))))
    body = [Node("loaded", Load(), (INPUT,), raw)]
    tensors: list[Tensor] = [("loaded", raw)]
    for index in range(int(rng.integers(1, 6))):
        inputs, op, kind = _random(rng, tensors)
        body.append(Node(f"node{index}", op, inputs, kind))
        tensors.append((body[-1].name, kind))
    if body[-1].op.kind in ("pad", "concat"):
        body.append(Node("copied", Load(), (body[-1].name,), body[-1].type))
    kind = body[-1].type
    classifier = bool(rng.integers(2))
    schema = random_schema(raw, kind, classifier)
    head = Node(CLASS, Argmax(0), (body[-1].name,), TensorType((1,), "int32", 0, max(kind.elements, 2) - 1))
    nodes = (*body, *([head] if classifier else []))
    return check(Graph(name, schema, RECORD, raw, nodes, body[-1].name, "loaded"))


def wide(shape: tuple[int, ...], low: int = SMALLEST) -> TensorType:
    return TensorType(shape, "int16", low, LARGEST, 0.001, 0)


def constants(
    rng: np.random.Generator, weights: np.ndarray, x: TensorType, low: int
) -> tuple[np.ndarray, Requantization, int]:
    """(bias, requantization, rounding shift): biases that sometimes need 64 bits, results that sometimes saturate."""
    bits = int(rng.choice([4, 20, 28, 36, 44]))
    bias = rng.integers(-(1 << bits), 1 << bits, len(weights))
    lowest, highest = channel_bounds(weights, bias, x)
    largest = np.maximum(np.maximum(-lowest, highest), 1 << 15)
    factors = 2.0 ** rng.uniform(-2, 4) * 2.0**15 / largest
    if rng.integers(3) == 0:
        factors = 2.0 ** np.floor(np.log2(factors))
    return bias, int16x8(factors, low, LARGEST), rounding_shift(int(lowest.min()), int(highest.max()))


def byte_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    weights = rng.integers(-127, 128, shape)
    weights[rng.random(shape) < 0.2] = rng.choice([-128, -127, 0, 127])
    return weights.astype(np.int8)


def _conv2d(rng: np.random.Generator, source: str, x: TensorType) -> Made:
    window, filters, low = random_window(rng, x), int(rng.choice([1, 2, 4, 5])), int(rng.choice([SMALLEST, 0]))
    weights = byte_weights(rng, (filters, window.kernel_height, window.kernel_width, window.channels))
    bias, rule, shift = constants(rng, weights, x, low)
    op = Conv2d(window, weights, bias, 0, rule, shift)
    return (source,), op, wide((window.out_height, window.out_width, filters), low)


def _depthwise(rng: np.random.Generator, source: str, x: TensorType) -> Made:
    window, multiplier, low = random_window(rng, x), int(rng.choice([1, 2])), int(rng.choice([SMALLEST, 0]))
    weights = byte_weights(rng, (window.channels * multiplier, window.kernel_height, window.kernel_width))
    bias, rule, shift = constants(rng, weights, x, low)
    op = DepthwiseConv2d(window, multiplier, weights, bias, 0, rule, shift)
    return (source,), op, wide((window.out_height, window.out_width, len(weights)), low)


def _dense(rng: np.random.Generator, source: str, x: TensorType) -> Made:
    units, low = int(rng.choice([1, 2, 4, 5, 9])), int(rng.choice([SMALLEST, 0]))
    weights = byte_weights(rng, (units, x.elements))
    bias, rule, shift = constants(rng, weights, x, low)
    return (source,), Dense(weights, bias, shift, rule), wide((units,), low)


def _average_pool(rng: np.random.Generator, source: str, x: TensorType) -> Made:
    window = random_window(rng, x)
    cases = window.taps if window.pads else 1
    rule = requantization(2.0 ** rng.uniform(-5, 0, cases), 0, SMALLEST, LARGEST)
    return (source,), AveragePool(window, 0, rule), wide((window.out_height, window.out_width, window.channels))


def _moved(make: Callable[[np.random.Generator, TensorType], tuple[Op, TensorType]]) -> Callable[..., Made]:
    def made(rng: np.random.Generator, source: str, x: TensorType) -> Made:
        return (source,), *make(rng, x)

    return made


def _gather(rng: np.random.Generator, source: str, x: TensorType) -> Made:
    order = rng.permutation(3).tolist()
    strides = (x.shape[1] * x.shape[2], x.shape[2], 1)
    sizes, steps = [1, *(x.shape[axis] for axis in order)], [0, *(strides[axis] for axis in order)]
    op = Gather(0, np.array(sizes, np.int32), np.array(steps, np.int32))
    return (source,), op, TensorType(op.output_shape((x,)), "int16", x.low, x.high, x.scale, 0)


def _retype(rng: np.random.Generator, source: str, x: TensorType) -> Made:
    low = int(rng.choice([SMALLEST, 0]))
    return (source,), Retype(0, gemmlowp(2.0 ** rng.uniform(-3, 0, 1), 0, low, LARGEST)), wide(x.shape, low)


def _sigmoid16(rng: np.random.Generator, source: str, x: TensorType) -> Made:
    op = Sigmoid16(int(rng.integers(1, 1 << 15)), int(rng.integers(0, 18)), int(rng.integers(2)), logistic_table())
    return (source,), op, wide(x.shape)


def _softmax16(rng: np.random.Generator, source: str, x: TensorType) -> Made:
    scale = place_scale(float(2.0 ** rng.uniform(-6, 3)))
    op = Softmax16(x.shape[-1], scale, exponentials(), reciprocals())
    return (source,), op, wide(x.shape, 0)


def _binary(rng: np.random.Generator, tensors: list[Tensor]) -> Made:
    """The latest tensor and any of its shape, or whose values repeat within it: their sum, or their product."""
    source, x = tensors[-1]
    others = [(name, kind) for name, kind in tensors if x.elements % kind.elements == 0]
    other, kind = others[int(rng.integers(len(others)))]
    low = int(rng.choice([SMALLEST, 0]))
    rule = gemmlowp(2.0 ** rng.uniform(-16, -1, 1), 0, low, LARGEST)
    if kind.shape != x.shape or rng.integers(2):
        return (source, other), Mul(0, 0, rule), wide(x.shape, low)
    scale = gemmlowp(2.0 ** rng.uniform(-6, -1, 2), 0, INT32_MIN, INT32_MAX)
    return (source, other), Add16(scale, rule), wide(x.shape, low)


def _random(rng: np.random.Generator, tensors: list[Tensor]) -> Made:
    source, x = tensors[-1]
    if rng.integers(4) == 0:
        return _binary(rng, tensors)
    flat = (_dense, _retype, _sigmoid16, _softmax16)
    maps = (_conv2d, _conv2d, _depthwise, _depthwise, _average_pool, _gather)
    moves = (_moved(random_max_pool), _moved(random_pad))
    makers = flat if len(x.shape) != 3 else (*flat, *maps, *moves)
    return makers[int(rng.integers(len(makers)))](rng, source, x)
