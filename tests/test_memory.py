# SPDX-License-Identifier: MIT
"""The memory plan: live tensors never overlap, and chains need no byte more than the lower bound."""

from __future__ import annotations

import numpy as np
from graphs import random_graph
from hypothesis import given
from hypothesis import strategies as st

from qnn.graph import Graph
from qnn.memory import ALIGNMENT, plan_memory


def live_bytes(graph: Graph) -> int:
    """The largest sum of live bytes over the nodes of a chain; a table works in place."""
    sizes = {n.name: -(-n.type.bytes // ALIGNMENT) * ALIGNMENT for n in graph.body if n.name != graph.output}
    most = 0
    for node in graph.body:
        source = sizes.get(node.inputs[0], 0)
        own = sizes.get(node.name, 0)
        most = max(most, source if node.op.inplace and own and source else source + own)
    return max(most, ALIGNMENT)


@given(st.integers(0, 1 << 30))
def test_live_tensors_do_not_overlap_and_chains_are_optimal(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed))
    plan = plan_memory(graph)
    for a in plan.buffers:
        assert a.offset % ALIGNMENT == 0
        assert a.offset + a.bytes <= plan.scratch_bytes
        for b in plan.buffers:
            together = a is not b and a.first <= b.last and b.first <= a.last
            assert not together or a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
    assert plan.scratch_bytes == live_bytes(graph)
    planned = {name for buffer in plan.buffers for name in buffer.tensors}
    assert planned == {node.name for node in graph.body if node.name != graph.output}
