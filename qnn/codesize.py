# SPDX-License-Identifier: MIT
"""About how many bytes of code a network takes."""

from __future__ import annotations

from qnn.graph import Graph
from qnn.ops.nominal import kernels_code


def code_bytes(graph: Graph) -> int:
    """About how many bytes of code the graph's kernels take on RV32, each counted once."""
    return kernels_code(graph.kernels)
