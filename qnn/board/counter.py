# SPDX-License-Identifier: MIT
"""The performance counter of the virtual board, and what a basic block costs on the chip.

Costs, in cycles, as measured on a chip by timonvo/niccle: 1, a load whose result the next instruction uses 2, a jump
2, a conditional branch 1, or 3 if taken; a division about 33 (inferred). Flash misses are not in it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from qnn.board.peripherals import Peripherals

EVENT, ENABLE, COUNT = 0x7E0, 0x7E1, 0x7E2
CYCLES, INSTRUCTIONS = 1, 2  # bits of EVENT
LOAD, BRANCH, JALR, JAL, OPERATION = 0x03, 0x63, 0x67, 0x6F, 0x33
JUMP_CYCLES, TAKEN_EXTRA, DIVISION_CYCLES = 2, 2, 33


@dataclass(frozen=True)
class Cost:
    """A basic block: its instructions, its cycles if no branch is taken, the address behind it, how it ends."""

    instructions: int
    cycles: int
    end: int
    branches: bool


class Counter:
    """CSRs 0x7E0 to 0x7E2. Counts what runs if `exact`; else cycles follow the system timer."""

    def __init__(self, core: Any, peripherals: Peripherals, exact: bool) -> None:
        constants: Any = importlib.import_module("unicorn.riscv_const")
        self._core, self._peripherals, self._exact = core, peripherals, exact
        self._x0, self._pc = constants.UC_RISCV_REG_X0, constants.UC_RISCV_REG_PC
        self._csrs = {EVENT: 0, ENABLE: 0, COUNT: 0}
        self._start = 0
        self._costs: dict[tuple[int, int], Cost] = {}
        self._instructions = 0
        self._last: Cost | None = None

    def instruction(self, _core: object, address: int, _size: int, _data: object) -> None:
        """Execute the CSR instruction at `address`, which the core itself does not know."""
        word = int.from_bytes(self._core.mem_read(address, 4), "little")
        csr, operation, source, target = word >> 20, word >> 12 & 7, word >> 15 & 31, word >> 7 & 31
        old = self._read(csr)
        operand = source if operation & 4 else int(self._core.reg_read(self._x0 + source))
        new = {1: operand, 2: old | operand, 3: old & ~operand}[operation & 3]
        if operation & 3 == 1 or source:
            self._write(csr, new & 0xFFFFFFFF)
        if target:
            self._core.reg_write(self._x0 + target, old)
        self._core.reg_write(self._pc, address + 4)

    def block(self, _core: object, address: int, size: int, _data: object) -> None:
        """Count the basic block that is about to run."""
        last = self._last
        if last is not None and last.branches and address != last.end:
            self._peripherals.cycles += TAKEN_EXTRA
        key = (address, size)
        cost = self._costs.get(key)
        if cost is None:
            cost = self._costs[key] = block_cost(bytes(self._core.mem_read(address, size)), address)
        self._last = cost
        self._instructions += cost.instructions
        self._peripherals.cycles += cost.cycles

    def _now(self) -> int:
        if self._csrs[EVENT] & INSTRUCTIONS:
            return self._instructions
        return self._peripherals.cycles

    def _read(self, csr: int) -> int:
        return (self._now() - self._start) & 0xFFFFFFFF if csr == COUNT else self._csrs[csr]

    def _write(self, csr: int, value: int) -> None:
        if csr == COUNT:
            self._start = self._now() - value
        else:
            self._csrs[csr] = value


def block_cost(code: bytes, address: int) -> Cost:
    """What the RV32C machine code of a basic block costs."""
    at = count = cycles = 0
    loaded, branches = 0, False
    while at < len(code):
        half = int.from_bytes(code[at : at + 2], "little")
        wide = half & 3 == 3
        word = int.from_bytes(code[at : at + 4], "little") if wide else half
        kind, target, used = _wide(word) if wide else _compressed(half)
        cycles += 1 + (1 if loaded and loaded in used else 0)
        cycles += DIVISION_CYCLES - 1 if kind == "division" else JUMP_CYCLES - 1 if kind == "jump" else 0
        branches = kind == "branch"
        loaded = target if kind == "load" else 0
        at += 4 if wide else 2
        count += 1
    return Cost(count, cycles, address + len(code), branches)


def _wide(word: int) -> tuple[str, int, tuple[int, ...]]:
    """Kind, target register and source registers of a 32-bit instruction."""
    opcode, target, first, second = word & 0x7F, word >> 7 & 31, word >> 15 & 31, word >> 20 & 31
    if opcode == LOAD:
        return "load", target, (first,)
    if opcode in (JAL, JALR):
        return "jump", target, (first,) if opcode == JALR else ()
    if opcode == BRANCH:
        return "branch", 0, (first, second)
    division = opcode == OPERATION and word >> 25 == 1 and word >> 14 & 1
    return "division" if division else "other", target, (first, second) if opcode in (OPERATION, 0x23) else (first,)


def _compressed(half: int) -> tuple[str, int, tuple[int, ...]]:
    """The same of a 16-bit instruction."""
    quadrant, function = half & 3, half >> 13
    low, high = 8 + (half >> 2 & 7), 8 + (half >> 7 & 7)
    full, second = half >> 7 & 31, half >> 2 & 31
    if quadrant == 0:
        return ("load", low, (high,)) if function == 2 else ("other", 0, (high, low))
    if quadrant == 1:
        if function in (1, 5):
            return "jump", 0, ()
        if function in (6, 7):
            return "branch", 0, (high,)
        return "other", 0, (high, low) if function == 4 else (full,)
    if function == 2:
        return "load", full, (2,)
    if function == 4 and second == 0:
        return "jump", 0, (full,)
    return "other", 0, (full, second)
