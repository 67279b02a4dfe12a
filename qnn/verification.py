# SPDX-License-Identifier: MIT
"""What a verification found: per target, every difference counted, the first one named, the costs measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from qnn.cycles import ASSUMPTIONS, CLOCK_HZ
from qnn.engines.engine import ObjectSizes, Part, Placed, Profile
from qnn.instructions.predict import Forecast


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
class SampleProfile:
    """Where the instructions of one sample went, and what they should take on an ESP32-C3.

    sample: the row whose instructions are nearest to the mean of those counted.
    """

    sample: int
    profile: Profile

    @property
    def cycles(self) -> Placed:
        """Estimated for an inference that follows another one."""
        return self.profile.total.cycles

    @property
    def first_cycles(self) -> Placed:
        """Estimated for an inference that finds nothing in the flash cache."""
        return replace(self.profile.total, misses=self.profile.first).cycles

    def estimate(self) -> dict[str, Any]:
        """The JSON object of the estimate."""
        return {
            "sample": self.sample,
            **vars(self.cycles),
            "first": vars(self.first_cycles),
            "clock_hz": CLOCK_HZ,
            "assumptions": ASSUMPTIONS,
        }

    def layers(self) -> dict[str, Any]:
        """The JSON object of the profile: the instructions of all layers and of the rest are those of the sample."""
        *nodes, rest = self.profile.parts
        return {
            "sample": self.sample,
            "instructions": self.profile.instructions,
            "layers": [{"name": part.name, **_costs(part)} for part in nodes],
            "rest": _costs(rest),
        }


def _costs(part: Part) -> dict[str, Any]:
    per_mac = {"macs": part.macs, "instructions_per_mac": round(part.instructions / part.macs, 3)} if part.macs else {}
    return {"instructions": part.instructions, **per_mac, "cycles_estimate": vars(part.cycles)}


@dataclass(frozen=True)
class TargetResult:
    """What one target gave.

    mismatches: how many values differ, as far as it ran. first: the first of them.
    crash: why the C did not come to its end, or "".
    instructions, sizes, stack_bytes, cycles, profile: on RV32 targets that can tell. forecast: what was predicted for
    the compiler, where there is a table of it.
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
    profile: SampleProfile | None = None
    forecast: Forecast | None = None

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
        if self.forecast:
            found["instructions_predicted"] = self.forecast.document()
        if self.cycles:
            found["cycles"] = {"min": self.cycles.minimum, "mean": self.cycles.mean, "max": self.cycles.maximum}
        if self.profile:
            found |= {"cycles_estimate": self.profile.estimate(), "profile": self.profile.layers()}
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

    @property
    def failures(self) -> tuple[str, ...]:
        """A line for each target that crashed, and for each that differs."""
        lines = []
        for target in self.targets:
            if target.crash:
                lines.append(f"{target.target}: {target.crash}")
            if target.first:
                lines.append(f"{target.target}: {target.mismatches:,} values differ, the first: {target.first}")
        return tuple(lines)

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
