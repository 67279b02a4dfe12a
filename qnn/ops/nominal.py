# SPDX-License-Identifier: MIT
"""About how many bytes of code kernels take: a table, so that choices that weigh code need no compiler."""

from __future__ import annotations

from collections.abc import Iterable

from qnn.ops.ckernel import CKernel

# By the beginning of a kernel's name, the longest that fits: bytes by gcc 12 -O2 for RV32IMC, as far as they are left
# in a network, where gcc knows the parameters; and whether kernels whose names begin so share their code.
NOMINAL = (
    ("qnn_", 250, False),
    ("qnn_quantize_", 260, False),
    ("qnn_compand_", 380, False),
    ("qnn_dense_", 450, False),
    ("qnn_dense_short_", 220, False),
    ("qnn_dense_short_any_u8", 140, True),
    ("qnn_dense_short_fours_u8", 140, True),
    ("qnn_dense_least", 130, True),
    ("qnn_filters_least", 340, True),
    ("qnn_dense_narrow", 700, True),
    ("qnn_dense_dual", 800, True),
    ("qnn_dense_split", 950, True),
    ("qnn_dense_lanes", 1100, True),
    ("qnn_conv2d_", 750, False),
    ("qnn_conv2d_dual", 1400, True),
    ("qnn_conv2d_split", 2300, True),
    ("qnn_conv2d_narrow", 1200, True),
    ("qnn_conv2d_pairs", 1200, True),
    ("qnn_depthwise_", 450, False),
    ("qnn_depthwise_3x3", 900, True),
    ("qnn_average_pool_", 250, False),
    ("qnn_max_pool_", 200, False),
    ("qnn_add_", 170, False),
    ("qnn_concat_", 200, False),
    ("qnn_pad_", 200, False),
    ("qnn_table_", 50, False),
    ("qnn_curve_", 130, False),
    ("qnn_retype_", 140, False),
    ("qnn_rescale_", 170, False),
    ("qnn_argmax_", 80, False),
    ("qnn_argmax_least", 50, False),
    ("qnn_softmax_", 600, False),
    ("qnn_softmax_least", 200, False),
    ("qnn_softmax_two", 250, False),
)
SUM64_BYTES = 400  # more, where sums have 64 bits; of kernels of little code a third
TIGHT = "_tight"  # in the names of kernels whose weights are unpacked first
UNPACK, UNPACK_BYTES = "qnn_unpack", 160  # which they share
OPEN_BYTES = 100  # what unpacks before one of them
# More, where a network has one layer of the kind: its parameters are no constants for compilers then.
LONE = (("qnn_conv2d_dual", 1900), ("qnn_conv2d_pairs", 1000), ("qnn_conv2d_narrow", 400))


def kernels_code(kernels: Iterable[CKernel]) -> int:
    """About how many bytes of code the kernels take on RV32, each counted once."""
    found, kernels = {}, tuple(kernels)
    kinds = [nominal(kernel.function)[0] for kernel in kernels]
    for kernel in kernels:
        prefix, size, shared = nominal(kernel.function)
        found[prefix if shared else kernel.function.replace(TIGHT, "")] = size
        if TIGHT in kernel.function:
            more = dict(LONE).get(prefix, 0) if kinds.count(prefix) == 1 else 0
            found[UNPACK], found[kernel.function] = UNPACK_BYTES, OPEN_BYTES + more
    return sum(found.values())


def nominal(function: str) -> tuple[str, int, bool]:
    """The entry of NOMINAL that a kernel's name begins with, and its bytes; without what unpacks its weights."""
    bare = function.replace(TIGHT, "")
    prefix, size, shared = max((entry for entry in NOMINAL if bare.startswith(entry[0])), key=lambda e: len(e[0]))
    more = SUM64_BYTES if function.endswith("_sum64") else 0
    return prefix, size + (more // 3 if "_short_" in function else more), shared
