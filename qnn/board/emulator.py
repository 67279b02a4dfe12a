# SPDX-License-Identifier: MIT
"""A virtual ESP32-C3: the chip's memory map in unicorn, started from a flash image as the chip's ROM starts it.

It is a model of what the firmware uses, no more: both buses of flash and SRAM, the two serial lines, the system timer,
the flash MMU, the performance counter. Memory faults reach the firmware's trap handler and are kept in `faults`.
"""

from __future__ import annotations

import ctypes
import importlib
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np

from qnn.board.counter import Counter
from qnn.board.peripherals import MMU_PAGES, UART, Peripherals
from qnn.board.romimage import SRAM_BYTES, SRAM_CODE, SRAM_DATA, parse_image
from qnn.engines.machine import require_unicorn
from qnn.errors import QnnError

FLASH_DATA, FLASH_CODE, FLASH_PAGE = 0x3C000000, 0x42000000, 0x10000
ROM, ROM_BYTES, ROM_CACHE_ENABLE = 0x40000000, 0x60000, 0x40000520
REGISTERS, REGISTERS_BYTES = 0x60000000, 0xD1000
RETURN = b"\x82\x80"
COUNTER_CSRS = range(0x7E0, 0x7E3)
GUARD_BYTES = 4096
ALL, NONE, FIRST = 1 << 62, 0, 500_000  # accesses to check; FIRST takes about a second
MOST_TRAPS, MOST_MISALIGNED = 100, 100  # that are kept
ILLEGAL_INSTRUCTION, LOAD_FAULT, STORE_FAULT, FETCH_FAULT = 2, 5, 7, 1
SLICE_SECONDS = 30.0  # of running without a byte taken or sent: longer is a hang
SLOW_SLICES = 10  # as many of them where everything is counted or checked
LIMIT_BYTES = 16 << 20


class Board:
    """A board with `flash` in its flash chip, not yet started.

    symbols: the firmware's, for messages and for the guard below the stack. watch: how many memory accesses after a
    reset have their alignment checked (ALL, or NONE), which is slow. exact: count instructions and cycles of every
    block, which is slow too.
    Raises QnnError if unicorn is missing or the image is not one that the ROM would start.
    """

    def __init__(
        self,
        flash: bytes,
        symbols: Mapping[str, int] | None = None,
        *,
        watch: int = NONE,
        exact: bool = False,
        usb_host: bool = True,
    ) -> None:
        require_unicorn()
        if len(flash) > LIMIT_BYTES:
            raise QnnError("flash image", f"has {len(flash):,} bytes, more than any chip", "name a flash image")
        self.faults: list[str] = []
        self._entry, self._segments = parse_image(flash)
        self._symbols = dict(symbols or {})
        self._names = sorted((address, name) for name, address in self._symbols.items() if name.isidentifier())
        self._flash = ctypes.create_string_buffer(flash.ljust(MMU_PAGES * FLASH_PAGE, b"\xff"))
        self._content = len(flash)
        self._sram = ctypes.create_string_buffer(SRAM_BYTES)
        self._watch, self._exact, self._usb_host = watch, exact, usb_host
        self.reset()

    def reset(self) -> None:
        """What a press of the button does: SRAM of whatever content, the image's segments loaded, the entry called."""
        self._unicorn: Any = importlib.import_module("unicorn")
        self._constants: Any = importlib.import_module("unicorn.riscv_const")
        self._core = self._unicorn.Uc(self._unicorn.UC_ARCH_RISCV, self._unicorn.UC_MODE_RISCV32)
        self.peripherals = Peripherals(self._core.emu_stop, self._usb_host)
        self.counter = Counter(self._core, self.peripherals, self._exact)
        self._mapped = self._guarded = False
        self._guard = self._traps = 0
        garbage = np.random.default_rng(0).bytes(SRAM_BYTES)
        ctypes.memmove(self._sram, garbage, SRAM_BYTES)
        self._map()
        for address, data in self._segments:
            self._core.mem_write(address, data)
        self._hook()
        self._next = self._entry

    def send(self, line: int, data: bytes) -> None:
        """Let `data` arrive on a line (UART or USB); nothing runs yet."""
        self.peripherals.received[line].extend(data)

    def receive(self, line: int) -> bytes:
        """What the firmware has sent on a line since the last call."""
        sent = self.peripherals.sent[line]
        data = bytes(sent)
        sent.clear()
        return data

    def run(self) -> None:
        """Run until the firmware waits for input. A fault is in `faults` afterwards, and the firmware has trapped.

        Raises QnnError if the firmware neither waits nor comes to an end.
        """
        slices, traffic = 0, self._traffic()
        while True:
            until = ROM_CACHE_ENABLE if not self._mapped else self._guard_point()
            try:
                self._core.emu_start(self._next, until, timeout=int(SLICE_SECONDS * 1_000_000))
            except self._unicorn.UcError as error:
                self._next = self._trapped(error)
                continue
            self._next = self._register("PC")
            if not self._mapped and self._next == ROM_CACHE_ENABLE:
                self._map_flash()
            elif not self._guarded and self._next == until and until:
                self._guard_stack()
            elif self.peripherals.idle:
                self.peripherals.idle = False
                return
            else:
                slices, before, traffic = slices + 1, traffic, self._traffic()
                slices = slices if traffic == before else 0
                if slices >= (SLOW_SLICES if self._exact or self._unwatched > 0 else 1):
                    raise QnnError("virtual board", f"hangs {self.place(self._next)}", "reset it")

    def _traffic(self) -> tuple[int, ...]:
        """How many bytes wait on the lines, in either direction."""
        return tuple(map(len, (*self.peripherals.received, *self.peripherals.sent)))

    def place(self, address: int) -> str:
        """Where `address` is in the firmware, for messages."""
        index = bisect_right(self._names, (address, "\uffff")) - 1
        if index < 0 or address - self._names[index][0] > 1 << 16:
            return f"at {address:#x}"
        start, name = self._names[index]
        return f"in {name}+{address - start:#x} ({address:#x})"

    def _map(self) -> None:
        both = self._unicorn.UC_PROT_ALL
        for base in (SRAM_DATA, SRAM_CODE):
            self._core.mem_map_ptr(base, SRAM_BYTES, both, ctypes.addressof(self._sram))
        self._core.mem_map(ROM, ROM_BYTES, self._unicorn.UC_PROT_READ | self._unicorn.UC_PROT_EXEC)
        self._core.mem_write(ROM, RETURN * (ROM_BYTES // 2))
        peripherals = self.peripherals
        arrived, read_register = peripherals.received[UART], peripherals.read

        def read(_core: object, offset: int, _size: int, _data: object) -> int:
            # By far the most frequent one goes first.
            return arrived.popleft() if offset == 0 and arrived else read_register(offset)

        def write(_core: object, offset: int, _size: int, value: int, _data: object) -> None:
            peripherals.write(offset, value)

        self._core.mmio_map(REGISTERS, REGISTERS_BYTES, read, None, write, None)

    def _map_flash(self) -> None:
        """The firmware has filled the MMU's table and enables the cache: what it mapped can be read from now on."""
        pages = self.peripherals.pages
        count = next((i for i, page in enumerate(pages) if page != i), MMU_PAGES)
        size, at = count * FLASH_PAGE, ctypes.addressof(self._flash)
        if size:
            readable = self._unicorn.UC_PROT_READ
            self._core.mem_map_ptr(FLASH_CODE, size, readable | self._unicorn.UC_PROT_EXEC, at)
            self._core.mem_map_ptr(FLASH_DATA, size, readable, at)
        self._mapped = True

    def _guard_point(self) -> int:
        return 0 if self._guarded else self._symbols.get("main", 0)

    def _guard_stack(self) -> None:
        """Once the stack is painted, its lowest whole page must not be touched any more."""
        bottom = -(-self._symbols["_stack_bottom"] // GUARD_BYTES) * GUARD_BYTES
        self._guard, self._guarded = bottom, True
        self._core.mem_protect(bottom, GUARD_BYTES, self._unicorn.UC_PROT_READ)

    def _hook(self) -> None:
        unicorn = self._unicorn
        for address in self._counter_instructions():
            self._core.hook_add(unicorn.UC_HOOK_CODE, self.counter.instruction, begin=address, end=address)
        self._core.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._invalid)
        if self._exact:
            self._core.hook_add(unicorn.UC_HOOK_BLOCK, self.counter.block)
        self._unwatched = self._watch
        if self._watch:
            self._alignment = self._core.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, self._access)

    def _counter_instructions(self) -> list[int]:
        """Where an instruction may be that reads or writes the performance counter: unicorn has no such CSRs."""
        found: list[int] = []
        places = [*self._segments, (FLASH_CODE, self._flash.raw[: self._content])]
        for base, data in places:
            halves = np.frombuffer(data[: len(data) // 2 * 2], "<u2").astype(np.uint32)
            words = halves[:-1] | halves[1:] << 16
            csr = (words & 0x7F == 0x73) & (words >> 12 & 3 != 0) & np.isin(words >> 20, COUNTER_CSRS)
            found += [base + 2 * int(i) for i in np.nonzero(csr)[0]]
        return found

    def _access(self, _core: object, access: int, address: int, size: int, _value: int, _data: object) -> None:
        self._unwatched -= 1
        if self._unwatched == 0:
            self._core.hook_del(self._alignment)
        if address % size and len(self.faults) < MOST_MISALIGNED:
            kind = "store" if access == self._unicorn.UC_MEM_WRITE else "load"
            where = self.place(self._register("PC"))
            self.faults.append(f"misaligned {kind} of {size} bytes at {address:#x}, in the block {where}")

    def _invalid(self, _core: object, access: int, address: int, size: int, _value: int, _data: object) -> bool:
        self._broken = (access, address, size)
        return False

    def _trapped(self, error: Any) -> int:
        """Note the fault and enter the firmware's trap handler; where to go on."""
        code = self._register("PC")
        cause, value = ILLEGAL_INSTRUCTION, 0
        unicorn = self._unicorn
        if error.errno == unicorn.UC_ERR_EXCEPTION:
            self.faults.append(f"illegal instruction {self.place(code)}")
        else:
            access, value, size = self._broken
            writes = access in (unicorn.UC_MEM_WRITE_UNMAPPED, unicorn.UC_MEM_WRITE_PROT)
            fetches = access in (unicorn.UC_MEM_FETCH_UNMAPPED, unicorn.UC_MEM_FETCH_PROT)
            cause = STORE_FAULT if writes else FETCH_FAULT if fetches else LOAD_FAULT
            self.faults.append(self._fault_text(writes, fetches, value, size, code))
        vectors = self._register("MTVEC") & ~3
        self._traps += 1
        if not vectors or self._traps > MOST_TRAPS:
            remedy = "the trap handler traps itself" if vectors else "there is no trap handler yet"
            raise QnnError("virtual board", self.faults[-1], remedy)
        if self._guarded:
            self._core.mem_protect(self._guard, GUARD_BYTES, unicorn.UC_PROT_ALL)
        for name, content in (("MCAUSE", cause), ("MEPC", code), ("MTVAL", value)):
            self._core.reg_write(getattr(self._constants, f"UC_RISCV_REG_{name}"), content)
        return vectors

    def _fault_text(self, writes: bool, fetches: bool, address: int, size: int, code: int) -> str:
        guarded = self._guarded and self._guard <= address < self._guard + GUARD_BYTES
        if guarded or self._register("SP") < self._symbols.get("_stack_bottom", 0):
            return f"stack overflow {self.place(code)}"
        if fetches:
            return f"jump to {address:#x}, where no code is"
        flash = any(base <= address < base + MMU_PAGES * FLASH_PAGE for base in (FLASH_DATA, FLASH_CODE))
        what = f"store of {size} bytes to" if writes else f"load of {size} bytes from"
        where = "read-only flash" if flash and writes else "no memory"
        return f"{what} {where} at {address:#x}, {self.place(code)}"

    def _register(self, name: str) -> int:
        return int(self._core.reg_read(getattr(self._constants, f"UC_RISCV_REG_{name}")))
