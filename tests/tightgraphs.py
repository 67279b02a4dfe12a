# SPDX-License-Identifier: MIT
"""Random graphs whose weights have 2 to 6 bits, stored in so many, in every operator that has weights."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from graphs import random_graph
from mapgraphs import random_map_graph, rare_graph
from pairgraphs import pairs_graph

from qnn.check import check
from qnn.fixedpoint import requantization
from qnn.graph import Graph, Node
from qnn.ops.choices import AUTO, BALANCED, ON, SIZE, SPEED, Choices
from qnn.ops.conv2d import Conv2d
from qnn.ops.dense import Dense
from qnn.ops.depthwise_conv2d import DepthwiseConv2d

MAKERS = (
    random_graph,
    partial(random_graph, counts=(33, 67, 130)),
    random_map_graph,
    random_map_graph,
    rare_graph,
    pairs_graph,
)
TERNARY = 1.5
STORED = ("_tight.h", "_lanes.h")
BITS = (TERNARY, 2, 3, 4, 5, 6)


def tight_graph(rng: np.random.Generator, name: str = "net") -> Graph:
    """Any random graph with narrow weights, most often stored so that constants get smaller, whatever the code.

    In some layer at least weights are stored so, or may be.
    """
    while True:
        made = MAKERS[int(rng.integers(len(MAKERS)))](rng, name)
        nodes = tuple(narrow_node(rng, made, node) for node in made.nodes)
        pack = str(rng.choice([ON, ON, ON, AUTO]))
        goal, steady = str(rng.choice([SPEED, SPEED, SPEED, BALANCED, SIZE])), bool(rng.integers(4) == 0)
        found = replace(made, nodes=nodes, choices=Choices(optimize=goal, constant_time=steady, pack=pack))
        if pack == AUTO or any(kernel.header.endswith(STORED) for kernel in found.kernels):
            return check(found)


def narrow_node(rng: np.random.Generator, graph: Graph, node: Node) -> Node:
    """The node with weights of few bits and factors that fill its output's range; itself where its inputs are wide."""
    op, (x, *_) = node.op, graph.types_of(node)
    if not isinstance(op, Dense | Conv2d | DepthwiseConv2d) or x.dtype != "uint8":
        return node
    weights = narrow_weights(rng, op.weights.shape)
    op = replace(op, weights=weights, bias=rng.integers(-(1 << 12), 1 << 12, len(weights)), rounding_shift=0)
    low, high = op.accumulator_bound((x,))
    y = node.type
    factors = (y.high - y.low + 1) / max(-low, high, 1) * 2.0 ** rng.uniform(-1, 5, len(weights))
    return replace(node, op=replace(op, requantization=requantization(factors, y.zero_point, y.low, y.high)))


def narrow_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """int8 of 2 to 6 bits or ternary, at times of one sign, or only the ends."""
    bits = float(rng.choice(BITS))
    low, high = (-1, 1) if bits == TERNARY else (-(1 << int(bits) - 1), (1 << int(bits) - 1) - 1)
    offset = int(rng.choice([0, 0, -low, -high]))
    weights = rng.integers(low, high + 1, shape)
    ends = rng.random(shape) < float(rng.choice([0, 0.3, 1]))
    return (np.where(ends, rng.choice([low, high], shape), weights) + offset).astype(np.int8)
