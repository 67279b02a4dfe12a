# SPDX-License-Identifier: MIT
"""The memory plan: where each intermediate tensor lives in the caller's scratch memory (SPEC 6)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from qnn.graph import Graph, Node

ALIGNMENT = 4
EFFORT = 200_000  # comparisons of buffers that may be spent on improving a plan


@dataclass(frozen=True)
class Buffer:
    """A place in scratch memory: the tensors that share it (in-place operators), its lifetime in node indices.

    workspace: the node whose kernel works in it, "" for tensors.
    """

    tensors: tuple[str, ...]
    offset: int
    bytes: int
    first: int
    last: int
    workspace: str = ""

    def meets(self, other: Buffer) -> bool:
        """Are both alive at some node?"""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class MemoryPlan:
    """scratch_bytes: what the caller must give. buffers: in order of their first use.

    live_bytes: the largest sum of tensors that are alive at one node, below which no plan can get; workspace_bytes:
    the largest workspace of a kernel, which comes on top of the tensors alive then.
    """

    scratch_bytes: int
    live_bytes: int
    workspace_bytes: int
    buffers: tuple[Buffer, ...]

    def offset(self, tensor: str) -> int:
        """Where `tensor` starts in scratch memory. Raises StopIteration if it does not live there."""
        return next(buffer.offset for buffer in self.buffers if tensor in buffer.tensors)

    def workspace_offset(self, node: str) -> int:
        """Where the workspace of the kernel of `node` starts. Raises StopIteration if it has none."""
        return next(buffer.offset for buffer in self.buffers if buffer.workspace == node)


def plan_memory(graph: Graph) -> MemoryPlan:
    """Offsets for every tensor of the body but the raw input and the output, which are the caller's.

    Greedy by size (Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020): the largest
    buffer first, each at the lowest offset that is free during its whole life. Where that misses the lower bound,
    the order is improved by swaps until it meets it or EFFORT is spent.
    """
    buffers = [*_tensor_buffers(graph), *_workspaces(graph)]
    bound = _largest_sum(buffers, len(graph.body))
    order = sorted(buffers, key=lambda item: (-item.bytes, item.first))
    best = _place(order)
    chance = random.Random(0)  # its random() is the same in every version of Python
    for _ in range(EFFORT // max(len(buffers), 1) ** 2):
        if _end(best) <= bound:
            break
        i, j = (int(chance.random() * len(order)) for _ in range(2))
        order[i], order[j] = order[j], order[i]
        candidate = _place(order)
        if _end(candidate) <= _end(best):
            best = candidate
        else:
            order[i], order[j] = order[j], order[i]
    live = _largest_sum([buffer for buffer in buffers if not buffer.workspace], len(graph.body))
    work = max((buffer.bytes for buffer in buffers if buffer.workspace), default=0)
    ordered = tuple(sorted(best, key=lambda item: (item.first, item.offset)))
    return MemoryPlan(max(_end(best), ALIGNMENT), live, work, ordered)


def _place(order: Sequence[Buffer]) -> list[Buffer]:
    """The buffers with offsets, each at the lowest one that is free during its life, in the given order."""
    placed: list[Buffer] = []
    for buffer in order:
        offset = 0
        for other in sorted(placed, key=lambda item: item.offset):
            overlaps = offset < other.offset + other.bytes and other.offset < offset + buffer.bytes
            if buffer.meets(other) and overlaps:
                offset = other.offset + other.bytes
        placed.append(replace(buffer, offset=offset))
    return placed


def _end(buffers: Sequence[Buffer]) -> int:
    return max((buffer.offset + buffer.bytes for buffer in buffers), default=0)


def _largest_sum(buffers: Sequence[Buffer], nodes: int) -> int:
    """The largest sum of bytes that are alive at one node."""
    return max((sum(b.bytes for b in buffers if b.first <= i <= b.last) for i in range(nodes)), default=0)


def _tensor_buffers(graph: Graph) -> list[Buffer]:
    """Buffers without offsets; an operator that works in place takes over an input that nothing else reads later."""
    last_use = {name: index for index, node in enumerate(graph.body) for name in node.inputs}
    buffers: list[Buffer] = []
    for index, node in enumerate(graph.body):
        if node.name == graph.output:
            continue
        last, size = last_use.get(node.name, index), _aligned(node.type.bytes)
        taken = _taken_over(graph, node, index, last_use, buffers)
        if taken is None:
            buffers.append(Buffer((node.name,), 0, size, index, last))
        else:
            buffers[buffers.index(taken)] = replace(taken, tensors=(*taken.tensors, node.name), last=last)
    return buffers


def _taken_over(graph: Graph, node: Node, index: int, last_use: dict[str, int], buffers: list[Buffer]) -> Buffer | None:
    """The smallest buffer of an input that the node may write its output over; None where there is none."""
    found = [
        buffer
        for buffer in buffers
        for source in node.inputs
        if source == buffer.tensors[-1]
        and last_use[source] == index
        and graph.type_of(source).dtype == node.type.dtype
        and _aligned(node.type.bytes) <= buffer.bytes
    ]
    return min(found, key=lambda buffer: buffer.bytes) if found and node.op.works_in_place() else None


def _workspaces(graph: Graph) -> list[Buffer]:
    """A buffer for each kernel that needs room while it runs."""
    sizes = [graph.kernel_of(node).workspace for node in graph.body]
    return [
        Buffer((), 0, _aligned(size), index, index, node.name)
        for index, (node, size) in enumerate(zip(graph.body, sizes, strict=True))
        if size
    ]


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
