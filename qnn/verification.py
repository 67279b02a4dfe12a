# SPDX-License-Identifier: MIT
"""What a verification found: per target, every difference counted, the first one named, the costs measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qnn.engines.engine import ObjectSizes


@dataclass(frozen=True)
class Mismatch:
    """The first value that differs: sample (a row, or one of EXTREMES), layer, index within it, both values."""

    sample: int | str
    layer: str
    index: tuple[int, ...]
    expected: int
    got: int

    def __str__(self) -> str:
        where = ", ".join(str(i) for i in self.index)
        values = f"the simulator says {self.expected}, the C says {self.got}"
        return f"sample {self.sample}, layer {self.layer}, index [{where}]: {values}"


@dataclass(frozen=True)
class Instructions:
    """Retired instructions, or cycles, of NAME_run: over `counted` samples; the maximum also covers the all-maximum
    input."""

    minimum: int
    mean: float
    maximum: int
    counted: int


@dataclass(frozen=True)
class TargetResult:
    """What one target gave.

    mismatches: how many values differ, as far as it ran. first: the first of them.
    crash: why the C did not come to its end, or "".
    instructions, sizes, stack_bytes, cycles: on RV32 targets that can tell. estimate: the cycles that the same samples
    take on a virtual board, without flash misses.
    """

    target: str
    runner: str
    compiler: str
    mismatches: int = 0
    first: Mismatch | None = None
    crash: str = ""
    instructions: Instructions | None = None
    sizes: ObjectSizes | None = None
    stack_bytes: int | None = None
    cycles: Instructions | None = None
    estimate: float | None = None

    @property
    def ok(self) -> bool:
        """Did every value agree?"""
        return not self.mismatches and not self.crash

    def document(self) -> dict[str, Any]:
        """The JSON object of this target; after a crash nobody knows how many values would have differed."""
        found: dict[str, Any] = {
            "mismatches": None if self.crash else self.mismatches,
            "crash": self.crash or None,
            "compiler": self.compiler,
        }
        if self.runner:
            found["engine"] = self.runner
        if self.instructions:
            counts = self.instructions
            found["instructions"] = {"min": counts.minimum, "mean": counts.mean, "max": counts.maximum}
            found["counted"] = counts.counted
        if self.cycles:
            found["cycles"] = {"min": self.cycles.minimum, "mean": self.cycles.mean, "max": self.cycles.maximum}
        if self.estimate is not None:
            found["cycles_estimate"] = self.estimate
        if self.sizes:
            found |= {"code_bytes": self.sizes.code, "rodata_bytes": self.sizes.rodata}
        if self.stack_bytes is not None:
            found["stack_bytes"] = self.stack_bytes
        if self.first:
            first = self.first
            found["first_mismatch"] = {
                "sample": first.sample,
                "layer": first.layer,
                "index": list(first.index),
                "expected": first.expected,
                "got": first.got,
            }
        return found


@dataclass(frozen=True)
class Verification:
    """The result of `verify`: samples, the network's outputs over them, values compared per target, the targets."""

    name: str
    samples: int
    outputs: int
    values: int
    layers: bool
    targets: tuple[TargetResult, ...]

    @property
    def ok(self) -> bool:
        """Did every value agree on every target?"""
        return all(target.ok for target in self.targets)

    @property
    def mismatches(self) -> int | None:
        """How many values differ on all targets together; None if one of them crashed."""
        return None if self.crash else sum(target.mismatches for target in self.targets)

    @property
    def crash(self) -> str:
        """Why targets did not come to their end, each with its name; "" if they all did."""
        return "; ".join(f"{target.target}: {target.crash}" for target in self.targets if target.crash)

    def target(self, name: str) -> TargetResult:
        """The result of the target called `name`. Raises KeyError."""
        return {target.target: target for target in self.targets}[name]

    def document(self) -> dict[str, Any]:
        """The JSON document of `qnn verify`."""
        return {
            "name": self.name,
            "samples": self.samples,
            "outputs": self.outputs,
            "values": self.values,
            "layers": self.layers,
            "ok": self.ok,
            "targets": {target.target: target.document() for target in self.targets},
        }
