# SPDX-License-Identifier: MIT
"""Weights split into what two products in one multiplication hold and a rest: exact, in range, fewest extras."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import edge_samples, random_schema, value_heads
from test_differential import RECORD, compare, write_graph

from qnn.check import check
from qnn.engines.host import SANITIZED, HostEngine
from qnn.engines.interface import interface_of
from qnn.fixedpoint import requantization
from qnn.graph import INPUT, Graph, Node
from qnn.ops.conv2d import Conv2d
from qnn.ops.dense import LEAST_SPLIT, Dense
from qnn.ops.dual import PAIR_LIMIT, grouped
from qnn.ops.op import Op, TensorType
from qnn.ops.split import MAX_ENTRIES, Split, split_weights
from qnn.ops.window import Window


def inputs(high: int = 255, elements: int = 64) -> TensorType:
    """uint8 inputs up to `high`."""
    return TensorType((elements,), "uint8", 0, high, 1.0)


def some_weights(seed: int) -> np.ndarray:
    """int8 (O, K): bell-shaped, uniform, extreme."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 9)), int(rng.integers(1, 40)))
    bell = np.clip(rng.normal(0, rng.choice([10, 40, 80]), shape), -128, 127)
    edges = rng.choice([-128, -127, 0, 126, 127], shape)
    return np.where(rng.random(shape) < float(rng.choice([0, 0.1, 1])), edges, bell).astype(np.int8)


@pytest.mark.parametrize("seed", range(60))
def test_kept_and_extras_are_the_weights(seed: int) -> None:
    weights, high = some_weights(seed), int(np.random.default_rng(seed).choice([1, 128, 200, 255]))
    split = split_weights(weights, inputs(high))
    again = split.kept.copy()
    np.add.at(again, (split.outputs, split.inputs), split.extras)
    assert np.array_equal(again, weights)
    raised = grouped(split.kept, split.lowest)
    assert raised.min() >= 0
    assert raised.max() <= 255
    assert (raised[:, :, :2] + raised[:, :, 2:]).max() * high <= PAIR_LIMIT


@pytest.mark.parametrize("seed", range(20))
def test_no_other_lowest_weight_leaves_fewer_extras(seed: int) -> None:
    weights = some_weights(seed)
    split = split_weights(weights, inputs())
    for row, count in zip(weights.astype(int), np.bincount(split.outputs, minlength=len(weights)), strict=True):
        assert count == min(extras_of(row, base) for base in range(-128, 1))


def extras_of(row: np.ndarray, base: int) -> int:
    """How many weights of the row need an extra of int8 above the lowest weight `base`, weight by weight."""
    limit, extras = PAIR_LIMIT // 255, int((row < base).sum())
    raised = np.maximum(row - base, 0)
    for i in range(len(row) - 2):
        if i % 4 < 2:
            excess = int(raised[i] + raised[i + 2]) - limit
            extras += (excess > 0) + (excess > 127)
    return extras


def chosen(op: Op, raw: TensorType) -> str:
    """The header of the kernel that one layer gets."""
    return op.kernel((raw,), TensorType((4,), "int16", -32768, 32767, 0.01)).header


@pytest.mark.parametrize(("pairs", "header"), [(0, "dual"), (1, "split"), (8, "split"), (9, "dense.h")])
def test_few_extras_are_worth_it(pairs: int, header: str) -> None:
    """One eighth of 64 weights at most, here one of each pair of large ones; in layers of at least 128 weights."""
    weights = np.full((16, 4), -20, np.int8)
    weights[15, 3], weights[:pairs, ::2] = 60, 127
    rows = np.tile(weights.reshape(1, 64), (LEAST_SPLIT // 64, 1))
    constants = requantization(np.ones(len(rows)), 0, -32768, 32767)
    assert header in chosen(Dense(rows, np.zeros(len(rows), np.int64), 0, constants), inputs())
    fewer = Dense(
        rows[1:], np.zeros(len(rows) - 1, np.int64), 0, requantization(np.ones(len(rows) - 1), 0, -32768, 32767)
    )
    assert ("dense.h" if header == "split" else header) in chosen(fewer, inputs())


def test_more_entries_than_can_be_counted() -> None:
    many = MAX_ENTRIES + 1
    zeros = np.zeros(many, np.int64)
    split = Split(np.zeros(1, np.int8), np.zeros((1, 8), np.int64), zeros, zeros, zeros.astype(np.int8))
    assert not split.fits(zeros)
    assert Split(split.lowest, split.kept, zeros[1:], zeros[1:], split.extras[1:]).fits(zeros[1:])
    assert not Split(split.lowest, split.kept, zeros[:1], zeros[:1], split.extras[:1]).fits(np.array([MAX_ENTRIES + 1]))


def test_a_window_too_long_for_places(tmp_path_factory: pytest.TempPathFactory) -> None:
    """8192 inputs of a window have places, as many more do not; both give the simulator's values."""
    rng = np.random.default_rng(8)
    for channels, header in ((8192, "qnn_conv2d_split.h"), (8200, "qnn_conv2d.h")):
        raw = TensorType((1, 5, channels), "uint8", 0, 255, 1 / 255)
        window = Window(1, 5, channels, 1, 1, 1, 1, 0, 0, 1, 5)
        weights = rng.integers(-30, 31, (4, 1, 1, channels)).astype(np.int8)
        weights[:, :, :, ::700], weights[:, :, :, -1] = -127, -127
        kind = TensorType((1, 5, 4), "int16", -32768, 32767, 0.02)
        constants = requantization(np.full(4, 2.0**-9), 0, kind.low, kind.high)
        node = Node("final", Conv2d(window, weights, np.zeros(4, np.int64), 0, constants), (INPUT,), kind)
        heads = value_heads(rng, "final", kind)
        graph = check(Graph("net", random_schema(raw, kind, False), RECORD, raw, (node, *heads), "final", INPUT))
        assert graph.kernels[0].header == header
        folder = write_graph(graph, tmp_path_factory.mktemp("net"))
        engine = HostEngine(folder, interface_of(graph), flags=SANITIZED, program=True)
        compare(graph, np.stack([np.full(raw.shape, 255, np.uint8), *edge_samples(rng, graph, 6)]), engine)
        engine.close()
