# SPDX-License-Identifier: MIT
"""The memory plan: live tensors never overlap, and chains need no byte more than the lower bound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from graphs import random_graph
from hypothesis import given
from hypothesis import strategies as st
from mapgraphs import random_map_graph

from qnn.graph import INPUT, Graph
from qnn.memory import ALIGNMENT, plan_memory


def live_bytes(graph: Graph) -> tuple[int, int]:
    """The largest sum of live tensors over the nodes, without and with workspaces, counted node by node.

    A tensor lives from the node that writes it to the last that reads it. Where a node works in place, the plan's
    tensors that share a buffer count once.
    """
    plan = plan_memory(graph)
    last = {name: i for i, node in enumerate(graph.body) for name in node.inputs}
    tensors, both = 0, 0
    for i, node in enumerate(graph.body):
        alive = {n.name for j, n in enumerate(graph.body) if j <= i <= last.get(n.name, j) and n.name != graph.output}
        sizes = [max(aligned(graph.type_of(t).bytes) for t in b.tensors) for b in plan.buffers if alive & {*b.tensors}]
        work = aligned(graph.kernel_of(node).workspace)
        tensors, both = max(tensors, sum(sizes)), max(both, sum(sizes) + work)
    return tensors, both


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


@given(st.integers(0, 1 << 30), st.sampled_from([random_graph, random_map_graph]))
def test_live_tensors_do_not_overlap_and_the_bound_is_met(
    seed: int, make: Callable[[np.random.Generator], Graph]
) -> None:
    graph = make(np.random.default_rng(seed))
    plan = plan_memory(graph)
    for a in plan.buffers:
        assert a.offset % ALIGNMENT == 0
        assert a.offset + a.bytes <= plan.scratch_bytes
        for b in plan.buffers:
            together = a is not b and a.first <= b.last and b.first <= a.last
            assert not together or a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
    assert (plan.live_bytes, plan.scratch_bytes) == (live_bytes(graph)[0], max(live_bytes(graph)[1], ALIGNMENT))
    planned = {name for buffer in plan.buffers for name in buffer.tensors}
    assert planned == {node.name for node in graph.body if node.name != graph.output}


@given(st.integers(0, 1 << 30))
def test_in_place_operators_share_a_buffer_where_nothing_reads_the_input_later(seed: int) -> None:
    graph = random_map_graph(np.random.default_rng(seed))
    last = {name: i for i, node in enumerate(graph.body) for name in node.inputs}
    plan = plan_memory(graph)
    for i, node in enumerate(graph.body[:-1]):
        fitting = [
            name
            for name in node.inputs
            if name != INPUT and last[name] == i and aligned(graph.type_of(name).bytes) >= aligned(node.type.bytes)
        ]
        if node.op.works_in_place() and fitting:
            assert any({name, node.name} <= {*buffer.tensors} for buffer in plan.buffers for name in fitting)


def test_a_plan_that_greedy_placement_misses_is_improved() -> None:
    """Found among random graphs: the largest buffer first ends at 88 bytes, the bound is 80."""
    graph = random_map_graph(np.random.default_rng(1793))
    assert plan_memory(graph).scratch_bytes == live_bytes(graph)[1]
