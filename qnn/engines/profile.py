# SPDX-License-Identifier: MIT
"""Where the instructions of NAME_run go, node by node, and what they and the flash cost on an ESP32-C3.

The emulator tells each basic block before it runs; a block with code of several nodes is cut between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from qnn.cycles import LINE_BYTES, TAKEN_EXTRA, Cache, Cost, block_cost, offsets_of
from qnn.engines.engine import REST, Part, Placed, Profile
from qnn.engines.image import Image
from qnn.engines.job import Job
from qnn.engines.machine import Call, Machine
from qnn.engines.sites import NONE, sites_of


@dataclass(frozen=True)
class Stretch:
    """Code of a basic block that belongs to one node (NONE: to none; None: to the one before): its cost, the cache
    lines that it lies in."""

    node: int | None
    cost: Cost
    lines: range


@dataclass
class Counts:
    """What one node has cost so far; misses with the constants in flash, in RAM, where the header puts them."""

    instructions: int = 0
    cycles: int = 0
    misses: list[int] = field(default_factory=lambda: [0, 0, 0])


class Recorder:
    """Counts what a machine runs, by node."""

    def __init__(self, machine: Machine, sites: Mapping[int, int]) -> None:
        image = machine.image
        self._machine, self._sites, self._stop = machine, sites, image.symbols["qnnStop"]
        self._ram = range(image.symbols["qnnRamStart"], image.symbols["qnnRamEnd"])
        self._caches = (Cache(), Cache(), Cache())
        self._known: dict[tuple[int, int], tuple[Stretch, ...]] = {}
        self._line = -1
        self.forget()

    def forget(self) -> None:
        """Set every count to 0; the caches keep what they hold."""
        self._now = Counts()
        self._counts = {NONE: self._now}
        self._last: Cost | None = None

    def block(self, address: int, size: int) -> None:
        """Count the basic block that is about to run."""
        if address == self._stop:
            return
        if self._last is not None and self._last.branches and self._last.end != address:
            self._now.cycles += TAKEN_EXTRA
        block = (address, size)
        if block not in self._known:
            self._known[block] = cut(self._machine.read(address, size), address, self._sites)
        for stretch in self._known[block]:
            if stretch.node is not None:
                self._now = self._counts.setdefault(stretch.node, Counts())
            self._last = stretch.cost
            self._now.instructions += stretch.cost.instructions
            self._now.cycles += stretch.cost.cycles
            for line in stretch.lines:
                for memory, cache in enumerate(self._caches):
                    self._now.misses[memory] += cache.misses(line)

    def constant(self, address: int) -> None:
        """Count the read of a constant."""
        line = address // LINE_BYTES
        if line == self._line:  # still in the cache
            return
        self._line = line
        flash, _, header = self._caches
        self._now.misses[0] += flash.misses(line)
        if address not in self._ram:
            self._now.misses[2] += header.misses(line)

    def part(self, node: int, name: str) -> Part:
        """What was counted for `node`, NONE for what belongs to none."""
        found = self._counts.get(node, Counts())
        return Part(name, found.instructions, found.cycles, Placed(*found.misses))


def profile_call(image: Image, job: Job, call: Call) -> Profile:
    """Run the call on the job's first sample twice in `image`: with an empty cache, then once more."""
    machine = Machine(image)
    recorder = Recorder(machine, sites_of(image, job.interface.name))
    names = {index: node.name for index, node in enumerate(job.interface.nodes)} | {NONE: REST}
    machine.on_block(recorder.block)
    machine.on_read(image.symbols["qnnConstantsStart"], image.symbols["qnnConstantsEnd"], recorder.constant)
    parts: list[tuple[Part, ...]] = []
    for _ in range(2):
        recorder.forget()
        machine.load(job)
        machine.call(call)
        parts.append(tuple(recorder.part(node, name) for node, name in names.items()))
    return Profile(parts[1], Profile(parts[0], Placed()).total.misses)


def cut(code: bytes, address: int, sites: Mapping[int, int]) -> tuple[Stretch, ...]:
    """The stretches of the basic block with machine code `code` at `address`."""
    places = [address + offset for offset in offsets_of(code)]
    starts = [address, *(at for before, at in pairwise(places) if sites.get(at) != sites.get(before))]
    ends = [*starts[1:], address + len(code)]
    return tuple(
        Stretch(
            sites.get(start),
            block_cost(code[start - address : end - address], start),
            range(start // LINE_BYTES, (end - 1) // LINE_BYTES + 1),
        )
        for start, end in zip(starts, ends, strict=True)
    )
