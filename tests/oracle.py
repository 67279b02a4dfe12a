# SPDX-License-Identifier: MIT
"""An independent definition of the arithmetic: exact fractions and plain loops, written from SPEC.md alone.

It shares no code with qnn's operators, so that simulator and C cannot share one misreading of the specification.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from qnn.graph import INPUT, Graph


def floor_shift(value: Fraction) -> int:
    return value.numerator // value.denominator


def clamp(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def requantize(acc: int, params: Any, channel: int) -> int:
    """SPEC 3.1, term by term, in unbounded integers and fractions; or 3.6."""
    if params.rounding == "gemmlowp":
        return requantize_twice(acc, params, channel)
    if params.rounding == "half_even":
        return requantize_even(acc, params, channel)
    if params.rounding == "int16x8":
        return requantize_long(acc, params, channel)
    c = channel if len(params.multiplier) > 1 else 0
    multiplier, shift = int(params.multiplier[c]), int(params.shift[c])
    prescale = int(params.prescale[c])
    zero_point = int(params.zero_point[c if len(params.zero_point) > 1 else 0])
    if prescale:
        limit = (2**31 - 1) // 2**prescale
        acc = clamp(acc, -limit, limit)
    t = floor_shift(Fraction(acc * 2**prescale * multiplier, 2**32))
    assert -(2**31) <= t < 2**31
    total = t + zero_point * 2**shift + 2 ** (shift - 1)
    assert -(2**31) <= total < 2**31
    return clamp(floor_shift(Fraction(total, 2**shift)), params.low, params.high)


def requantize_twice(acc: int, params: Any, channel: int) -> int:
    """SPEC 3.6: half up, then half away from zero."""
    c = channel if len(params.multiplier) > 1 else 0
    zero_point = int(params.zero_point[c if len(params.zero_point) > 1 else 0])
    acc *= 2 ** int(params.prescale[c])
    assert -(2**31) <= acc < 2**31
    once = floor_shift(Fraction(acc * int(params.multiplier[c]), 2**31) + Fraction(1, 2))
    part = Fraction(abs(once), 2 ** int(params.shift[c]))
    twice = floor_shift(part + Fraction(1, 2)) if params.shift[c] else abs(once)
    return clamp((twice if once >= 0 else -twice) + zero_point, params.low, params.high)


def requantize_even(acc: int, params: Any, channel: int) -> int:
    """SPEC 3.8: one exact rounding, halves to even."""
    c = channel if len(params.multiplier) > 1 else 0
    exponent = int(params.prescale[c]) - int(params.shift[c]) - 32
    zero_point = int(params.zero_point[c if len(params.zero_point) > 1 else 0])
    exact = acc * Fraction(int(params.multiplier[c])) * Fraction(2) ** exponent
    return clamp(round(exact) + zero_point, params.low, params.high)


def requantize_long(acc: int, params: Any, channel: int) -> int:
    """SPEC 3.9: one rounding half up of a sum that may have 64 bits, by a factor of 15."""
    c = channel if len(params.multiplier) > 1 else 0
    factor = Fraction(int(params.multiplier[c]), 2 ** int(params.shift[c]))
    return clamp(floor_shift(acc * factor + Fraction(1, 2)), params.low, params.high)


def exact_requantize(acc: int, params: Any, channel: int) -> int:
    """SPEC 3.5: one exact round-half-up of acc * M, plus the zero point, clamped."""
    c = channel if len(params.multiplier) > 1 else 0
    exponent = int(params.prescale[c]) - int(params.shift[c]) - 32
    factor = Fraction(int(params.multiplier[c])) * Fraction(2) ** exponent
    zero_point = int(params.zero_point[c if len(params.zero_point) > 1 else 0])
    return clamp(floor_shift(acc * factor + Fraction(1, 2)) + zero_point, params.low, params.high)


def quantize(op: Any, x: list[int]) -> list[int]:
    result = []
    for i, raw in enumerate(x):
        distance = clamp(raw, int(op.low[i]), int(op.high[i])) - int(op.low[i])
        result.append(requantize(distance // (2 ** int(op.halve[i])), op.requantization, i))
    return result


def compand(op: Any, x: list[int]) -> list[int]:
    result = quantize(op.straight, x)
    for i, raw in enumerate(x):
        line = [int(exponent) for exponent in op.exponents[i] if exponent != -1]
        if not line:
            continue
        left, height = Fraction(max(raw, int(op.straight.low[i])) - int(op.straight.low[i])), Fraction(0)
        for exponent in line:  # each segment that is passed is a step, the one that is not is a part of one
            part = min(left / 2**exponent, Fraction(1))
            left, height = left - part * 2**exponent, height + part
        first, last = op.straight.requantization.low, op.straight.requantization.high
        steps = height * (last - first + 1) / len(line)
        result[i] = min(first + floor_shift(steps + Fraction(1, 2)), last)
    return result


def dense(op: Any, x: list[int]) -> list[int]:
    result = []
    for o in range(len(op.weights)):
        acc = int(op.bias[o])
        for i, value in enumerate(x):
            acc += value * int(op.weights[o][i])
        result.append(finish(op, acc, o))
    return result


def finish(op: Any, acc: int, channel: int) -> int:
    """SPEC 4.2, then 3.1; or 3.9."""
    if op.requantization.rounding == "int16x8":
        return requantize(acc, op.requantization, channel)
    if op.rounding_shift:
        acc = floor_shift(Fraction(acc + 2 ** (op.rounding_shift - 1), 2**op.rounding_shift))
    assert -(2**31) <= acc < 2**31
    return requantize(acc, op.requantization, channel)


def table(op: Any, x: list[int]) -> list[int]:
    return [int(op.entries[value]) for value in x]


def curve(op: Any, x: list[int]) -> list[int]:
    result = []
    for value in x:
        segment, rest = divmod(value - op.low, 2**op.bits)
        line, position = divmod(rest, 2 ** int(op.shifts[segment]))
        first = int(op.firsts[segment]) + line
        start, end = int(op.entries[first]), int(op.entries[first + 1])
        exact = start + Fraction((end - start) * position, 2 ** int(op.shifts[segment]))
        result.append(floor_shift(exact + Fraction(1, 2)))
    return result


def retype(op: Any, x: list[int]) -> list[int]:
    return [requantize(value - op.zero_point, op.requantization, 0) for value in x]


def argmax(op: Any, x: list[int]) -> list[int]:
    if len(x) == 1:
        return [1 if x[0] > op.zero_point else 0]
    return [x.index(max(x))]


def softmax(op: Any, x: list[int]) -> list[int]:
    values = [op.zero_point, x[0]] if len(x) == 1 else x
    terms = []
    for value in values:
        exponent = requantize(max(values) - value, op.exponent, 0)
        fraction = (exponent % 2**16) * 2**16
        power = 7419129
        for coefficient in (57311498, 257211662, 744187941, 2**30):
            power = coefficient - power * fraction // 2**32
        terms.append(power // 2 ** (8 + exponent // 2**16))
    return [floor_shift(Fraction(term * 2**15, sum(terms)) + Fraction(1, 2)) for term in terms]


def softmax_exact(op: Any, x: list[int], scale: float) -> list[float]:
    """The real softmax, for the error bound."""
    values = [op.zero_point, x[0]] if len(x) == 1 else x
    terms = [math.exp(scale * (value - max(values))) for value in values]
    return [term / sum(terms) for term in terms]


def rescale(op: Any, x: list[int]) -> list[int]:
    """SPEC 5.6: one rounding of the line through the offset."""
    values = []
    for i, value in enumerate(x):
        scale = Fraction(2) ** (32 + int(op.shift[i]))
        line = Fraction(value * 2 ** int(op.prescale[i]) * int(op.multiplier[i]) + int(op.constant[i])) / scale
        values.append(floor_shift(line))
    return values


def windows(w: Any, x: list[int]) -> list[list[tuple[int, int, int] | None]]:
    """For each output pixel, row by row: the flat start (row, column, tap) of every tap, None outside the map."""
    result = []
    for row in range(w.out_height):
        for column in range(w.out_width):
            taps: list[tuple[int, int, int] | None] = []
            for i in range(w.kernel_height):
                for j in range(w.kernel_width):
                    r, c = row * w.stride_height - w.pad_top + i, column * w.stride_width - w.pad_left + j
                    inside = 0 <= r < w.height and 0 <= c < w.width
                    taps.append((i, j, (r * w.width + c) * w.channels) if inside else None)
            result.append(taps)
    return result


def conv2d(op: Any, x: list[int]) -> list[int]:
    result, w = [], op.window
    for taps in windows(w, x):
        for o in range(len(op.weights)):
            acc = int(op.bias[o])
            for t, tap in enumerate(taps):
                for k in range(w.channels):
                    value = op.pad_value if tap is None else x[tap[2] + k]
                    acc += value * int(op.weights[o][t // w.kernel_width][t % w.kernel_width][k])
            result.append(finish(op, acc, o))
    return result


def depthwise_conv2d(op: Any, x: list[int]) -> list[int]:
    result, w = [], op.window
    for taps in windows(w, x):
        for o in range(len(op.weights)):
            acc = int(op.bias[o])
            for t, tap in enumerate(taps):
                value = op.pad_value if tap is None else x[tap[2] + o // op.multiplier]
                acc += value * int(op.weights[o][t // w.kernel_width][t % w.kernel_width])
            result.append(finish(op, acc, o))
    return result


def max_pool(op: Any, x: list[int]) -> list[int]:
    pixels = windows(op.window, x)
    return [max(x[tap[2] + k] for tap in taps if tap) for taps in pixels for k in range(op.window.channels)]


def average_pool(op: Any, x: list[int]) -> list[int]:
    result = []
    for taps in windows(op.window, x):
        inside = [tap[2] for tap in taps if tap]
        for k in range(op.window.channels):
            acc = sum(x[start + k] - op.zero_point for start in inside)
            case = len(inside) - 1 if len(op.requantization.multiplier) > 1 else 0
            result.append(requantize(acc, op.requantization, case))
    return result


def add(op: Any, x: list[int], z: list[int]) -> list[int]:
    pairs = zip(x, z, strict=True)
    return [requantize(op.factor1 * a + op.factor2 * b + op.offset, op.requantization, 0) for a, b in pairs]


def concat(op: Any, x: list[int], z: list[int]) -> list[int]:
    result = []
    for pixel in range(len(x) // op.channels1):
        result += x[pixel * op.channels1 :][: op.channels1] + z[pixel * op.channels2 :][: op.channels2]
    return result


def pad(op: Any, x: list[int]) -> list[int]:
    result = []
    for row in range(-op.top, op.height + op.bottom):
        for column in range(-op.left, op.width + op.right):
            inside = 0 <= row < op.height and 0 <= column < op.width
            start = (row * op.width + column) * op.channels
            result += x[start : start + op.channels] if inside else [op.value] * op.channels
    return result


def flip(op: Any, x: list[int]) -> list[int]:
    return [value + op.offset for value in x]


def mul(op: Any, x: list[int], z: list[int]) -> list[int]:
    pairs = [(a, z[i % len(z)]) for i, a in enumerate(x)]
    return [requantize((a - op.zero1) * (b - op.zero2), op.requantization, 0) for a, b in pairs]


def load(op: Any, x: list[int]) -> list[int]:
    return x


def add16(op: Any, x: list[int], z: list[int]) -> list[int]:
    scaled = (
        (requantize(a * 2**15, op.scale, 0), requantize(b * 2**15, op.scale, 1)) for a, b in zip(x, z, strict=True)
    )
    return [requantize(a + b, op.requantization, 0) for a, b in scaled]


def sigmoid16(op: Any, x: list[int]) -> list[int]:
    """SPEC 5.24."""
    bits, most, result = (8, 65535 * 2**8, []) if op.tanh else (9, 32767 * 2**10, [])
    for raw in x:
        v = floor_shift(Fraction(raw * op.multiplier, 2**op.shift) + (Fraction(1, 2) if op.shift else 0))
        index, rest = divmod(abs(v), 2**bits)
        part = most
        if index < 255:
            first = int(op.table[index])
            part = first * 2**bits + rest * (int(op.table[index + 1]) - first)
        whole = (2**23 - part + 127 if v < 0 else part - 2**23 + 128) if op.tanh else 0
        result.append(whole // 2**8 if op.tanh else (2**25 - part + 511 if v < 0 else part + 512) // 2**10)
    return result


def line(table: Any, place: int) -> int:
    index, rest = divmod(place, 2**7)
    first = int(table[index])
    return first + floor_shift(Fraction((int(table[index + 1]) - first) * rest, 2**7) + Fraction(1, 2))


def softmax16(op: Any, x: list[int]) -> list[int]:
    """SPEC 5.25."""
    result = []
    for start in range(0, len(x), op.classes):
        row = x[start : start + op.classes]
        terms = [line(op.exponentials, requantize(value - max(row), op.scale, 0)) for value in row]
        bits = sum(terms).bit_length()
        nearest = floor_shift(Fraction(sum(terms) * 2**31, 2 ** (bits + 14)) + Fraction(1, 2))
        factor = line(op.reciprocals, min(nearest - 2**16, 65535))
        values = [floor_shift(Fraction(term * factor, 2 ** (bits - 1)) + Fraction(1, 2)) for term in terms]
        result += [min(value, 32767) for value in values]
    return result


def gather(op: Any, x: list[int]) -> list[int]:
    indices = [op.start]
    for size, step in zip(op.sizes.tolist(), op.steps.tolist(), strict=True):
        indices = [index + i * step for index in indices for i in range(size)]
    return [x[index] for index in indices]


def away(value: Fraction) -> int:
    """Rounded half away from zero."""
    return floor_shift(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


def product(a: int, b: int) -> int:
    return floor_shift(Fraction(a * b, 2**31) + Fraction(1, 2))


def softmax8(op: Any, x: list[int]) -> list[int]:
    result = []
    for start in range(0, len(x), op.classes):
        row = x[start : start + op.classes]
        below = [max(row) - value for value in row]
        terms = [int(op.exponentials[d]) if d < len(op.exponentials) else 0 for d in below]
        total = sum(away(Fraction(term, 2**12)) for term in terms)
        bits = total.bit_length()
        half = away(Fraction(total * 2 ** (32 - bits) - 2**31 + 2**31 - 1, 2))
        x_ = 1515870810 + product(half, -1010580540)
        for _ in range(3):
            x_ += product(x_, 2**29 - product(half, x_)) * 4
        scale = min(2 * x_, 2**31 - 1)
        values = [away(Fraction(product(term, scale), 2 ** (bits + 3))) for term in terms]
        result += [clamp(value, 0, 255) + op.zero_point for value in values]
    return result


OPERATORS = {
    "load": load,
    "add16": add16,
    "sigmoid16": sigmoid16,
    "softmax16": softmax16,
    "flip": flip,
    "mul": mul,
    "gather": gather,
    "softmax8": softmax8,
    "conv2d": conv2d,
    "depthwise_conv2d": depthwise_conv2d,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "add": add,
    "concat": concat,
    "pad": pad,
    "quantize": quantize,
    "compand": compand,
    "dense": dense,
    "table": table,
    "curve": curve,
    "retype": retype,
    "argmax": argmax,
    "softmax": softmax,
    "rescale": rescale,
}


def run(graph: Graph, x: np.ndarray) -> dict[str, list[int]]:
    """Every tensor of one sample, flat."""
    tensors = {INPUT: [int(value) for value in x.reshape(-1)]}
    for node in graph.nodes:
        tensors[node.name] = OPERATORS[node.op.kind](node.op, *(tensors[source] for source in node.inputs))
    return tensors
