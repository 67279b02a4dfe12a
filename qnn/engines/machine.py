# SPDX-License-Identifier: MIT
"""One RV32IMC core and its RAM in unicorn, with a linked image loaded."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from bisect import bisect_right
from dataclasses import dataclass

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
        from unicorn import Uc, UcError
        from unicorn import riscv_const as registers
        from unicorn import unicorn_const as constants

        self.image = image
        self.core = Uc(constants.UC_ARCH_RISCV, constants.UC_MODE_RISCV32)
        self._error = UcError
        self._registers = registers
        self._end = image.base
        self._names = sorted((address, name) for name, address in image.symbols.items() if name.isidentifier())
        self._map(image.symbols["qnnWindow"])
        for address, data in image.segments:
            self.core.mem_write(address, data)

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
        self.core.mem_write(self.window, job.request.tobytes())

    def run(self, job: Job) -> bytes:
        """The job's results: its memory from job.reply on. Raises CrashError if the code crashes or fails."""
        self.load(job)
        status = self.call(Call("qnnJob", (self.window, self.scratch)))
        if status:
            raise CrashError(f"a function of {job.interface.name}.h returned something else than 0")
        return bytes(self.core.mem_read(self.window + job.reply, job.size - job.reply))

    def call(self, call: Call) -> int:
        """What the function, called by the C ABI on an empty stack, returns. Raises CrashError if it does not."""
        names, symbols = self._registers, self.image.symbols
        arguments = (names.UC_RISCV_REG_A0, names.UC_RISCV_REG_A1, names.UC_RISCV_REG_A2)
        for register, value in zip(arguments, call.arguments, strict=False):
            self.core.reg_write(register, value)
        self.core.reg_write(names.UC_RISCV_REG_SP, symbols["qnnStackTop"])
        self.core.reg_write(names.UC_RISCV_REG_RA, symbols["qnnStop"])
        try:
            self.core.emu_start(symbols[call.function], symbols["qnnStop"], timeout=TIMEOUT_SECONDS * 1_000_000)
        except self._error as error:
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
        return int(self.core.reg_read(register))

    def _map(self, end: int) -> None:
        """Make the RAM reach up to `end` at least."""
        rounded = -(-end // PAGE) * PAGE
        if rounded > self._end:
            self.core.mem_map(self._end, rounded - self._end)
            self._end = rounded


def require_unicorn() -> str:
    """unicorn's version. Raises QnnError if it is not installed."""
    if importlib.util.find_spec("unicorn") is None:
        raise QnnError("unicorn", "the RV32 emulator is not installed", RV32_EXTRA)
    return importlib.metadata.version("unicorn")
