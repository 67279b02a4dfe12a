# SPDX-License-Identifier: MIT
"""The simulator against the plain definition and against an independent oracle, on random graphs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import oracle
import pytest
from graphs import edge_samples, random_graph
from hypothesis import given, settings
from hypothesis import strategies as st
from importgraphs import random_imported_graph
from mapgraphs import random_map_graph
from networks import Example, model_of
from widegraphs import random_wide_graph

from qnn import simulator
from qnn.calibration import calibrate
from qnn.compiler import compile_model
from qnn.errors import QnnError
from qnn.fixedpoint import requantization
from qnn.graph import INPUT, Graph
from qnn.ops.op import TensorType
from qnn.ops.softmax import MAX_EXPONENT, Softmax
from qnn.ops.window import Window
from qnn.simulator import define, simulate, tensor_names


@given(
    st.integers(0, 1 << 30), st.sampled_from([random_graph, random_map_graph, random_imported_graph, random_wide_graph])
)
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


@settings(max_examples=40)
@given(st.integers(0, 1 << 30))
def test_small_batches_and_freed_tensors_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_map_graph(rng)
    x = edge_samples(rng, graph, 7)
    whole = simulate(graph, x, keep=tensor_names(graph))
    for name in (graph.output, graph.quantized_input):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(simulator, "BATCH_BYTES", 1)
            assert np.array_equal(simulate(graph, x, keep=(name,))[name], whole[name])
        assert set(simulator._run(graph, x, (name,), fast=True)) <= {name, INPUT}


def test_a_batch_is_as_large_as_its_tensors_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand samples of 256 x 256 pixels and 8 channels took 8 GB at once."""
    monkeypatch.setattr(simulator, "BATCH_BYTES", 1 << 20)
    model = model_of(Example("wide", f"{'conv 1x1 8 relu, ' * 3}flatten, dense 4", (16, 16, 1)))
    graph = compile_model(model, calibrate(model, model.samples[:2]), "wide").graph
    largest = 3 * 8 * 16 * 16  # two maps and the columns of the second
    assert simulator.batch_size(graph, (graph.output,)) == (1 << 17) // largest
    everything = simulator.batch_size(graph, tensor_names(graph))
    assert 1 < everything < (1 << 17) // largest
    small = random_graph(np.random.default_rng(1))
    assert simulator.batch_size(small, tensor_names(small)) == simulator.MAX_BATCH


@pytest.mark.parametrize(
    ("sizes", "problem"),
    [
        ({"kernel_height": 1 << 24, "pad_top": (1 << 24) - 1}, "its kernel is too large"),
        ({"kernel_width": 65, "pad_left": 64}, "its kernel is too large"),
        ({"kernel_height": 64, "kernel_width": 64, "pad_top": 63, "pad_left": 63, "channels": 1 << 20}, "too large"),
    ],
)
def test_kernels_far_beyond_their_map_are_refused(sizes: dict[str, int], problem: str) -> None:
    window = replace(Window(1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1), **sizes)
    with pytest.raises(QnnError, match=problem):
        window.check("pool1", TensorType((1, 1, window.channels), "uint8", 0, 255))


def test_a_pool_may_be_as_large_as_its_map() -> None:
    Window(100, 100, 4, 100, 100, 1, 1, 0, 0, 1, 1).check("pool1", TensorType((100, 100, 4), "uint8", 0, 255))
    Window(2, 2, 4, 64, 64, 1, 1, 31, 31, 1, 1).check("pool1", TensorType((2, 2, 4), "uint8", 0, 255))


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
