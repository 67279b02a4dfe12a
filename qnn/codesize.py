# SPDX-License-Identifier: MIT
"""About how many bytes of code a network takes."""

from __future__ import annotations

from collections import Counter

from qnn.graph import Graph
from qnn.ops.nominal import TIGHT, kernels_code, nominal

# Bytes beside the nominal ones of kernels whose code is shared: where a network has one layer of the kind, whose
# parameters are constants for compilers, and where it has several. Fitted to what gcc 12 makes of 200 random networks.
MORE = (
    ("qnn_conv2d_", 350, 800),
    ("qnn_conv2d_dual", 650, 3400),
    ("qnn_conv2d_narrow", 450, 2050),
    ("qnn_conv2d_pairs", 700, 2100),
    ("qnn_conv2d_split", 950, 2900),
    ("qnn_dense_", -100, 300),
    ("qnn_dense_dual", 0, 250),
    ("qnn_dense_narrow", 100, 350),
    ("qnn_dense_split", -200, 200),
    ("qnn_depthwise_3x3", -300, 800),
)


def code_bytes(graph: Graph) -> int:
    """About how many bytes of code the graph's kernels take on RV32, each counted once.

    The nominal sizes, which also decide how weights are stored, are those of kernels with one layer, and know of lone
    layers that unpack their weights.
    """
    kinds = Counter(nominal(kernel.function)[0] for kernel in graph.kernels)
    alone = {nominal(kernel.function)[0] for kernel in graph.kernels if TIGHT not in kernel.function}
    more = sum(several if kinds[kind] > 1 else one * (kind in alone) for kind, one, several in MORE if kinds[kind])
    return kernels_code(graph.kernels) + more
