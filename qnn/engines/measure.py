# SPDX-License-Identifier: MIT
"""What a call costs on RV32IMC: retired instructions, stack, and whether it touches only memory that is its own.

Each function uses a core of its own: unicorn instruments a block when it translates it, so that a hook would miss
blocks that the core ran before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qnn.cycles import offsets_of
from qnn.engines.engine import CrashError
from qnn.engines.image import Image
from qnn.engines.job import Job, Region
from qnn.engines.machine import Call, Machine

PAINT = bytes((0xC3, 0x5A, 0xA5, 0x3C))


def count_instructions(image: Image, work: Iterable[tuple[Job, Call]]) -> Iterator[int]:
    """For each call on its job: how many instructions it retires, from its first one to its return. Exact.

    A hook is told each basic block that is about to run; how many instructions a block has is found once.
    """
    machine = Machine(image)
    lengths: dict[tuple[int, int], int] = {}
    stop = image.symbols["qnnStop"]
    total = 0

    def on_block(address: int, size: int) -> None:
        nonlocal total
        if address == stop:
            return
        block = (address, size)
        if block not in lengths:
            lengths[block] = instructions_in(machine.read(address, size))
        total += lengths[block]

    machine.on_block(on_block)
    for job, call in work:
        total = 0
        machine.load(job)
        machine.call(call)
        yield total


def count_steps(image: Image, job: Job, call: Call) -> int:
    """The same count by a hook on every single instruction: slow, to check the other one."""
    machine = Machine(image)
    stop = image.symbols["qnnStop"]
    total = 0

    def on_instruction(address: int, size: int) -> None:
        nonlocal total
        total += address != stop

    machine.on_instruction(on_instruction)
    machine.load(job)
    machine.call(call)
    return total


def instructions_in(code: bytes) -> int:
    """How many instructions the RV32C machine code has."""
    return sum(1 for _ in offsets_of(code))


def stack_bytes(image: Image, job: Job, call: Call) -> int:
    """How far below its caller's stack pointer the call gets, in bytes: what it writes there, or reserves.

    Raises CrashError if it uses all of the image's stack.
    """
    machine = Machine(image)
    bottom, top = image.symbols["qnnStackBottom"], image.symbols["qnnStackTop"]
    lowest = top

    def on_block(address: int, size: int) -> None:
        nonlocal lowest
        lowest = min(lowest, machine.stack_pointer)

    machine.on_block(on_block)
    machine.load(job)
    machine.write(bottom, PAINT * ((top - bottom) // len(PAINT)))
    machine.call(call)
    stack = machine.read(bottom, top - bottom)
    untouched = next((i for i in range(0, len(stack), 4) if stack[i : i + 4] != PAINT), len(stack))
    lowest = min(lowest, bottom + untouched)
    if lowest <= bottom:
        raise CrashError(f"{call.function} uses more than {top - bottom} bytes of stack")
    return top - lowest


def check_memory(image: Image, job: Job, call: Call) -> None:
    """Run the call on the job's first sample and watch every load and store.

    Raises CrashError unless each one is aligned and within what the call may read (its input, scratch, stack, the
    image's code and constants) or write (its output, scratch, stack).
    """
    machine = Machine(image)
    window = machine.window
    scratch = (machine.scratch, machine.scratch + machine.call(Call("qnnScratchBytes", ())))
    stack = (image.symbols["qnnStackBottom"], image.symbols["qnnStackTop"])
    constant = (image.base, image.symbols["qnnConstantsEnd"])

    def given(regions: tuple[Region, ...]) -> tuple[tuple[int, int], ...]:
        spans = ((window + region.offset, window + region.offset + region.bytes) for region in regions)
        return tuple(span for span in spans if span[0] in call.arguments)

    inputs, outputs = given(job.inputs), given(job.results)
    readable, writable = (*inputs, *outputs, scratch, stack, constant), (*outputs, scratch, stack)
    complaint = ""

    def on_access(write: bool, address: int, size: int) -> None:
        nonlocal complaint
        if complaint:
            return
        inside = any(low <= address and address + size <= high for low, high in (writable if write else readable))
        if inside and address % size == 0:
            return
        problem = "writes" if write else "reads"
        if inside:
            complaint = f"{call.function} {problem} {size} bytes at an address that is not a multiple of {size}"
        else:
            complaint = f"{call.function} {problem} {size} bytes outside of its memory, at {address:#x}"

    machine.on_access(on_access)
    machine.load(job)
    machine.call(call)
    if complaint:
        raise CrashError(complaint)
