# SPDX-License-Identifier: MIT
"""Which kernel computes each operator of a network: fast ones, or ones of little code where that counts more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from qnn.ops.choices import BALANCED, SIZE, SPEED
from qnn.ops.ckernel import CKernel
from qnn.ops.op import Op, TensorType

SMALL_MODEL = 512  # multiplications with a weight: some 20 microseconds on a small chip
SMALL_SHARE = 64  # balanced: a layer with at most this part of all multiplications gets little code
FEATURES = ((SPEED, ()), (BALANCED, ("QNN_BALANCED",)), (SIZE, ("QNN_LEAST",)))  # optional parts of c_runtime/


@dataclass(frozen=True, eq=False)
class Step:
    """An operator with the types of what it reads and gives."""

    op: Op
    inputs: tuple[TensorType, ...]
    output: TensorType

    @property
    def macs(self) -> int:
        """Multiplications with a weight."""
        return self.op.macs(self.inputs, self.output)


def select_kernels(steps: Sequence[Step], optimize: str) -> tuple[CKernel, ...]:
    """The kernel of each step of a network; `optimize` is SPEED, BALANCED or SIZE.

    For speed a small model has kernels of little code, if all its layers with weights have such a kernel. For size
    each operator has the one of the least code, balanced those that do little of the work.
    """
    chosen = _small(steps) if optimize == SPEED else _least(steps, optimize)
    features = dict(FEATURES)[optimize]
    return tuple(
        replace(kernel, features=(*kernel.features, *features))
        for kernel in (
            found or step.op.kernel(step.inputs, step.output) for found, step in zip(chosen, steps, strict=True)
        )
    )


def _small(steps: Sequence[Step]) -> list[CKernel | None]:
    if sum(step.macs for step in steps) > SMALL_MODEL:
        return [None] * len(steps)
    found = [step.op.small_kernel(step.inputs, step.output) for step in steps]
    if not all(kernel or not step.macs for kernel, step in zip(found, steps, strict=True)):
        return [None] * len(steps)
    return [_told(kernel, "a small model") for kernel in found]


def _least(steps: Sequence[Step], optimize: str) -> list[CKernel | None]:
    total = sum(step.macs for step in steps)
    found: list[CKernel | None] = []
    for step in steps:
        little = SMALL_SHARE * step.macs <= total
        kernel = step.op.least_kernel(step.inputs, step.output) if optimize == SIZE or little else None
        part = f": {step.macs / total:.1%} of the multiplications" if optimize == BALANCED and step.macs else ""
        found.append(_told(kernel, f"optimized for {optimize}{part}" if optimize == SIZE else f"balanced{part}"))
    return found


def _told(kernel: CKernel | None, why: str) -> CKernel | None:
    if kernel is None:
        return None
    return replace(kernel, reason="; ".join(part for part in (f"{why}: little code", kernel.reason) if part))
