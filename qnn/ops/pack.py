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
MOST_ROOM = 24_576  # bytes of scratch memory that unpacked weights of a layer may take by AUTO
NOT_WORTH = "stored with fewer bits they would need more code than that saves"
TOO_MUCH = f"stored with fewer bits they would need more than {MOST_ROOM:,} bytes of scratch memory"


def packed(kernels: Sequence[CKernel], tights: Sequence[CKernel | None], pack: str) -> list[CKernel]:
    """The kernels, those in their places whose weights are stored tighter where `pack` says that they are.

    tights: such a kernel for each, or None. By AUTO each kind of them is taken or not, so that constants and code are
    the fewest bytes, and none whose weights would take more than MOST_ROOM bytes unpacked.
    """
    smaller = [
        tight if tight and _constants(tight) < _constants(kernel) else None
        for kernel, tight in zip(kernels, tights, strict=True)
    ]
    if pack == OFF:
        return list(kernels)
    if pack == ON:
        return [tight or kernel for kernel, tight in zip(kernels, smaller, strict=True)]
    rooms = [tight.workspace - kernel.workspace if tight else 0 for kernel, tight in zip(kernels, smaller, strict=True)]
    kernels = [_told(k, TOO_MUCH) if room > MOST_ROOM else k for k, room in zip(kernels, rooms, strict=True)]
    smaller = [None if room > MOST_ROOM else tight for tight, room in zip(smaller, rooms, strict=True)]
    kinds = sorted({tight.header for tight in smaller if tight})
    tried = itertools.chain.from_iterable(itertools.combinations(kinds, count) for count in range(len(kinds) + 1))
    best = min((_with(kernels, smaller, taken) for taken in tried), key=_flash)
    pairs = zip(kernels, smaller, best, strict=True)
    return [_told(kernel, NOT_WORTH) if tight and found is kernel else found for kernel, tight, found in pairs]


def _with(kernels: Sequence[CKernel], tights: Sequence[CKernel | None], kinds: Sequence[str]) -> list[CKernel]:
    """The kernels, with those of `tights` whose headers are among `kinds`."""
    pairs = zip(kernels, tights, strict=True)
    return [tight if tight and tight.header in kinds else kernel for kernel, tight in pairs]


def _told(kernel: CKernel, why: str) -> CKernel:
    return replace(kernel, reason=f"{kernel.reason}; {why}" if kernel.reason else why)


def _flash(kernels: Sequence[CKernel]) -> int:
    return sum(map(_constants, kernels)) + kernels_code(kernels)


def _constants(kernel: CKernel) -> int:
    """Bytes of arrays, and of what a qnn_tight_t adds to the struct."""
    arrays = sum(-(-array.bytes // WORD) * WORD for array in kernel.arrays())
    return arrays + (STRUCT_BYTES if "_tight" in kernel.function else 0)
