# SPDX-License-Identifier: MIT
"""Random integer graphs as imports make them: bytes at the border, their roundings, the operators of imports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from graphs import RECORD, random_schema
from mapgraphs import Tensor, padding_of, random_max_pool, random_pad, random_window

from qnn.check import check
from qnn.fixedpoint import HALF_EVEN, Requantization, requantization
from qnn.graph import CLASS, INPUT, Graph, Node
from qnn.importing.tflm import gemmlowp
from qnn.ops.add import Add
from qnn.ops.argmax import Argmax
from qnn.ops.average_pool import AveragePool
from qnn.ops.conv2d import Conv2d
from qnn.ops.dense import Dense
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.flip import Flip
from qnn.ops.gather import Gather
from qnn.ops.mul import Mul
from qnn.ops.op import Op, TensorType
from qnn.ops.softmax8 import Softmax8
from qnn.ops.table import Table


def random_imported_graph(rng: np.random.Generator, name: str = "net") -> Graph:
    """A checked graph of one to five operators from int8 to int8, sometimes to int16."""
    shape = tuple(int(rng.choice([1, 2, 3, 5, 6])) for _ in range(2))
    raw = TensorType((*shape, int(rng.choice([1, 2, 3, 4, 5]))), "int8", -128, 127, 0.1, int(rng.integers(-128, 128)))
    direct = rng.integers(3) == 0
    body = [] if direct else [Node("unsigned", Flip(128), (INPUT,), _shifted(raw, "uint8", 128))]
    tensors: list[Tensor] = [(INPUT, raw) if direct else ("unsigned", body[0].type)]
    for index in range(int(rng.integers(1, 6))):
        flat = tensors[-1][1].dtype == "int8" or len(tensors[-1][1].shape) != 3
        made = _dense(rng, *tensors[-1]) if flat else _random(rng, tensors)
        node = Node(f"node{index}", made[1], made[0], made[2])
        body.append(node)
        tensors.append((node.name, node.type))
    wide = rng.integers(6) == 0 and tensors[-1][1].dtype == "uint8"
    if wide:
        body = [*body, _wide_product(rng, *tensors[-1])]
    elif rng.integers(6) or body[-1].type.dtype != "uint8":
        body = _signed_output(rng, body)
    kind = body[-1].type
    classifier = bool(rng.integers(2))
    schema = random_schema(raw, kind, classifier)
    head = Node(
        CLASS, Argmax(kind.zero_point), (body[-1].name,), TensorType((1,), "int32", 0, max(kind.elements, 2) - 1)
    )
    return check(Graph(name, schema, RECORD, raw, (*body, *([head] if classifier else [])), body[-1].name, INPUT))


def _shifted(kind: TensorType, dtype: str, offset: int) -> TensorType:
    low, high, zero = kind.low + offset, kind.high + offset, kind.zero_point + offset
    return replace(kind, dtype=dtype, low=low, high=high, zero_point=zero)


def imported_rounding(rng: np.random.Generator, channels: int, kind: TensorType, zero: int) -> Requantization:
    """Random factors, rounded twice or to even; sometimes ones that make ties, or need a shift to the left, or none."""
    exponents = rng.uniform(-18, 0, channels)
    choice = rng.integers(4)
    if choice == 0:
        exponents = np.floor(exponents)
    if choice == 1:
        exponents = rng.uniform(-2, 1.9, channels)
    if rng.integers(3) == 0:
        factors = 2.0 ** np.minimum(exponents if choice else np.maximum(exponents, -9), -1)
        return replace(requantization(factors, zero, kind.low, kind.high), rounding=HALF_EVEN)
    return gemmlowp(2.0**exponents, zero, kind.low, kind.high)


def uint8_output(rng: np.random.Generator, shape: tuple[int, ...]) -> TensorType:
    """A random uint8 type; the lower clamp is sometimes at the zero point, as after a ReLU."""
    zero_point = int(rng.choice([0, 0, 77, 255]))
    low = zero_point if rng.integers(3) == 0 else 0
    return TensorType(shape, "uint8", low, 255, 0.02, zero_point)


def byte_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """int8 weights with extremes; half the time each output's within 128 or 129 steps, where kernels differ."""
    weights = rng.integers(-127, 128, shape)
    weights[rng.random(shape) < 0.2] = rng.choice([-128, -127, 0, 127])
    if rng.integers(2):
        lowest = rng.integers(-127, 1, (shape[0], *(1,) * (len(shape) - 1)))
        weights = np.clip(weights, lowest, np.minimum(lowest + 128 + (rng.integers(4) == 0), 127))
    return weights.astype(np.int8)


def _bias(rng: np.random.Generator, filters: int) -> np.ndarray:
    bits = int(rng.choice([4, 12, 20]))
    return rng.integers(-(1 << bits), 1 << bits, filters)


def _conv2d(rng: np.random.Generator, x: TensorType) -> tuple[Op, TensorType]:
    window, filters = random_window(rng, x), int(rng.choice([1, 2, 4, 5, 9]))
    weights = byte_weights(rng, (filters, window.kernel_height, window.kernel_width, window.channels))
    kind = uint8_output(rng, (window.out_height, window.out_width, filters))
    constants = imported_rounding(rng, filters, kind, kind.zero_point)
    return Conv2d(window, weights, _bias(rng, filters), padding_of(rng, x), constants), kind


def _depthwise(rng: np.random.Generator, x: TensorType) -> tuple[Op, TensorType]:
    window, multiplier = random_window(rng, x), int(rng.choice([1, 1, 2, 3]))
    filters = window.channels * multiplier
    weights = byte_weights(rng, (filters, window.kernel_height, window.kernel_width))
    kind = uint8_output(rng, (window.out_height, window.out_width, filters))
    constants = imported_rounding(rng, filters, kind, kind.zero_point)
    return DepthwiseConv2d(window, multiplier, weights, _bias(rng, filters), padding_of(rng, x), constants), kind


def _average_pool(rng: np.random.Generator, x: TensorType) -> tuple[Op, TensorType]:
    window = random_window(rng, x)
    kind = uint8_output(rng, (window.out_height, window.out_width, window.channels))
    constants = imported_rounding(rng, window.taps if window.pads else 1, kind, kind.zero_point)
    return AveragePool(window, int(rng.integers(0, 256)), constants), kind


def _table(rng: np.random.Generator, x: TensorType) -> tuple[Op, TensorType]:
    kind = uint8_output(rng, x.shape)
    return Table(rng.integers(kind.low, kind.high + 1, 256).astype(np.int16)), kind


def _add(rng: np.random.Generator, tensors: list[Tensor]) -> tuple[tuple[str, ...], Op, TensorType]:
    """The latest tensor plus any of its shape, itself included, with the fine factors of imports."""
    source, x = tensors[-1]
    others = [(name, kind) for name, kind in tensors if kind.shape == x.shape and kind.dtype == "uint8"]
    other, _ = others[int(rng.integers(len(others)))]
    kind = uint8_output(rng, x.shape)
    constants = requantization(np.array([2.0 ** float(rng.uniform(-23, -19))]), kind.zero_point, kind.low, kind.high)
    factors = (int(rng.integers(0, (1 << 20) + 1)), 1 << 20)
    return (source, other), Add(*factors, int(rng.integers(-(1 << 29), 1 << 29)), constants), kind


def _dense(rng: np.random.Generator, source: str, x: TensorType) -> tuple[tuple[str, ...], Op, TensorType]:
    units = int(rng.choice([1, 2, 4, 5, 9]))
    weights = byte_weights(rng, (units, x.elements))
    kind = replace(uint8_output(rng, (units,)), zero_groups=float(rng.integers(2)) / 2)
    op = Dense(weights, _bias(rng, units), 0, imported_rounding(rng, units, kind, kind.zero_point))
    return (source,), op, kind


def _random(rng: np.random.Generator, tensors: list[Tensor]) -> tuple[tuple[str, ...], Op, TensorType]:
    source, x = tensors[-1]
    if rng.integers(3) == 0:
        return _mul(rng, tensors) if rng.integers(2) else _add(rng, tensors)
    makers = (_conv2d, _conv2d, _depthwise, _average_pool, random_max_pool, random_pad, _table)
    index = int(rng.integers(len(makers) + 3))
    if index >= len(makers):
        return (_gather, _softmax, _dense)[index - len(makers)](rng, source, x)
    op, kind = makers[index](rng, x)
    return (source,), op, kind


def _mul(rng: np.random.Generator, tensors: list[Tensor]) -> tuple[tuple[str, ...], Op, TensorType]:
    """The latest tensor times any that repeats within it, itself included."""
    source, x = tensors[-1]
    others = [(name, kind) for name, kind in tensors if kind.dtype == "uint8" and x.elements % kind.elements == 0]
    other, _ = others[int(rng.integers(len(others)))]
    kind = uint8_output(rng, x.shape)
    zeros = rng.integers(0, 256, 2).tolist()
    return (source, other), Mul(zeros[0], zeros[1], imported_rounding(rng, 1, kind, kind.zero_point)), kind


def _wide_product(rng: np.random.Generator, source: str, x: TensorType) -> Node:
    """The square of a tensor in 16 bits, as the output of a float model would be."""
    kind = TensorType(x.shape, "int16", -32768, 32767, 0.01, 0)
    return Node("wide", Mul(x.zero_point, x.zero_point, imported_rounding(rng, 1, kind, 0)), (source, source), kind)


def _gather(rng: np.random.Generator, source: str, x: TensorType) -> tuple[tuple[str, ...], Op, TensorType]:
    """Axes in any order, each forwards or backwards, every one of its elements or every second."""
    sizes, steps, start = [1], [0], 0
    strides = (x.shape[1] * x.shape[2], x.shape[2], 1)
    for axis in rng.permutation(3).tolist():
        every, back = int(rng.integers(1, 3)), bool(rng.integers(2))
        size = -(-x.shape[axis] // every)
        sizes.append(size)
        steps.append(-strides[axis] * every if back else strides[axis] * every)
        start += (size - 1) * strides[axis] * every if back else 0
    op = Gather(start, np.array(sizes, np.int32), np.array(steps, np.int32))
    shape = op.output_shape((x,))
    return (source,), op, replace(x, shape=shape)


def _softmax(rng: np.random.Generator, source: str, x: TensorType) -> tuple[tuple[str, ...], Op, TensorType]:
    length = int(rng.choice([1, 20, 256]))
    falling = np.exp(-np.arange(length) * float(rng.uniform(0.001, 0.3))) * (2**31 - 1)
    op = Softmax8(x.shape[-1], np.floor(falling).astype(np.int32), 0)
    return (source,), op, TensorType(x.shape, "uint8", 0, 255, 1 / 256, 0)


def _signed_output(rng: np.random.Generator, body: list[Node]) -> list[Node]:
    """The last operator writes int8 itself where it can, or a flip does."""
    last = body[-1]
    op, kind = last.op, _shifted(last.type, "int8", -128)
    requantization = getattr(op, "requantization", None)
    if requantization is not None and rng.integers(3):
        lowered = replace(requantization, zero_point=requantization.zero_point - 128, low=kind.low, high=kind.high)
        return [*body[:-1], replace(last, op=replace(op, requantization=lowered), type=kind)]
    if isinstance(op, Table) and rng.integers(3):
        return [*body[:-1], replace(last, op=Table((op.entries - 128).astype(np.int16)), type=kind)]
    if isinstance(op, Softmax8) and rng.integers(3):
        return [*body[:-1], replace(last, op=replace(op, zero_point=-128), type=kind)]
    return [*body, Node("signed", Flip(-128), (last.name,), kind)]
