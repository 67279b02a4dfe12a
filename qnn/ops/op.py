# SPDX-License-Identifier: MIT
"""What every integer operator is, and the types of the tensors between them (SPEC 2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.errors import QnnError
from qnn.ops.ckernel import CKernel

DTYPE_RANGES = (
    ("uint8", 0, 255),
    ("int8", -128, 127),
    ("int16", -32768, 32767),
    ("uint16", 0, 65535),
    ("int32", -(1 << 31), (1 << 31) - 1),
)
BYTES = ("uint8", "int8")
MAX_ELEMENTS = 1 << 24
SUFFIXES = (("uint8", "u8"), ("int16", "i16"))  # of kernels, by the storage of an activation
SIGNED_BYTE = "int8"  # only at the border of imported models; kernels write it as bytes


@dataclass(frozen=True)
class TensorType:
    """A tensor of one sample: real = scale * (q - zero_point), low <= q <= high, stored as `dtype`.

    zero_groups: the part (0..1) of its aligned groups of four values that were all 0 on the calibration samples; it
    changes no value, only which kernel is chosen.
    """

    shape: tuple[int, ...]
    dtype: str
    low: int
    high: int
    scale: float = 1.0
    zero_point: int = 0
    zero_groups: float = 0.0

    @property
    def elements(self) -> int:
        """How many values one sample has."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """How many bytes one sample occupies."""
        return self.elements * np.dtype(self.dtype).itemsize

    @property
    def activation(self) -> bool:
        """Is it stored as activations are, in uint8 or int16?"""
        return self.dtype in dict(SUFFIXES)

    @property
    def suffix(self) -> str:
        """How kernels call the storage of an activation: u8 or i16; int8 is written as u8."""
        return "u8" if self.dtype == SIGNED_BYTE else dict(SUFFIXES)[self.dtype]

    @property
    def result(self) -> bool:
        """May a requantization give it: an activation, or int8?"""
        return self.activation or self.dtype == SIGNED_BYTE

    def holds_all(self) -> bool:
        """Can the tensor hold every value of its storage?"""
        return (self.dtype, self.low, self.high) in DTYPE_RANGES

    def check(self, subject: str) -> None:
        """Raises QnnError if shape, range or scale cannot be."""
        ranges = {name: (low, high) for name, low, high in DTYPE_RANGES}
        if self.dtype not in ranges:
            raise QnnError(subject, f"has the unknown type {self.dtype!r}", "compile the model again")
        if not self.shape or min(self.shape) < 1 or self.elements > MAX_ELEMENTS:
            raise QnnError(subject, f"has the impossible shape {self.shape}", "compile the model again")
        low, high = ranges[self.dtype]
        if not low <= self.low <= self.high <= high:
            raise QnnError(subject, f"has the impossible range {self.low}..{self.high}", "compile the model again")
        if not low <= self.zero_point <= high:
            raise QnnError(subject, f"has the impossible zero point {self.zero_point}", "compile the model again")
        if not 0 <= self.zero_groups <= 1:
            raise QnnError(subject, f"has the impossible part {self.zero_groups} of zeros", "compile the model again")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise QnnError(subject, f"has the impossible scale {self.scale}", "compile the model again")

    def __str__(self) -> str:
        shape = "x".join(str(size) for size in self.shape)
        return f"{self.dtype}[{shape}] {self.low}..{self.high} scale {self.scale:.9g} zero {self.zero_point}"


class Op:
    """An integer operator: a frozen dataclass of integers and integer arrays.

    Tensors in `reference` and `evaluate` are int64 arrays (N, *shape).
    """

    kind: ClassVar[str]
    arity: ClassVar[int] = 1  # how many inputs it reads

    def works_in_place(self) -> bool:
        """May the output be written over an input of the same storage, from its first byte on (SPEC 6.1)?"""
        return False

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        """One sample's output shape. Raises QnnError where the inputs do not fit."""
        raise TypeError(f"{self.kind} has no output_shape")

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        """Raises QnnError unless the fields, the inputs and the output fit and no intermediate can overflow."""
        raise TypeError(f"{self.kind} has no check")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        """The definition of the operator, in plain int64."""
        raise TypeError(f"{self.kind} has no reference")

    def evaluate(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        """The same values as `reference`, as fast as numpy can."""
        return self.reference(inputs)

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        """The C function of c_runtime/ that computes it and the constants of its parameter struct."""
        raise TypeError(f"{self.kind} has no kernel")

    def small_kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel | None:
        """A kernel of the same bits with less code, for models so small that this counts more than speed, or None."""
        return None

    def least_kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel | None:
        """A kernel of the same bits with the least code, whatever its speed; None where `kernel` is that."""
        return self.small_kernel(inputs, output)

    def steady_kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        """`kernel`, or where that leaves out what some inputs do not need, the one that never does.

        With the optional part CONSTANT_TIME of c_runtime/ it executes the same instructions for every input.
        """
        return self.kernel(inputs, output)

    def tight_kernel(self, inputs: tuple[TensorType, ...], output: TensorType, kernel: CKernel) -> CKernel | None:
        """A kernel of the same bits as `kernel`, one of its own, whose weights take fewer bits of flash, or None."""
        return None

    def macs(self, inputs: tuple[TensorType, ...], output: TensorType) -> int:
        """Multiplications with a weight, per sample."""
        return 0

    def accumulator_bound(self, inputs: tuple[TensorType, ...]) -> tuple[int, int] | None:
        """The smallest and largest accumulator that can occur in any order of summation; None without one."""
        return None


class SameShape(Op):
    """An operator whose output has its first input's shape, and may be written over it."""

    def works_in_place(self) -> bool:
        return True

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return inputs[0].shape


def expect(condition: bool, subject: str, problem: str) -> None:
    """Raises QnnError with `problem` unless `condition` holds."""
    if not condition:
        raise QnnError(subject, problem, "compile the model again")
