# SPDX-License-Identifier: MIT
"""Which kernel computes each operator of a network: fast ones, or ones of little code where that counts more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from qnn.ops.choices import BALANCED, SIZE, SPEED, Choices
from qnn.ops.ckernel import CKernel
from qnn.ops.op import Op, TensorType
from qnn.ops.pack import packed

SMALL_MODEL = 512  # multiplications with a weight: some 20 microseconds on a small chip
SMALL_SHARE = 64  # balanced: a layer with at most this part of all multiplications gets little code
FEATURES = ((SPEED, ()), (BALANCED, ("QNN_BALANCED",)), (SIZE, ("QNN_LEAST",)))  # optional parts of c_runtime/
CONSTANT_TIME = "QNN_CONSTANT_TIME"  # the same


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


def select_kernels(steps: Sequence[Step], choices: Choices) -> tuple[CKernel, ...]:
    """The kernel of each step of a network; `choices` says what they are for.

    For speed a small model has kernels of little code, if all its layers with weights have such a kernel. For size
    each operator has the one of the least code, balanced those that do little of the work. With constant time none
    skips zeros. Weights of few bits are stored in so many where `choices.pack` says so.
    """
    chosen = _small(steps) if choices.optimize == SPEED else _least(steps, choices.optimize)
    features = (*dict(FEATURES)[choices.optimize], *((CONSTANT_TIME,) if choices.constant_time else ()))
    others = (_other(step, choices.constant_time) for step in steps)
    kernels = [found or other for found, other in zip(chosen, others, strict=True)]
    tights = (
        step.op.tight_kernel(step.inputs, step.output, kernel) for step, kernel in zip(steps, kernels, strict=True)
    )
    kernels = packed(kernels, list(tights), choices.pack)
    return tuple(replace(kernel, features=(*kernel.features, *features)) for kernel in kernels)


def _other(step: Step, constant_time: bool) -> CKernel:
    kernel = step.op.steady_kernel if constant_time else step.op.kernel
    return kernel(step.inputs, step.output)


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
