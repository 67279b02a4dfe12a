# SPDX-License-Identifier: MIT
"""What instructions cost on the ESP32-C3, and what its flash cache adds: for estimates, not for promises.

Costs, in cycles, as measured on a chip by timonvo/niccle: an instruction 1; a load whose result the next instruction
uses 2, and so the fourth of four loads in a row; a jump 2; a conditional branch 1, or 3 if it is taken. A division is
about 33 (inferred). A flash miss brings a line of 32 bytes, in about 304 cycles at DIO and 80 MHz (computed).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CLOCK_HZ = 160_000_000
TAKEN_EXTRA, JUMP_EXTRA, DIVISION_EXTRA, LOAD_USE_EXTRA, LOADS_IN_A_ROW = 2, 1, 32, 1, 4
LINE_BYTES, CACHE_BYTES, CACHE_WAYS, MISS_CYCLES = 32, 16384, 8, 304
ASSUMPTIONS = (
    "instructions cost what others measured on a chip; a flash miss brings "
    f"{LINE_BYTES} bytes in {MISS_CYCLES} cycles (computed for DIO at 80 MHz); the cache of {CACHE_BYTES // 1024} KB "
    f"in {CACHE_WAYS} ways drops what was used least recently; code is in flash; stores do not wait"
)
LOAD, BRANCH, JUMP, DIVISION, OTHER = "load", "branch", "jump", "division", "other"
LOAD_CODE, STORE_CODE, BRANCH_CODE, JALR_CODE, JAL_CODE, OPERATION_CODE = 0x03, 0x23, 0x63, 0x67, 0x6F, 0x33


@dataclass(frozen=True)
class Cost:
    """A stretch of code without a jump in its middle: its instructions, its cycles if no branch is taken, the address
    behind it, whether it ends with a conditional branch."""

    instructions: int
    cycles: int
    end: int
    branches: bool


def block_cost(code: bytes, address: int) -> Cost:
    """What the RV32C machine code of a basic block, which starts at `address`, costs without flash misses."""
    count = cycles = loads = loaded = 0
    kind = OTHER
    for kind, target, used in _instructions(code):
        loads = loads % LOADS_IN_A_ROW + 1 if kind == LOAD else 0
        waits = (loaded and loaded in used) or loads == LOADS_IN_A_ROW
        cycles += 1 + (LOAD_USE_EXTRA if waits else 0)
        cycles += DIVISION_EXTRA if kind == DIVISION else JUMP_EXTRA if kind == JUMP else 0
        loaded = target if kind == LOAD else 0
        count += 1
    return Cost(count, cycles, address + len(code), kind == BRANCH)


def offsets_of(code: bytes) -> Iterator[int]:
    """Where each instruction starts: it has four bytes where both lowest bits are set, else two."""
    at = 0
    while at < len(code):
        yield at
        at += 4 if code[at] & 3 == 3 else 2


def _instructions(code: bytes) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """Kind, target register and source registers of each instruction."""
    for at in offsets_of(code):
        half = int.from_bytes(code[at : at + 2], "little")
        yield _wide(int.from_bytes(code[at : at + 4], "little")) if half & 3 == 3 else _compressed(half)


def _wide(word: int) -> tuple[str, int, tuple[int, ...]]:
    """The same of a 32-bit instruction."""
    opcode, target, first, second = word & 0x7F, word >> 7 & 31, word >> 15 & 31, word >> 20 & 31
    if opcode == LOAD_CODE:
        return LOAD, target, (first,)
    if opcode in (JAL_CODE, JALR_CODE):
        return JUMP, target, (first,) if opcode == JALR_CODE else ()
    if opcode == BRANCH_CODE:
        return BRANCH, 0, (first, second)
    division = opcode == OPERATION_CODE and word >> 25 == 1 and word >> 14 & 1
    return (
        DIVISION if division else OTHER,
        target,
        (first, second) if opcode in (OPERATION_CODE, STORE_CODE) else (first,),
    )


def _compressed(half: int) -> tuple[str, int, tuple[int, ...]]:
    """The same of a 16-bit instruction."""
    quadrant, function = half & 3, half >> 13
    low, high = 8 + (half >> 2 & 7), 8 + (half >> 7 & 7)
    full, second = half >> 7 & 31, half >> 2 & 31
    if quadrant == 0:
        return (LOAD, low, (high,)) if function == 2 else (OTHER, 0, (high, low))
    if quadrant == 1:
        if function in (1, 5):
            return JUMP, 0, ()
        if function in (6, 7):
            return BRANCH, 0, (high,)
        return OTHER, 0, (high, low) if function == 4 else (full,)
    if function == 2:
        return LOAD, full, (2,)
    if function == 4 and second == 0:
        return JUMP, 0, (full,)
    return OTHER, 0, (full, second)


class Cache:
    """The chip's flash cache: which lines it holds; the least recently used one of a set goes first (assumed)."""

    def __init__(self) -> None:
        self._used: dict[int, int] = {}  # of each line that is there: when it was used last
        self._sets: list[list[int]] = [[] for _ in range(CACHE_BYTES // LINE_BYTES // CACHE_WAYS)]
        self._now = 0

    def misses(self, line: int) -> bool:
        """Does a read of line number `line` (address // LINE_BYTES) have to wait for the flash?"""
        self._now += 1
        there = line in self._used
        self._used[line] = self._now
        if there:
            return False
        ways = self._sets[line % len(self._sets)]
        if len(ways) == CACHE_WAYS:
            oldest = min(ways, key=self._used.__getitem__)
            ways.remove(oldest)
            del self._used[oldest]
        ways.append(line)
        return True
