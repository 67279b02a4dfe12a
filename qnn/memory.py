# SPDX-License-Identifier: MIT
"""The memory plan: where each intermediate tensor lives in the caller's scratch memory (SPEC 6)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from qnn.graph import Graph, Node

ALIGNMENT = 4
EFFORT = 1 << 21  # comparisons of places that may be spent on improving a plan: about a second


@dataclass(frozen=True)
class Place:
    """A part of scratch memory, for as long as it is needed: from node `first` to node `last`, as indices of the body.

    tensor: what lives there, "" for the workspace of the kernel of node `first`. over: the tensor that an operator
    working in place overwrites with it, "" elsewhere; both start at one offset and are alive at node `first`.
    """

    tensor: str
    bytes: int
    first: int
    last: int
    over: str = ""
    offset: int = 0

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + self.bytes

    def meets(self, other: Place) -> bool:
        """Are both needed at some node?"""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class MemoryPlan:
    """scratch_bytes: what the caller must give. places: in order of their first use.

    live_bytes: the largest sum of tensors that are alive at one node, below which no plan can get; workspace_bytes:
    the largest workspace of a kernel, which comes on top of the tensors alive then.
    """

    scratch_bytes: int
    live_bytes: int
    workspace_bytes: int
    places: tuple[Place, ...]

    def offset(self, tensor: str) -> int:
        """Where `tensor` starts in scratch memory. Raises StopIteration if it does not live there."""
        return next(place.offset for place in self.places if place.tensor == tensor)

    def workspace_offset(self, index: int) -> int:
        """Where the workspace of the kernel of node `index` starts. Raises StopIteration if it has none."""
        return next(place.offset for place in self.places if not place.tensor and place.first == index)


Chain = tuple[Place, ...]  # a tensor and those that operators write over it one after the other: one offset


def plan_memory(graph: Graph) -> MemoryPlan:
    """Offsets for every tensor of the body but the raw input and the output, which are the caller's.

    A chain of tensors that overwrite each other has one offset, but is never larger than what is alive of it. Greedy
    by size (Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020): the largest chain
    first, each at the lowest offset that is free whenever it needs it. What then ends above the lower bound is moved
    towards the front, and all are placed again, until the bound is met or EFFORT is spent ("squeaky wheel"
    optimization, Joslin and Clements 1999).
    """
    tensors, workspaces = _chains(graph), _workspaces(graph)
    chains = [*tensors, *workspaces]
    bound = _largest_sum(chains)
    tried = best = _placed(sorted(chains, key=lambda chain: (-chain[0].bytes, chain[0].first)))
    chance = random.Random(0)  # its random() is the same in every version of Python
    for _ in range(EFFORT // max(sum(map(len, chains)), 1) ** 2):
        if _end(best) <= bound:
            break
        tried = _placed(_hurried(tried, bound, chance))
        best = min(best, tried, key=_end)
    work = max((place.bytes for (place,) in workspaces), default=0)
    ordered = sorted((place for chain in best for place in chain), key=lambda place: (place.first, place.offset))
    return MemoryPlan(max(_end(best), ALIGNMENT), _largest_sum(tensors), work, tuple(ordered))


def _hurried(placed: list[Chain], bound: int, chance: random.Random) -> list[Chain]:
    """The chains, those that end above `bound` moved towards the front."""
    order = list(placed)
    for chain in placed:
        if _end([chain]) > bound:
            index = order.index(chain)
            order.insert(int(index * chance.random()), order.pop(index))
    return order


def _placed(order: Sequence[Chain]) -> list[Chain]:
    """The chains with offsets, each at the lowest one that is free during its life, in the given order."""
    placed: list[Chain] = []
    for chain in order:
        offset = 0
        for low, high in sorted(_taken(chain, placed)):
            if low >= offset:
                break
            offset = max(offset, high)
        placed.append(tuple(replace(place, offset=offset) for place in chain))
    return placed


def _taken(chain: Chain, placed: Sequence[Chain]) -> Iterator[tuple[int, int]]:
    """Between which offsets (both excluded) the chain would overlap a place that is needed at the same time."""
    for place in chain:
        for other in (other for others in placed for other in others):
            if place.meets(other):
                yield other.offset - place.bytes, other.end


def _end(chains: Sequence[Chain]) -> int:
    return max((place.end for chain in chains for place in chain), default=0)


def _largest_sum(chains: Sequence[Chain]) -> int:
    """The largest sum of bytes that are needed at one node; where an operator works in place, the larger tensor's."""
    nodes = max((place.last for chain in chains for place in chain), default=-1) + 1
    return max((sum(_bytes_at(chain, index) for chain in chains) for index in range(nodes)), default=0)


def _bytes_at(chain: Chain, index: int) -> int:
    return max((place.bytes for place in chain if place.first <= index <= place.last), default=0)


def _chains(graph: Graph) -> list[Chain]:
    """The tensors without offsets; an operator that works in place extends the chain of an input."""
    last_use = {name: index for index, node in enumerate(graph.body) for name in node.inputs}
    chains: list[Chain] = []
    for index, node in enumerate(graph.body):
        if node.name == graph.output:
            continue
        place = Place(node.name, _aligned(node.type.bytes), index, last_use.get(node.name, index))
        before = next((chain for chain in chains if _overwrites(graph, node, chain[-1], last_use)), None)
        if before is None:
            chains.append((place,))
        else:
            chains[chains.index(before)] = (*before, replace(place, over=before[-1].tensor))
    return chains


def _overwrites(graph: Graph, node: Node, place: Place, last_use: dict[str, int]) -> bool:
    """May the node write its output over the tensor of `place`: an input of the same storage, not read later?"""
    return (
        place.tensor in node.inputs
        and node.op.works_in_place()
        and graph.body[last_use[place.tensor]] is node
        and graph.type_of(place.tensor).dtype == node.type.dtype
        and _aligned(node.type.bytes) <= place.bytes
    )


def _workspaces(graph: Graph) -> list[Chain]:
    """A place for each kernel that needs room while it runs."""
    sizes = [graph.kernel_of(node).workspace for node in graph.body]
    return [(Place("", _aligned(size), index, index),) for index, size in enumerate(sizes) if size]


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
