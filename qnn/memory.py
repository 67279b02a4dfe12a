# SPDX-License-Identifier: MIT
"""The memory plan: where each intermediate tensor lives in the caller's scratch memory (SPEC 6)."""

from __future__ import annotations

from dataclasses import dataclass

from qnn.graph import Graph

ALIGNMENT = 4


@dataclass(frozen=True)
class Buffer:
    """A place in scratch memory: the tensors that share it (in-place operators), its lifetime in node indices."""

    tensors: tuple[str, ...]
    offset: int
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class MemoryPlan:
    """scratch_bytes: what the caller must give. buffers: in order of their first use."""

    scratch_bytes: int
    buffers: tuple[Buffer, ...]

    def offset(self, tensor: str) -> int:
        """Where `tensor` starts in scratch memory. Raises StopIteration if it does not live there."""
        return next(buffer.offset for buffer in self.buffers if tensor in buffer.tensors)


def plan_memory(graph: Graph) -> MemoryPlan:
    """Offsets for every tensor of the body but the raw input and the output, which are the caller's.

    Greedy by size (Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020):
    the largest buffer first, each at the lowest offset that is free during its whole life.
    """
    placed: list[Buffer] = []
    for buffer in sorted(_lifetimes(graph), key=lambda item: (-item.bytes, item.first)):
        offset = 0
        for other in sorted(placed, key=lambda item: item.offset):
            alive_together = other.first <= buffer.last and buffer.first <= other.last
            if alive_together and offset < other.offset + other.bytes and other.offset < offset + buffer.bytes:
                offset = other.offset + other.bytes
        placed.append(Buffer(buffer.tensors, offset, buffer.bytes, buffer.first, buffer.last))
    total = max((buffer.offset + buffer.bytes for buffer in placed), default=0)
    return MemoryPlan(max(total, ALIGNMENT), tuple(sorted(placed, key=lambda item: item.first)))


def _lifetimes(graph: Graph) -> list[Buffer]:
    """Buffers without offsets; an in-place operator shares its input's buffer where nothing else reads that later."""
    last_use = {name: index for index, node in enumerate(graph.body) for name in node.inputs}
    buffers: list[Buffer] = []
    for index, node in enumerate(graph.body):
        if node.name == graph.output:
            continue
        last, size = last_use.get(node.name, index), _aligned(node.type.bytes)
        source = node.inputs[0]
        shared = next((buffer for buffer in buffers if source in buffer.tensors), None)
        dies_here = last_use[source] == index and graph.type_of(source).dtype == node.type.dtype
        if node.op.inplace and shared is not None and dies_here:
            buffers[buffers.index(shared)] = Buffer((*shared.tensors, node.name), 0, shared.bytes, shared.first, last)
        else:
            buffers.append(Buffer((node.name,), 0, size, index, last))
    return buffers


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
