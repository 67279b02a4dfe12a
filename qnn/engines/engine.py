# SPDX-License-Identifier: MIT
"""What every place that runs the emitted C offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qnn.cycles import MISS_CYCLES
from qnn.progress import Progress, silent
from qnn.toolchain import Compiler

REST = ""


class CrashError(Exception):
    """The emitted C did not come to its end, or broke a rule of memory: told in one line."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """What NAME_run costs on RV32: retired instructions, int64 (N,), from its first instruction to its return.

    stack_bytes: the deepest stack of NAME_run and of the heads, below their callers' frames; None if not measured.
    cycles: int64 (N,), where the target has a clock.
    """

    instructions: np.ndarray
    stack_bytes: int | None
    cycles: np.ndarray | None = None


@dataclass(frozen=True)
class ObjectSizes:
    """The model's header alone as an RV32 object: linked bytes by section, and the symbols that it wants.

    ram: constants that live in RAM; data, bss: variables.
    """

    code: int
    rodata: int
    ram: int
    data: int
    bss: int
    undefined: tuple[str, ...]


@dataclass(frozen=True)
class Placed:
    """A number with all constants in flash, with all of them in RAM, and with them where the header puts them."""

    flash: int = 0
    ram: int = 0
    as_compiled: int = 0

    def __add__(self, other: Placed) -> Placed:
        return Placed(self.flash + other.flash, self.ram + other.ram, self.as_compiled + other.as_compiled)


@dataclass(frozen=True)
class Part:
    """What one node of NAME_run costs: instructions; on an ESP32-C3 cycles without, and with flash misses (estimated).

    macs: the node's multiplications with a weight.
    """

    name: str
    instructions: int
    core_cycles: int
    misses: Placed
    macs: int = 0

    @property
    def cycles(self) -> Placed:
        """Estimated cycles."""
        return Placed(*(self.core_cycles + MISS_CYCLES * count for count in vars(self.misses).values()))


@dataclass(frozen=True)
class Profile:
    """NAME_run on one sample, node by node, exact to the instruction.

    parts: the body's nodes in order, then the rest that belongs to none of them (entry, calls, return), named REST.
    The misses are those of an inference that follows another one; first: all misses of one that starts with an empty
    cache.
    """

    parts: tuple[Part, ...]
    first: Placed

    @property
    def instructions(self) -> int:
        """All of them."""
        return sum(part.instructions for part in self.parts)

    @property
    def total(self) -> Part:
        """All parts together."""
        misses = sum((part.misses for part in self.parts), Placed())
        cycles, macs = (sum(column) for column in zip(*((p.core_cycles, p.macs) for p in self.parts), strict=True))
        return Part("", self.instructions, cycles, misses, macs)


class Engine(Protocol):
    """A build that is ready to run. Every method raises CrashError where the C crashes."""

    @property
    def name(self) -> str:
        """The target's name, as in `qnn verify --on`."""

    @property
    def runner(self) -> str:
        """What executes the code, with its version; empty for this machine itself."""

    @property
    def compiler(self) -> Compiler:
        """What compiled the code."""

    @property
    def sizes(self) -> ObjectSizes | None:
        """The sizes of the object, where the target is RV32."""

    def run(self, x: np.ndarray, q: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """The output and the heads of raw samples `x` (N, *shape), by name as in the graph, samples first.

        q: the same samples already quantized; NAME_run_q's output is then under job.QUANTIZED_RUN.
        """

    def trace(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Every body node's tensor, by name, samples first."""

    def measure(self, x: np.ndarray, progress: Progress = silent) -> Measurement | None:
        """What NAME_run costs for each of the samples; None where the target cannot say."""

    def close(self) -> None:
        """Free what the engine holds; it cannot run afterwards."""
