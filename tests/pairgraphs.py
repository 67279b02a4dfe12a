# SPDX-License-Identifier: MIT
"""Random graphs of convolutions on maps of pairs: weights of four bits, windows at even inputs, every geometry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from mapgraphs import finished, random_conv2d, random_window

from qnn.fixedpoint import requantization
from qnn.graph import INPUT, Graph, Node
from qnn.ops.conv2d import Conv2d
from qnn.ops.op import TensorType
from qnn.ops.window import Window

HEADER = "qnn_conv2d_pairs.h"


def narrow_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """int8 within -8..7: all kinds of densities, at times one end only."""
    weights = rng.integers(-8, 8, shape)
    weights[rng.random(shape) < rng.choice([0, 0.3, 0.9])] = rng.choice([-8, 0, 7])
    return weights.astype(np.int8)


def narrow_conv(
    rng: np.random.Generator, x: TensorType, final: bool, window: Window | None = None
) -> tuple[Conv2d, TensorType]:
    """A random conv2d whose weights have four bits, with factors that fill its output's range."""
    op, kind = random_conv2d(rng, x, final, window or random_window(rng, x))
    op = replace(op, weights=narrow_weights(rng, op.weights.shape), rounding_shift=0)
    op = replace(op, bias=rng.integers(-(1 << 12), 1 << 12, len(op.weights)))
    if x.dtype == "uint8":
        op = replace(op, pad_value=int(rng.integers(x.low, x.high + 1)))
    low, high = op.accumulator_bound((x,))
    factors = (kind.high - kind.low + 1) / max(-low, high, 1) * 2.0 ** rng.uniform(-1, 5, len(op.weights))
    return replace(op, requantization=requantization(factors, kind.zero_point, kind.low, kind.high)), kind


def pairs_graph(rng: np.random.Generator, name: str = "net") -> Graph:
    """Two convolutions, at least one of them on a map of pairs."""
    while True:
        shape = (*(int(rng.integers(1, 9)) for _ in range(2)), int(rng.choice([1, 1, 2, 3, 4, 6, 10])))
        window = None
        if rng.integers(5) == 0:  # an odd row, whose last word has one half of padding
            shape, window = (5, 5, 1), Window(5, 5, 1, 2, 4, 1, 2, 0, 0, 4, 2)
        raw = TensorType(shape, "uint8", 0, 255, 1 / 255)
        first, kind = narrow_conv(rng, raw, False, window)
        if kind.dtype != "uint8":
            continue
        last, end = narrow_conv(rng, kind, True)
        graph = finished(rng, name, raw, (Node("first", first, (INPUT,), kind), Node("final", last, ("first",), end)))
        if any(kernel.header == HEADER for kernel in graph.kernels):
            return graph
