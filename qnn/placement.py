# SPDX-License-Identifier: MIT
"""Where the constants of each layer live: in flash, or copied to RAM at start, where they cost no flash misses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from qnn.emitter.flash import kernel_flash, padded
from qnn.errors import QnnError
from qnn.graph import Graph, Node
from qnn.memory import MemoryPlan
from qnn.ops.choices import AUTO, RAM, Weights
from qnn.ops.ckernel import CKernel

# The ESP32-C3's SRAM as the firmware uses it (esp32c3/esp32c3.ld, server.c); a test compares these with the firmware.
SRAM_BYTES = 0x50000
FIRMWARE_BYTES = 2560  # code and variables of the firmware in SRAM, but the buffers of its protocol
STACK_BYTES = 8192
CHUNK_BYTES, FRAMES = 1024, 2
WORDS = {"conv": "conv2d", "depthwise": "depthwise_conv2d"}
WORD = re.compile(rf"({'|'.join(WORDS)})(\d+)")


@dataclass(frozen=True)
class Placement:
    """Where the constants of a graph live.

    in_ram: the nodes whose constants are in RAM, in order; ram_bytes: how many bytes they are. room_bytes: what an
    ESP32-C3 has for them beside firmware, stack, scratch memory, inputs and outputs (below 0: not even those fit).
    """

    asked: Weights
    in_ram: tuple[str, ...]
    ram_bytes: int
    room_bytes: int

    @property
    def fits(self) -> bool:
        """Do they fit an ESP32-C3?"""
        return self.ram_bytes <= self.room_bytes

    def document(self) -> dict[str, Any]:
        """The JSON object of this placement."""
        return {
            "asked": str(self.asked),
            "in_ram": list(self.in_ram),
            "bytes": self.ram_bytes,
            "room": self.room_bytes,
            "text": str(self),
        }

    def __str__(self) -> str:
        room = f"the {max(self.room_bytes, 0):,} bytes that an ESP32-C3 has left for them"
        if self.in_ram:
            verb = "fit" if self.fits else "do not fit"
            return f"constants of {', '.join(self.in_ram)} in RAM: {self.ram_bytes:,} bytes, which {verb} {room}"
        if AUTO in (self.asked.memory, *(memory for _, memory in self.asked.layers)):
            return f"constants in flash: no layer's fit {room}"
        return "constants in flash"


def placement_of(graph: Graph, plan: MemoryPlan) -> Placement:
    """The placement that the graph's choices ask for. Raises QnnError as `place` does."""
    return place(graph, plan, graph.choices.weights)


def place(graph: Graph, plan: MemoryPlan, weights: Weights) -> Placement:
    """The placement of the graph's constants. `auto` puts into RAM what fits an ESP32-C3, first the layers that use
    each byte most often.

    Raises QnnError if `weights` names a layer that has no constants.
    """
    sizes = {node.name: constant_bytes(graph.kernel_of(node)) for node in graph.nodes}
    weights = _named(weights, tuple(name for name, size in sizes.items() if size))
    room = SRAM_BYTES - used_bytes(graph, plan)
    chosen = {name for name, size in sizes.items() if size and weights.of(name) == RAM}
    left = room - sum(sizes[name] for name in chosen)
    candidates = [node for node in graph.nodes if sizes[node.name] and weights.of(node.name) == AUTO]
    for node in sorted(candidates, key=lambda node: -_uses(graph, node) / sizes[node.name]):
        if sizes[node.name] <= left:
            chosen.add(node.name)
            left -= sizes[node.name]
    in_ram = tuple(node.name for node in graph.nodes if node.name in chosen)
    return Placement(weights, in_ram, sum(sizes[name] for name in in_ram), room)


def _named(weights: Weights, known: tuple[str, ...]) -> Weights:
    """`weights` with the names of nodes: a layer may also be called by its word in NET, conv1 for conv2d1."""
    layers = []
    for layer, memory in weights.layers:
        name = layer if layer in known else WORD.sub(lambda match: WORDS[match[1]] + match[2], layer)
        if name not in known:
            raise QnnError(
                f"--weights {layer[:80]}", "is no layer with constants", f"there are {', '.join(known[:20])}"
            )
        layers.append((name, memory))
    return Weights(weights.memory, tuple(layers))


def used_bytes(graph: Graph, plan: MemoryPlan) -> int:
    """What the firmware of this graph needs of the SRAM without constants, at most."""
    tensors = (graph.type_of(graph.output), *(node.type for node in graph.heads))
    result, out = sum(kind.bytes for kind in tensors), tensors[0].bytes
    inputs = max(graph.input.bytes, graph.type_of(graph.quantized_input).bytes)
    frames = FRAMES * padded(4 + max(8 + inputs, CHUNK_BYTES) + 4)
    reply = padded(4 + max(8 + result, 8 + CHUNK_BYTES) + 4)
    return FIRMWARE_BYTES + STACK_BYTES + result + out + frames + reply + plan.scratch_bytes + 4


def constant_bytes(kernel: CKernel) -> int:
    """The bytes of a node's arrays and of its parameter struct on RV32; 0 if it has no arrays."""
    return kernel_flash(kernel).total if kernel.arrays() else 0


def _uses(graph: Graph, node: Node) -> int:
    """How often an inference reads the node's constants, roughly: multiplications, or outputs."""
    return max(node.op.macs(graph.types_of(node), node.type), node.type.elements)
