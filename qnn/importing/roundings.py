# SPDX-License-Identifier: MIT
"""What another rounding rule changes in an imported network: its outputs, and the instructions of an inference."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from qnn.compiler import emit
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.importing.difference import Difference
from qnn.importing.load import comparison_samples
from qnn.simulator import simulate
from qnn.verifier import verify

RV32 = "rv32"


@dataclass(frozen=True)
class RoundingChange:
    """How outputs differ, and RV32 instructions of an inference before and after; None where none can be counted."""

    difference: Difference
    before: int | None
    after: int | None

    def document(self) -> dict[str, int | None]:
        """The JSON object."""
        return {**asdict(self.difference), "instructions_own": self.before, "instructions": self.after}

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"{self.difference}; instructions are not counted, qnn doctor tells what is missing"
        return f"{self.difference}; {self.after:,} RV32 instructions, {self.before:,} before"


def rounding_change(own: Graph, other: Graph) -> RoundingChange:
    """What changes from the file's own rounding to another, on random and edge inputs."""
    samples = comparison_samples(own)
    outputs = [simulate(graph, samples, keep=(graph.output,))[graph.output] for graph in (own, other)]
    counts = [instructions(graph, samples[:1]) for graph in (own, other)]
    return RoundingChange(Difference.of(*outputs), *counts)


def instructions(graph: Graph, x: np.ndarray) -> int | None:
    """RV32 instructions of an inference, the mean over raw samples x; None where compiler or emulator are missing."""
    with tempfile.TemporaryDirectory(prefix="qnn-") as folder:
        emit(graph, Path(folder))
        try:
            found = verify(folder, x, (RV32,), count=len(x)).target(RV32).instructions
        except QnnError:
            return None
    return None if found is None else round(found.mean)
