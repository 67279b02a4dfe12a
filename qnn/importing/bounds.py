# SPDX-License-Identifier: MIT
"""How large an imported network may be in all, so that no file makes an import endless."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qnn.check import MAX_NODES
from qnn.errors import QnnError
from qnn.graph import Node
from qnn.ops.op import MAX_ELEMENTS, TensorType
from qnn.ops.window import Window

MOST_WORK = 1 << 30  # multiplications and moved values of one inference: some 15 seconds of an ESP32-C3


@dataclass
class Budget:
    """What the nodes made so far take: weights, and operations of one inference; types of their tensors by name."""

    path: Path
    types: dict[str, TensorType] = field(default_factory=dict)
    nodes: int = 0
    weights: int = 0
    work: int = 0

    def spend(self, node: Node) -> None:
        """Count a node in. Raises QnnError where the whole becomes too large."""
        inputs = tuple(self.types[name] for name in node.inputs)
        self.types[node.name] = node.type
        self.nodes += 1
        self.weights += int(getattr(getattr(node.op, "weights", None), "size", 0))
        self.work += node.op.macs(inputs, node.type) + node.type.elements + _covered(node)
        for what, count, most in (
            ("nodes", self.nodes, MAX_NODES),
            ("weights", self.weights, MAX_ELEMENTS),
            ("operations an inference", self.work, MOST_WORK),
        ):
            if count > most:
                raise QnnError(self.path, f"has {count:,} {what}, more than {most:,}", "use a smaller network")


def _covered(node: Node) -> int:
    """Values that windows cover, counted as often as they are covered."""
    window = getattr(node.op, "window", None)
    return window.pixels * window.taps * window.channels if isinstance(window, Window) else 0


def samples_within(total: int, most: int, bytes_: int = 1 << 28) -> int:
    """How many of at most `most` samples can be kept where one takes `total` bytes: at least one."""
    return max(1, min(most, bytes_ // max(total, 1)))
