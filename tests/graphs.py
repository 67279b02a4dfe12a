# SPDX-License-Identifier: MIT
"""Random integer graphs with edges: extreme weights and scales, one and many units, every operator and head."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from qnn.check import check
from qnn.fixedpoint import INT32_MAX, INT32_MIN, requantization
from qnn.graph import CLASS, INPUT, PROBABILITIES, VALUE, Graph, Node
from qnn.inputs import quantize_op
from qnn.ops.argmax import Argmax
from qnn.ops.compand import Compand
from qnn.ops.conv2d import Conv2d
from qnn.ops.curve import Curve
from qnn.ops.dense import Dense
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.op import Op, TensorType
from qnn.ops.quantize import Quantize
from qnn.ops.rescale import Rescale, encode_line
from qnn.ops.retype import Retype
from qnn.ops.softmax import EXPONENT_BITS, MAX_EXPONENT, Softmax
from qnn.ops.table import Table
from qnn.schema import DataRecord, Feature, Schema
from qnn.segments import COUNTS, NONE, SEGMENTS, filled, segment_bits, span
from qnn.weights import rounding_shift

RECORD = DataRecord("random", "0" * 64, 0, 0.1, 0.2)
COUNTS_OF_INPUTS = (1, 2, 3, 4, 5, 7, 8, 33)
Sums = Dense | Conv2d | DepthwiseConv2d
LOG2E = 1.4426950408889634


def random_graph(rng: np.random.Generator, name: str = "net", counts: tuple[int, ...] = COUNTS_OF_INPUTS) -> Graph:
    """A checked graph of one to three dense layers, tables between them, with the heads of its task."""
    raw_bytes, classifier = bool(rng.integers(2)), bool(rng.integers(2))
    count = int(rng.choice(counts))
    body: list[Node] = []
    raw = TensorType((count,), "uint8", 0, 255, 1 / 255, 0, float(rng.integers(2)))
    if not raw_bytes:
        raw = TensorType((count,), "int32", INT32_MIN, INT32_MAX)
        kind = whole_kind(rng, (count,))
        body.append(Node("quantized", random_entry(rng, count, (kind.low, kind.high)), (INPUT,), kind))
    quantized_input = body[-1].name if body else INPUT
    last, kind = quantized_input, body[-1].type if body else raw
    depth = int(rng.integers(1, 4))
    for layer in range(depth):
        units = int(rng.choice([1, 2, 3, 4, 5, 6, 9, 12]))
        final = layer == depth - 1
        op, kind = random_dense(rng, kind, units, final)
        last = f"dense{layer}"
        body.append(Node(last, op, (body[-1].name,) if body else (INPUT,), kind))
        if not final and rng.integers(2):
            op, kind = random_retype(rng, kind) if rng.integers(4) == 0 else random_function(rng, kind)
            body.append(Node(f"function{layer}", op, (last,), kind))
    schema = random_schema(raw, kind, classifier)
    heads = class_heads(rng, last, kind) if classifier else value_heads(rng, last, kind)
    return check(Graph(name, schema, RECORD, raw, (*body, *heads), last, quantized_input))


def random_entry(rng: np.random.Generator, count: int, ends: tuple[int, int]) -> Quantize | Compand:
    """Straight lines alone, some of them with another zero point, or lines of segments among them."""
    low, high = random_ranges(rng, count)
    if rng.integers(4) == 0:
        zeros = rng.integers(*ends, count, endpoint=True).astype(np.int32)
        factors = 2.0 ** rng.uniform(-24, 2, count)
        return replace(quantize_op(low, high, ends), requantization=requantization(factors, zeros, *ends))
    if rng.integers(2):
        return quantize_op(low, high, ends)
    lines = np.full((count, SEGMENTS), NONE, np.int8)
    for i in np.flatnonzero(rng.integers(3, size=count)).tolist():
        line = random_line(rng)
        lines[i] = filled(line)
        low[i] = int(rng.choice([INT32_MIN, 0, int(rng.integers(-5000, 5000)), INT32_MAX - 100]))
        high[i] = min(int(low[i]) + span(line), INT32_MAX)
    return Compand(quantize_op(low, high, ends), lines)


def random_line(rng: np.random.Generator) -> np.ndarray:
    """int8 (2,), (4,) or (8,): exponents of every size."""
    count = int(rng.choice(COUNTS))
    return rng.integers(segment_bits(count), int(rng.choice([12, 20, 31])), count, endpoint=True).astype(np.int8)


def random_ranges(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Raw ranges (int64 each): ordinary ones, single values, and all of int32."""
    low, high = np.sort(rng.integers(INT32_MIN, INT32_MAX, (2, count), endpoint=True), axis=0)
    small = rng.integers(0, 3, count)
    low = np.where(small == 1, rng.integers(-5000, 5000, count), low)
    high = np.where(small == 1, low + rng.integers(0, 4096, count), high)
    return np.where(small == 2, INT32_MIN, low), np.where(small == 2, INT32_MAX, high)


def whole_kind(rng: np.random.Generator, shape: tuple[int, ...], zero_point: int = 0) -> TensorType:
    """All of uint8 or, two times in five, of int16, whose zero point is 0."""
    if rng.integers(5) < 2:
        return TensorType(shape, "int16", -32768, 32767, 0.01, 0)
    return TensorType(shape, "uint8", 0, 255, 0.02, zero_point)


def random_function(rng: np.random.Generator, x: TensorType) -> tuple[Op, TensorType]:
    """Any function: a table of a uint8 tensor, a curve of an int16 one."""
    kind = whole_kind(rng, x.shape)
    low, high = sorted(rng.integers(kind.low, kind.high + 1, 2).tolist())
    kind = replace(kind, low=low, high=high, zero_point=0 if kind.low < 0 else low)
    if x.dtype == "uint8":
        return Table(rng.integers(low, high + 1, 256).astype(np.int16)), kind
    return random_curve(rng, x, kind), kind


def random_curve(rng: np.random.Generator, x: TensorType, y: TensorType) -> Curve:
    """Segments with lines of different lengths; entries at both ends of y lie side by side."""
    bits = int(rng.choice([8, 11, 14, 15, 16]))
    start = (x.low + 32768) >> bits
    segments = ((x.high + 32768) >> bits) - start + 1
    shifts = rng.integers(max(0, bits - 3), min(bits, 15), segments, endpoint=True)
    lines = np.int64(1) << (bits - shifts)
    firsts = np.concatenate([[0], np.cumsum(lines)[:-1]])
    entries = rng.integers(y.low, y.high, int(lines.sum()) + 1, endpoint=True)
    entries[rng.random(len(entries)) < 0.3] = rng.choice([y.low, y.high])
    low = (start << bits) - 32768
    return Curve(low, bits, firsts.astype(np.uint16), shifts.astype(np.uint8), entries.astype(np.int16))


def random_retype(rng: np.random.Generator, x: TensorType) -> tuple[Op, TensorType]:
    """The same reals with any other type."""
    y = whole_kind(rng, x.shape, int(rng.integers(0, 256)))
    factor = 2.0 ** float(rng.uniform(-3, 3)) * (y.high - y.low) / (x.high - x.low + 1)
    constants = requantization(np.array([factor]), y.zero_point, y.low, y.high)
    return Retype(x.zero_point, constants), y


def random_dense(rng: np.random.Generator, x: TensorType, units: int, final: bool) -> tuple[Dense, TensorType]:
    """A dense operator and its output's type: int16 where `final`, else either."""
    weights = random_weights(rng, (units, x.elements))
    bias_bits = int(rng.choice([4, 16, 29, 40]))
    bias = rng.integers(-(1 << bias_bits), 1 << bias_bits, units)
    kind = whole_kind(rng, (units,), int(rng.choice([0, int(rng.integers(0, 256))])))
    if final:
        kind = TensorType((units,), "int16", -32768, 32767, 0.01)
    zero_point, high = kind.zero_point, kind.high
    low = zero_point if rng.integers(3) == 0 else kind.low
    wild = 2.0 ** rng.uniform(-26, 6, units) / fineness(weights, x)
    plain = Dense(weights, bias, 0, requantization(wild, zero_point, low, high))
    op = replace(plain, rounding_shift=narrowing(plain, x))
    op = replace(op, requantization=requantization(random_factors(rng, op, x, wild, kind), zero_point, low, high))
    zeros = float(rng.integers(2)) / 2  # a claim about sparsity may be wrong: it changes no value
    return op, replace(kind, low=low, zero_groups=zeros)


def random_factors(rng: np.random.Generator, op: Sums, x: TensorType, wild: np.ndarray, y: TensorType) -> np.ndarray:
    """(outputs,): the wild factors, or such that sums fill the range of y some times: few saturate or vanish."""
    bound = op.accumulator_bound((x,))
    most = max(*np.abs(bound), 1) >> op.rounding_shift
    full = (y.high - y.low + 1) / most * 2.0 ** rng.uniform(-1, 6, len(wild))
    return np.where(rng.integers(3, size=len(wild)) == 0, wild, np.minimum(full, 64.0))


def fineness(weights: np.ndarray, x: TensorType) -> int:
    """How many times as large sums are as with weights and inputs of 8 bits."""
    return (128 if x.dtype == "int16" else 1) * (256 if weights.dtype == np.int16 else 1)


def narrowing(op: Op, x: TensorType) -> int:
    """The rounding shift that the accumulator needs (SPEC 4.2)."""
    bound = op.accumulator_bound((x,))
    return rounding_shift(*bound) if bound else 0


def random_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """int8 weights with extremes; often each output's within 15 or 16, 128 or 129 steps, or most of them, where kernels
    differ. A third of the time weights are int16.
    """
    if rng.integers(3) == 0:
        wide = rng.integers(-32767, 32768, shape) // int(rng.choice([1, 1, 16, 256]))
        wide[rng.random(shape) < 0.1] = rng.choice([-32767, 0, 32767])
        return wide.astype(np.int16)
    weights = rng.integers(-127, 128, shape)
    weights[rng.random(shape) < 0.2] = rng.choice([-127, 0, 127])
    if rng.integers(3) == 0:
        far, near = rng.random(shape) < float(rng.choice([0.01, 0.05, 0.2])), rng.integers(-40, 41, shape)
        return np.where(far, weights, near).astype(np.int8)
    span = int(rng.choice([0, 0, 15, 128])) + (rng.integers(4) == 0)
    if span > 1:
        lowest = rng.integers(-127, 1, (shape[0], *(1,) * (len(shape) - 1)))
        if span == 15 and lowest.flat[0] % 2:  # all that four bits with a sign hold
            lowest = np.full_like(lowest, -8)
        inside = rng.integers(lowest, lowest + span + 1, shape)
        weights = np.where(rng.random(shape) < 0.5, inside, np.clip(weights, lowest, lowest + span))
    return np.minimum(weights, 127).astype(np.int8)


def random_schema(raw: TensorType, kind: TensorType, classifier: bool) -> Schema:
    """A schema that fits; hostile names are part of it."""
    outputs = kind.elements
    features = tuple(Feature(f"reading */ {i} ??/ \\", i % 3) for i in range(raw.elements))
    if classifier:
        classes = tuple(f'class "{i}" */' for i in range(max(outputs, 2)))
        return Schema(raw.shape, raw.dtype, features, "classification", classes, (), ())
    targets = tuple(f"target {i}" for i in range(outputs))
    return Schema(raw.shape, raw.dtype, features, "regression", (), targets, (2,) * outputs)


def class_heads(rng: np.random.Generator, output: str, kind: TensorType) -> tuple[Node, ...]:
    """argmax and softmax."""
    classes = max(kind.elements, 2)
    scale = 2.0 ** float(rng.uniform(-20, 3))
    exponent = requantization(np.array([scale * LOG2E * 2**EXPONENT_BITS]), 0, 0, MAX_EXPONENT)
    return (
        Node(CLASS, Argmax(kind.zero_point), (output,), TensorType((1,), "int32", 0, classes - 1)),
        Node(PROBABILITIES, Softmax(kind.zero_point, exponent), (output,), TensorType((classes,), "uint16", 0, 32768)),
    )


def value_heads(rng: np.random.Generator, output: str, kind: TensorType) -> tuple[Node, ...]:
    """rescale."""
    count = kind.elements
    factors, offsets = 2.0 ** rng.uniform(-20, 12, count), rng.integers(-(1 << 28) + 1, 1 << 28, count)
    offsets = offsets / 2.0 ** rng.integers(0, 32, count)
    lines = [encode_line(Fraction(f), Fraction(o)) for f, o in zip(factors.tolist(), offsets.tolist(), strict=True)]
    multiplier, constant, shift, prescale = (np.array(values) for values in zip(*lines, strict=True))
    arrays = (multiplier.astype(np.int32), constant, shift.astype(np.uint8), prescale.astype(np.uint8))
    op = Rescale(rng.integers(-2, 4, count).astype(np.int16), *arrays)
    return (Node(VALUE, op, (output,), TensorType((count,), "int32", INT32_MIN, INT32_MAX)),)


def edge_samples(rng: np.random.Generator, graph: Graph, count: int) -> np.ndarray:
    """Raw samples (count, *shape): all zero, all at either end, then random ones, some of them sparse."""
    low, high = graph.input.low, graph.input.high
    x = rng.integers(low, high, (count, *graph.input.shape), endpoint=True)
    near = rng.integers(-6000, 6000, x.shape).clip(low, high)
    x = np.where(rng.random(x.shape) < 0.5, near, x)
    x[rng.random(x.shape) < 0.2] = 0
    x[0], x[1], x[2] = 0, high, low
    return x.astype(graph.input.dtype)
