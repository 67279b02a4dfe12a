# SPDX-License-Identifier: MIT
"""The simulator against the plain definition and against an independent oracle, on random graphs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import oracle
import pytest
from graphs import edge_samples, random_graph
from hypothesis import given
from hypothesis import strategies as st
from mapgraphs import random_map_graph

from qnn.errors import QnnError
from qnn.fixedpoint import requantization
from qnn.graph import Graph
from qnn.ops.softmax import MAX_EXPONENT, Softmax
from qnn.simulator import define, simulate, tensor_names


@given(st.integers(0, 1 << 30), st.sampled_from([random_graph, random_map_graph]))
def test_simulator_definition_and_oracle_agree(seed: int, make: Callable[[np.random.Generator], Graph]) -> None:
    rng = np.random.default_rng(seed)
    graph = make(rng)
    x = edge_samples(rng, graph, 8)
    fast = simulate(graph, x, keep=tensor_names(graph))
    plain = define(graph, x)
    for name in tensor_names(graph):
        assert np.array_equal(fast[name], plain[name]), name
    for i in range(len(x)):
        for name, values in oracle.run(graph, x[i]).items():
            assert fast[name][i].reshape(-1).tolist() == values, (name, i)


def test_every_tensor_stays_in_its_type(rng: np.random.Generator) -> None:
    for _ in range(20):
        graph = random_graph(rng)
        for name, values in define(graph, edge_samples(rng, graph, 8)).items():
            kind = graph.type_of(name)
            assert values.min() >= kind.low, name
            assert values.max() <= kind.high, name


@pytest.mark.parametrize("classes", [1, 2, 3, 10, 100, 255])
def test_probabilities_are_close_to_the_real_softmax(rng: np.random.Generator, classes: int) -> None:
    """Within the bound of SPEC 5.5, at every scale."""
    for _ in range(40):
        scale = 2.0 ** float(rng.uniform(-16, 0))
        exponent = requantization(np.array([scale * math.log2(math.e) * 65536]), 0, 0, MAX_EXPONENT)
        op = Softmax(0, exponent)
        logits = np.clip(rng.normal(0, rng.choice([10.0, 1000.0, 20000.0]), (4, classes)), -32768, 32767).astype(
            np.int64
        )
        for x, q15 in zip(logits, op.reference((logits,)), strict=True):
            exact = oracle.softmax_exact(op, x.tolist(), scale)
            assert np.abs(q15 / 32768 - exact).max() <= 2.0**-16 + 2e-5 + classes * 2.0**-22


def test_batches_give_what_single_samples_give(rng: np.random.Generator) -> None:
    graph = random_graph(rng)
    x = edge_samples(rng, graph, 2500)
    whole = simulate(graph, x)
    for i in (0, 1023, 1024, 2499):
        for name, values in simulate(graph, x[i : i + 1]).items():
            assert np.array_equal(values[0], whole[name][i])


def test_no_samples_give_empty_arrays(rng: np.random.Generator) -> None:
    graph = random_graph(rng)
    outputs = simulate(graph, edge_samples(rng, graph, 3)[:0])
    assert outputs[graph.output].shape == (0, *graph.type_of(graph.output).shape)


def test_wrong_samples_and_names_are_refused(rng: np.random.Generator) -> None:
    graph = random_graph(rng)
    x = edge_samples(rng, graph, 3)
    with pytest.raises(QnnError, match="the network takes"):
        simulate(graph, x[:, :, None])
    with pytest.raises(QnnError, match="the network takes"):
        simulate(graph, x.astype(np.float32))
    with pytest.raises(QnnError, match="not a tensor"):
        simulate(graph, x, keep=("nothing",))
