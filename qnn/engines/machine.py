# SPDX-License-Identifier: MIT
"""One RV32IMC core and its RAM in unicorn, with a linked image loaded."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qnn.engines.engine import CrashError
from qnn.engines.image import RV32_EXTRA, Image
from qnn.engines.job import Job
from qnn.errors import QnnError

PAGE = 4096
TIMEOUT_SECONDS = 300  # for one call: a window of samples


@dataclass(frozen=True)
class Call:
    """A function of the image and the values for its first arguments."""

    function: str
    arguments: tuple[int, ...]


class Machine:
    """A core with `image` in its RAM. Raises QnnError if unicorn is not installed."""

    def __init__(self, image: Image) -> None:
        require_unicorn()
        # Loaded here, by name: an extra that the rest of qnn does without, and it has no annotations.
        self._unicorn: Any = importlib.import_module("unicorn")
        self._registers: Any = importlib.import_module("unicorn.riscv_const")
        self.image = image
        self._core = self._unicorn.Uc(self._unicorn.UC_ARCH_RISCV, self._unicorn.UC_MODE_RISCV32)
        self._end = image.base
        self._names = sorted((address, name) for name, address in image.symbols.items() if name.isidentifier())
        self._map(image.symbols["qnnWindow"])
        for address, data in image.segments:
            self.write(address, data)

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of memory."""
        return bytes(self._core.mem_read(address, size))

    def write(self, address: int, data: bytes) -> None:
        """Put `data` into memory."""
        self._core.mem_write(address, data)

    def on_block(self, hook: Callable[[int, int], None]) -> None:
        """Call `hook` with the address and size of each basic block that is about to run. Set hooks before running."""
        self._core.hook_add(self._unicorn.UC_HOOK_BLOCK, lambda _core, address, size, _data: hook(address, size))

    def on_instruction(self, hook: Callable[[int, int], None]) -> None:
        """Call `hook` with the address and size of each instruction that is about to run."""
        self._core.hook_add(self._unicorn.UC_HOOK_CODE, lambda _core, address, size, _data: hook(address, size))

    def on_access(self, hook: Callable[[bool, int, int], None]) -> None:
        """Call `hook` with each memory access: whether it writes, its address, its size."""

        def callback(_core: object, access: int, address: int, size: int, _value: int, _data: object) -> None:
            hook(access == self._unicorn.UC_MEM_WRITE, address, size)

        self._core.hook_add(self._unicorn.UC_HOOK_MEM_READ | self._unicorn.UC_HOOK_MEM_WRITE, callback)

    def on_read(self, start: int, end: int, hook: Callable[[int], None]) -> None:
        """Call `hook` with the address of each read from `start` up to, but not including, `end`."""

        def callback(_core: object, _access: int, address: int, _size: int, _value: int, _data: object) -> None:
            hook(address)

        self._core.hook_add(self._unicorn.UC_HOOK_MEM_READ, callback, begin=start, end=end - 1)

    @property
    def window(self) -> int:
        """The address of the job."""
        return self.image.symbols["qnnWindow"]

    @property
    def scratch(self) -> int:
        """The address of the model's scratch memory."""
        return self.image.symbols["qnnScratch"]

    def load(self, job: Job) -> None:
        """Put the job's words and inputs into memory, at `window`."""
        self._map(self.window + job.size)
        self.write(self.window, job.request.tobytes())

    def run(self, job: Job) -> bytes:
        """The job's results: its memory from job.reply on. Raises CrashError if the code crashes or fails."""
        self.load(job)
        status = self.call(Call("qnnJob", (self.window, self.scratch)))
        if status:
            raise CrashError(f"a function of {job.interface.name}.h returned something else than 0")
        return self.read(self.window + job.reply, job.size - job.reply)

    def call(self, call: Call) -> int:
        """What the function, called by the C ABI on an empty stack, returns. Raises CrashError if it does not."""
        names, symbols = self._registers, self.image.symbols
        arguments = (names.UC_RISCV_REG_A0, names.UC_RISCV_REG_A1, names.UC_RISCV_REG_A2)
        for register, value in zip(arguments, call.arguments, strict=False):
            self._core.reg_write(register, value)
        self._core.reg_write(names.UC_RISCV_REG_SP, symbols["qnnStackTop"])
        self._core.reg_write(names.UC_RISCV_REG_RA, symbols["qnnStop"])
        try:
            self._core.emu_start(symbols[call.function], symbols["qnnStop"], timeout=TIMEOUT_SECONDS * 1_000_000)
        except self._unicorn.UcError as error:
            raise CrashError(f"{error} {self.place(self._read(names.UC_RISCV_REG_PC))}") from None
        if self._read(names.UC_RISCV_REG_PC) != symbols["qnnStop"]:
            raise CrashError(f"{call.function} did not return within {TIMEOUT_SECONDS} s")
        return self._read(names.UC_RISCV_REG_A0)

    @property
    def stack_pointer(self) -> int:
        """The stack pointer now."""
        return self._read(self._registers.UC_RISCV_REG_SP)

    def place(self, address: int) -> str:
        """Where `address` is in the image, for messages: "in NAME_run+0x12"."""
        index = bisect_right(self._names, (address, "\uffff")) - 1
        if index < 0:
            return f"at {address:#x}"
        start, name = self._names[index]
        return f"in {name}+{address - start:#x}"

    def _read(self, register: int) -> int:
        return int(self._core.reg_read(register))

    def _map(self, end: int) -> None:
        """Make the RAM reach up to `end` at least."""
        rounded = -(-end // PAGE) * PAGE
        if rounded > self._end:
            self._core.mem_map(self._end, rounded - self._end)
            self._end = rounded


def require_unicorn() -> str:
    """unicorn's version. Raises QnnError if it is not installed."""
    if importlib.util.find_spec("unicorn") is None:
        raise QnnError("unicorn", "the RV32 emulator is not installed", RV32_EXTRA)
    return importlib.metadata.version("unicorn")
