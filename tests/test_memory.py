# SPDX-License-Identifier: MIT
"""The memory plan: what is needed at one time never overlaps, and no plan needs a byte more than the lower bound."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from fuzz_nets import Maker
from graphs import random_graph
from hypothesis import given
from hypothesis import strategies as st
from mapgraphs import random_map_graph
from networks import Example, model_of, schema_of

from qnn.calibration import calibrate
from qnn.cli.console import Output
from qnn.cli.memorymap import drawing, show_memory
from qnn.emitter.manifest import manifest
from qnn.errors import QnnError
from qnn.graph import INPUT, Graph
from qnn.memory import ALIGNMENT, MemoryPlan, plan_memory
from qnn.net import PRESETS, parse_net
from qnn.quantization import quantize

BRANCHES = "concat(conv 1x1 4 relu; conv 3x3 6 relu, maxpool 2 stride 1 same; linear) bn relu, gap, dense"
RESIDUAL = "conv 3x3 8 same bn relu, residual(conv 3x3 8 bn relu, conv 3x3 8 bn) relu, maxpool 2, conv 3x3 12, dense"


def live_bytes(graph: Graph) -> tuple[int, int]:
    """The largest sum of live tensors over the nodes, without and with workspaces."""
    sums = needed_bytes(graph)
    return max(tensors for tensors, _ in sums), max(tensors + work for tensors, work in sums)


def needed_bytes(graph: Graph) -> list[tuple[int, int]]:
    """Bytes of live tensors and of the workspace at each node.

    A tensor lives from the node that writes it to the last that reads it. A node that works in place adds nothing.
    """
    last = {name: i for i, node in enumerate(graph.body) for name in node.inputs}
    sums = []
    for i, node in enumerate(graph.body):
        alive = [n for j, n in enumerate(graph.body) if j <= i <= last.get(n.name, j) and n.name != graph.output]
        total = sum(aligned(n.type.bytes) for n in alive if n is not node or not overwritable(graph, i))
        sums.append((total, aligned(graph.kernel_of(node).workspace)))
    return sums


def overwritable(graph: Graph, index: int) -> set[str]:
    """The inputs that the node may write its output over."""
    node = graph.body[index]
    last = {name: i for i, other in enumerate(graph.body) for name in other.inputs}
    fitting = {
        name
        for name in node.inputs
        if name != INPUT and last[name] == index and graph.type_of(name).dtype == node.type.dtype
    }
    return fitting if node.op.works_in_place() and node.name != graph.output else set()


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def check_plan(graph: Graph, plan: MemoryPlan) -> None:
    """The plan holds every tensor and workspace, within its bytes, without overlaps, in as little as can be."""
    for a, b in combinations(plan.places, 2):
        together = a.first <= b.last and b.first <= a.last
        in_place = bool(b.over) and b.over == a.tensor and a.last == b.first and a.offset == b.offset
        assert not together or in_place or a.end <= b.offset or b.end <= a.offset
    for place in plan.places:
        assert place.offset % ALIGNMENT == 0
        assert place.end <= plan.scratch_bytes
    assert (plan.live_bytes, plan.scratch_bytes) == (live_bytes(graph)[0], max(live_bytes(graph)[1], ALIGNMENT))
    for i, node in enumerate(graph.body):
        own = [place for place in plan.places if place.tensor == node.name]
        assert [place.bytes for place in own] == [aligned(node.type.bytes)] * (node.name != graph.output)
        assert all(place.over in overwritable(graph, i) for place in own if place.over)
        work = [place.bytes for place in plan.places if not place.tensor and place.first == i]
        assert work == [aligned(graph.kernel_of(node).workspace)] * (graph.kernel_of(node).workspace > 0)


@given(st.integers(0, 1 << 30), st.sampled_from([random_graph, random_map_graph]))
def test_nothing_that_is_needed_overlaps_and_the_bound_is_met(
    seed: int, make: Callable[[np.random.Generator], Graph]
) -> None:
    graph = make(np.random.default_rng(seed))
    check_plan(graph, plan_memory(graph))


@pytest.mark.parametrize("net", [RESIDUAL, BRANCHES, *(preset.text for preset in PRESETS)])
def test_networks_need_the_lower_bound(net: str) -> None:
    graph = graph_of(net, (28, 28, 1))
    check_plan(graph, plan_memory(graph))


@pytest.mark.parametrize("seed", [0, 94, 112])
def test_deep_networks_need_the_lower_bound(seed: int) -> None:
    """Networks of about 60 layers in nested blocks; placing the largest first misses the last two."""
    graph = graph_of(deep_net(seed), (9, 7, 2))
    check_plan(graph, plan_memory(graph))


def deep_net(seed: int) -> str:
    """As many random layers and blocks as a network may have."""
    maker, parts, example = Maker(seed), "", Example("net", "", (9, 7, 2), "uint8", 10)
    for _ in range(60):
        longer = f"{parts}{maker.layer(False, 0)}, "
        try:
            parse_net(longer + "gap, dense", schema_of(example))
        except QnnError as error:
            if "more than" in str(error):
                break
        else:
            parts = longer
    return parts + "gap, dense"


def graph_of(net: str, shape: tuple[int, ...]) -> Graph:
    model = model_of(Example("net", net, shape, "uint8", 10))
    return quantize(model, calibrate(model, model.samples[:4]), "net")


@given(st.integers(0, 1 << 30))
def test_in_place_operators_overwrite_an_input_that_nothing_reads_later(seed: int) -> None:
    graph = random_map_graph(np.random.default_rng(seed))
    places = {place.tensor: place for place in plan_memory(graph).places if place.tensor}
    for i, node in enumerate(graph.body[:-1]):
        assert bool(places[node.name].over) == bool(overwritable(graph, i))


def test_what_a_pool_leaves_free_is_used() -> None:
    """8x8x8 bytes become 4x4x8 in place; the next layer and its workspace go where the rest was."""
    graph = graph_of("conv 5x5 8 same relu, maxpool 2, conv 3x3 16 relu, dense", (8, 8, 1))
    plan = plan_memory(graph)
    check_plan(graph, plan)
    assert plan.live_bytes == 512
    assert plan.scratch_bytes == 4 * 4 * 8 + 64 + plan.workspace_bytes < 512 + plan.workspace_bytes


def test_a_plan_that_greedy_placement_misses_is_improved() -> None:
    """Found among random graphs: the largest first ends at 256 bytes, the bound is 200."""
    graph = random_map_graph(np.random.default_rng(257))
    assert plan_memory(graph).scratch_bytes == live_bytes(graph)[1]


def test_the_drawing_shows_every_place_at_its_nodes() -> None:
    graph = graph_of(RESIDUAL, (12, 12, 1))
    found = manifest(graph, plan_memory(graph))
    names = [node["name"] for node in found["nodes"]]
    head, *lines = drawing(found["memory_plan"], names, found["ram"]["scratch"])
    assert f"{found['ram']['scratch']:,}" in head
    assert [line.split()[0] for line in lines] == names[: len(lines)]
    needed = [int(line.split()[-1].replace(",", "")) for line in lines]
    assert needed == [sum(both) for both in needed_bytes(graph)]
    letters = [set(line.split()[1]) - {"."} for line in lines]
    tensors = [place["tensor"] for place in found["memory_plan"] if place["tensor"]]
    for letter, name in zip("ABCDEFGH", tensors, strict=False):
        place = next(p for p in found["memory_plan"] if p["tensor"] == name)
        shown = [names[i] for i, line in enumerate(letters) if letter in line]
        assert shown[0] == place["first_node"]
    for place in found["memory_plan"]:
        if place["workspace_of"]:
            assert "+" in letters[names.index(place["workspace_of"])]


def test_a_network_of_one_operator_needs_no_scratch_memory(capsys: pytest.CaptureFixture[str]) -> None:
    graph = graph_of("conv 1x1 10, gap", (1, 1, 1))
    found = {**manifest(graph, plan_memory(graph)), "memory_plan": []}
    show_memory(Output(), found)
    assert capsys.readouterr().out == "Scratch memory: none is needed\n"
