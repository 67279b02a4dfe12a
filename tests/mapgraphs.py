# SPDX-License-Identifier: MIT
"""Random integer graphs over maps: convolutions, pools, residual adds, concatenations, with odd sizes and edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from graphs import (
    RECORD,
    class_heads,
    fineness,
    narrowing,
    random_dense,
    random_factors,
    random_function,
    random_graph,
    random_retype,
    random_schema,
    random_weights,
    value_heads,
    whole_kind,
)

from qnn.check import check
from qnn.fixedpoint import requantization
from qnn.graph import INPUT, Graph, Node
from qnn.ops.add import Add, factor_limit
from qnn.ops.average_pool import AveragePool
from qnn.ops.concat import Concat
from qnn.ops.conv2d import Conv2d
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.max_pool import MaxPool
from qnn.ops.op import Op, TensorType
from qnn.ops.pad import Pad
from qnn.ops.window import Window

Tensor = tuple[str, TensorType]


def random_map_graph(rng: np.random.Generator, name: str = "net") -> Graph:
    """A checked graph of one to five operators over maps, then one that gives the int16 output, with its heads."""
    shape = tuple(int(rng.choice([1, 2, 3, 5, 6, 7, 9])) for _ in range(2))
    raw = TensorType((*shape, int(rng.choice([1, 1, 2, 3, 4, 5, 8]))), "uint8", 0, 255, 1 / 255)
    tensors: list[Tensor] = [(INPUT, raw)]
    body: list[Node] = []
    for index in range(int(rng.integers(1, 6))):
        body.append(random_node(rng, f"node{index}", tensors))
        tensors.append((body[-1].name, body[-1].type))
    return finished(rng, name, raw, (*body, final_node(rng, tensors[-1])))


def rare_graph(rng: np.random.Generator, name: str = "net") -> Graph:
    """A checked graph of what the others seldom have: strides over maps of some size, rows of an odd number of inputs,
    too many multiplications for the kernels of small models, branches side by side.
    """
    choice, stride = int(rng.integers(4)), int(rng.choice([2, 3]))
    if choice == 1:
        return random_graph(rng, name, (67, 259))
    side = 9
    raw = TensorType((side, side, int(rng.choice([1, 5, 8]))), "uint8", 0, 255, 1 / 255)
    kernel = 1 if choice == 0 else 3
    rows = (side + 2 * (kernel // 2) - kernel) // stride + 1
    window = Window(side, side, raw.shape[2], *(kernel,) * 2, *(stride,) * 2, *(kernel // 2,) * 2, rows, rows)
    op, kind = random_conv2d(rng, raw, False, window)
    body = [Node("node0", op, (INPUT,), kind)]
    if choice == 3:
        other = replace(op, weights=op.weights[::-1, ::-1])
        body.append(Node("node1", replace(other, rounding_shift=narrowing(other, raw)), (INPUT,), kind))
        filters = kind.shape[-1]
        kind = replace(kind, shape=(*kind.shape[:-1], 2 * filters))
        body.append(Node("node2", Concat(filters, filters), ("node0", "node1"), kind))
    return finished(rng, name, raw, (*body, final_node(rng, (body[-1].name, kind))))


def finished(rng: np.random.Generator, name: str, raw: TensorType, body: tuple[Node, ...]) -> Graph:
    """The checked graph of a body whose last node is called final, with its heads."""
    kind = body[-1].type
    classifier = bool(rng.integers(2)) and kind.elements <= 255
    schema = random_schema(raw, kind, classifier)
    heads = class_heads(rng, "final", kind) if classifier else value_heads(rng, "final", kind)
    return check(Graph(name, schema, RECORD, raw, (*body, *heads), "final", INPUT))


def random_node(rng: np.random.Generator, name: str, tensors: list[Tensor]) -> Node:
    """One operator that reads the latest tensor; add and concat read an earlier one as well."""
    source, x = tensors[-1]
    makers = (
        random_conv2d,
        random_conv2d,
        random_depthwise,
        random_max_pool,
        random_average_pool,
        random_pad,
        random_function,
        random_retype,
    )
    if rng.integers(3) == 0:
        made = random_add(rng, tensors) if rng.integers(2) else random_concat(rng, tensors)
        if made is not None:
            inputs, op, kind = made
            return Node(name, op, inputs, kind)
    op, kind = makers[int(rng.integers(len(makers)))](rng, x)
    return Node(name, op, (source,), kind)


def random_window(rng: np.random.Generator, x: TensorType) -> Window:
    """Any kernel, stride (also larger than the kernel) and padding that fit the map."""
    axes = []
    pointwise, same = rng.integers(5) == 0, rng.integers(3) == 0  # same: the map keeps its size
    square = rng.integers(3) == 0  # 3x3 taps have kernels of their own
    for size in x.shape[:2]:
        kernel = 3 if square else 1 if pointwise else int(rng.integers(1, min(size, 4) + 2))
        stride = int(rng.choice([1, 1, 2, 3, 5]))
        pad = int(rng.integers(0, kernel)) if rng.integers(2) else 0
        after = int(rng.integers(0, kernel)) if pad or kernel > size else 0
        after = max(after, kernel - size - pad)
        out = (size + pad + after - kernel) // stride + 1
        while (out - 1) * stride - pad >= size:
            out -= 1
        axes.append((size, kernel, 1, (kernel - 1) // 2, size) if same else (size, kernel, stride, pad, out))
    (h, kh, sh, ph, oh), (w, kw, sw, pw, ow) = axes
    return Window(h, w, x.shape[2], kh, kw, sh, sw, ph, pw, oh, ow)


def random_bias(rng: np.random.Generator, filters: int) -> np.ndarray:
    bits = int(rng.choice([4, 12, 20, 20, 33]))
    return rng.integers(-(1 << bits), 1 << bits, filters)


def random_output(rng: np.random.Generator, shape: tuple[int, ...]) -> TensorType:
    """A random type; the lower clamp is sometimes at the zero point, as after a ReLU."""
    kind = whole_kind(rng, shape, int(rng.choice([0, 0, 0, 77, 255])))  # few, so that tensors can be concatenated
    return replace(kind, low=kind.zero_point) if rng.integers(3) == 0 else kind


def random_conv2d(
    rng: np.random.Generator, x: TensorType, final: bool = False, window: Window | None = None
) -> tuple[Conv2d, TensorType]:
    window, filters = window or random_window(rng, x), int(rng.choice([1, 2, 3, 4, 5, 8, 9]))
    weights = random_weights(rng, (filters, window.kernel_height, window.kernel_width, window.channels))
    bias = random_bias(rng, filters)
    kind = output_kind(rng, (window.out_height, window.out_width, filters), final)
    wild = 2.0 ** rng.uniform(-16, 1, filters) / fineness(weights, x)
    ends = kind.zero_point, kind.low, kind.high
    op = Conv2d(window, weights, bias, padding_of(rng, x), requantization(wild, *ends))
    op = replace(op, rounding_shift=narrowing(op, x))
    return replace(op, requantization=requantization(random_factors(rng, op, x, wild, kind), *ends)), kind


def random_depthwise(rng: np.random.Generator, x: TensorType, final: bool = False) -> tuple[Op, TensorType]:
    window, multiplier = random_window(rng, x), int(rng.choice([1, 1, 2, 3]))
    filters = window.channels * multiplier
    weights = random_weights(rng, (filters, window.kernel_height, window.kernel_width))
    bias = random_bias(rng, filters)
    kind = output_kind(rng, (window.out_height, window.out_width, filters), final)
    wild = 2.0 ** rng.uniform(-14, 1, filters) / fineness(weights, x)
    ends = kind.zero_point, kind.low, kind.high
    op = DepthwiseConv2d(window, multiplier, weights, bias, padding_of(rng, x), requantization(wild, *ends))
    op = replace(op, rounding_shift=narrowing(op, x))
    return replace(op, requantization=requantization(random_factors(rng, op, x, wild, kind), *ends)), kind


def random_max_pool(rng: np.random.Generator, x: TensorType) -> tuple[Op, TensorType]:
    window = random_window(rng, x)
    shape = (window.out_height, window.out_width, window.channels)
    return MaxPool(window), replace(x, shape=shape, zero_groups=0.0)


def random_average_pool(rng: np.random.Generator, x: TensorType, final: bool = False) -> tuple[Op, TensorType]:
    window = random_window(rng, x)
    kind = output_kind(rng, (window.out_height, window.out_width, window.channels), final)
    counts = np.arange(1, window.taps + 1) if window.pads else np.array([window.taps])
    factor = 2.0 ** float(rng.uniform(-1, 8 if final else 1))
    return AveragePool(
        window, x.zero_point, requantization(factor / counts, kind.zero_point, kind.low, kind.high)
    ), kind


def random_pad(rng: np.random.Generator, x: TensorType) -> tuple[Op, TensorType]:
    frame = tuple(int(n) for n in rng.integers(0, 3, 4))
    op = Pad(*x.shape, *frame, padding_of(rng, x))
    return op, replace(x, shape=op.output_shape((x,)), zero_groups=0.0)


def random_add(rng: np.random.Generator, tensors: list[Tensor]) -> tuple[tuple[str, str], Op, TensorType] | None:
    """The latest tensor plus any of its shape, itself included."""
    source, x = tensors[-1]
    others = [(name, kind) for name, kind in tensors if kind.shape == x.shape]
    other, y = others[int(rng.integers(len(others)))]
    kind = random_output(rng, x.shape)
    wide = "int16" in (x.dtype, y.dtype)
    factor = 2.0 ** float(rng.uniform(-17, -13)) / (128 if wide else 1) * (128 if kind.dtype == "int16" else 1)
    constants = requantization(np.array([factor]), kind.zero_point, kind.low, kind.high)
    limits = [factor_limit(one, (x, y)) for one in (x, y)]
    factors = (int(rng.integers(0, limits[0] + 1)), limits[1])
    both = x.dtype == y.dtype == "int16"  # then the factors leave no room for an offset
    offset = 0 if both else int(rng.integers(-(1 << 24), 1 << 24))
    return (source, other), Add(*factors, offset, constants), kind


def random_concat(rng: np.random.Generator, tensors: list[Tensor]) -> tuple[tuple[str, str], Op, TensorType] | None:
    """The latest tensor beside one of its map and scale; None where there is none that stays small."""
    source, x = tensors[-1]
    others = [
        (name, kind)
        for name, kind in tensors[:-1] or tensors
        if kind.shape[:2] == x.shape[:2]
        and (kind.dtype, kind.scale, kind.zero_point) == (x.dtype, x.scale, x.zero_point)
    ]
    if not others and rng.integers(4):
        return None
    other, y = others[int(rng.integers(len(others)))] if others else (source, x)
    if x.shape[2] + y.shape[2] > 12:
        return None
    shape = (*x.shape[:2], x.shape[2] + y.shape[2])
    low, high = min(x.low, y.low), max(x.high, y.high)
    return (source, other), Concat(x.shape[2], y.shape[2]), replace(x, shape=shape, low=low, high=high, zero_groups=0.0)


def final_node(rng: np.random.Generator, tensor: Tensor) -> Node:
    """The operator that gives the int16 output: dense, conv2d, depthwise_conv2d, average_pool or add."""
    source, x = tensor
    choice = int(rng.integers(5))
    if choice == 0:
        op, kind = random_conv2d(rng, x, True)
    elif choice == 1:
        op, kind = random_depthwise(rng, x, True)
    elif choice == 2:
        op, kind = random_average_pool(rng, x, True)
    elif choice == 3:
        kind = output_kind(rng, x.shape, True)
        constants = requantization(np.array([2.0 ** (-9 if x.dtype == "uint8" else -16)]), 0, kind.low, kind.high)
        return Node("final", Add(1 << 15, 12345, -999, constants), (source, source), kind)
    else:
        op, kind = random_dense(rng, x, int(rng.integers(1, 8)), True)
    return Node("final", op, (source,), kind)


def output_kind(rng: np.random.Generator, shape: tuple[int, ...], final: bool) -> TensorType:
    """Any type, or the int16 of a network's output."""
    return TensorType(shape, "int16", -32768, 32767, 0.01, 0) if final else random_output(rng, shape)


def padding_of(rng: np.random.Generator, x: TensorType) -> int:
    """What a padded position reads: often the zero point, as the compiler has it."""
    return min(max(x.zero_point, x.low), x.high) if rng.integers(2) else int(rng.integers(x.low, x.high + 1))
