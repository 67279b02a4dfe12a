# SPDX-License-Identifier: MIT
"""What every place that runs the emitted C offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qnn.progress import Progress, silent
from qnn.toolchain import Compiler


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
    """The model's header alone as an RV32 object: bytes by section, and the symbols that it wants from elsewhere."""

    code: int
    rodata: int
    data: int
    bss: int
    undefined: tuple[str, ...]


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
