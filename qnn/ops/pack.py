# SPDX-License-Identifier: MIT
"""Where weights are stored in as many bits as they need: where the flash of the whole network gets smaller with it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from qnn.ops.choices import OFF, ON
from qnn.ops.ckernel import CKernel
from qnn.ops.nominal import kernels_code

WORD = 4
STRUCT_BYTES = 16  # of a qnn_tight_t
NOT_WORTH = "stored with fewer bits they would need more code than that saves"


def packed(kernels: Sequence[CKernel], tights: Sequence[CKernel | None], pack: str) -> list[CKernel]:
    """The kernels, those in their places whose weights are stored tighter where `pack` says that they are.

    tights: such a kernel for each, or None. By AUTO each kind of them is taken or not, so that constants and code are
    the fewest bytes.
    """
    smaller = [
        tight if tight and _constants(tight) < _constants(kernel) else None
        for kernel, tight in zip(kernels, tights, strict=True)
    ]
    if pack == OFF:
        return list(kernels)
    kinds = sorted({tight.header for tight in smaller if tight})
    if pack == ON:
        return _with(kernels, smaller, kinds)
    tried = itertools.chain.from_iterable(itertools.combinations(kinds, count) for count in range(len(kinds) + 1))
    best = min((_with(kernels, smaller, taken) for taken in tried), key=_flash)
    pairs = zip(kernels, smaller, best, strict=True)
    return [_told(kernel) if tight and found is kernel else found for kernel, tight, found in pairs]


def _with(kernels: Sequence[CKernel], tights: Sequence[CKernel | None], kinds: Sequence[str]) -> list[CKernel]:
    """The kernels, with those of `tights` whose headers are among `kinds`."""
    pairs = zip(kernels, tights, strict=True)
    return [tight if tight and tight.header in kinds else kernel for kernel, tight in pairs]


def _told(kernel: CKernel) -> CKernel:
    return replace(kernel, reason=f"{kernel.reason}; {NOT_WORTH}" if kernel.reason else NOT_WORTH)


def _flash(kernels: Sequence[CKernel]) -> int:
    return sum(map(_constants, kernels)) + kernels_code(kernels)


def _constants(kernel: CKernel) -> int:
    """Bytes of arrays, and of what a qnn_tight_t adds to the struct."""
    arrays = sum(-(-array.bytes // WORD) * WORD for array in kernel.arrays())
    return arrays + (STRUCT_BYTES if "_tight" in kernel.function else 0)
