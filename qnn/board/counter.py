# SPDX-License-Identifier: MIT
"""The performance counter of the virtual board; flash misses are not in its cycles."""

from __future__ import annotations

import importlib
from typing import Any

from qnn.board.peripherals import Peripherals
from qnn.cycles import TAKEN_EXTRA, Cost, block_cost

EVENT, ENABLE, COUNT = 0x7E0, 0x7E1, 0x7E2
CYCLES, INSTRUCTIONS = 1, 2  # bits of EVENT


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
