# SPDX-License-Identifier: MIT
"""From a linked program to a flash image: what the ROM loads into SRAM at offset 0, what is mapped from 0x10000 on.

esptool makes the two, in a process of its own: its command line is stable and documented.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qnn import process
from qnn.errors import QnnError

CHIP = "esp32c3"
BLOB_OFFSET = 0x10000
FLASH_WINDOWS = (0x42000000, 0x3C000000)
FLASH_WINDOW_BYTES = 0x800000
ELF_HEADER, SECTION_HEADER = "<16sHHIIIIIHHHHHH", "<10I"
EXECUTABLE, RISCV, PROGBITS, STRINGS, ALLOCATED = 2, 243, 1, 3, 6
ESPTOOL_TIMEOUT = 60.0


def flash_image(program: Any, entry: int, flash_mb: int, folder: Path) -> bytes:
    """The flash image of a linked program (pyelftools' view of it), `folder` holding what is in between.

    It starts at flash offset 0 and is as long as its content. Raises QnnError if it does not fit into the flash.
    """
    ram, blob = _parts(program)
    size = BLOB_OFFSET + len(blob)
    if size > flash_mb << 20:
        raise QnnError("firmware", f"has {size:,} bytes, more than {flash_mb} MiB of flash", "use a smaller network")
    (folder / "stub.elf").write_bytes(_ram_elf(ram, entry))
    (folder / "blob.bin").write_bytes(blob)
    mode = ("--flash-mode", "dio", "--flash-freq", "80m", "--flash-size", f"{flash_mb}MB")
    esptool(("--chip", CHIP, "elf2image", *mode, "-o", "stub.bin", "stub.elf"), folder, "firmware")
    stub = (folder / "stub.bin").stat().st_size
    if stub > BLOB_OFFSET:
        raise QnnError("firmware", f"has {stub:,} bytes that the ROM loads, more than {BLOB_OFFSET:,}", "report this")
    parts = ("0x0", "stub.bin", f"{BLOB_OFFSET:#x}", "blob.bin")
    esptool(("--chip", CHIP, "merge-bin", "--flash-mode", "keep", "-o", "flash.bin", *parts), folder, "firmware")
    return (folder / "flash.bin").read_bytes()


def esptool(arguments: Sequence[str], folder: Path, subject: object, timeout: float = ESPTOOL_TIMEOUT) -> str:
    """What esptool prints. Raises QnnError about `subject` if it fails."""
    command = (sys.executable, "-m", "esptool", *arguments)
    return process.run(command, cwd=folder, subject=subject, timeout=timeout).stdout


def _parts(program: Any) -> tuple[list[tuple[int, bytes]], bytes]:
    """What the ROM loads (addresses, bytes), and the flash from BLOB_OFFSET on."""
    ram: list[tuple[int, bytes]] = []
    blob = bytearray()
    for segment in program.iter_segments("PT_LOAD"):
        data, address = segment.data(), int(segment["p_paddr"])
        window = next((base for base in FLASH_WINDOWS if base <= address < base + FLASH_WINDOW_BYTES), None)
        if window is None:
            ram += [(address, data)] if data else []
            continue
        start = address - window - BLOB_OFFSET
        blob.extend(bytes(max(0, start + len(data) - len(blob))))
        blob[start : start + len(data)] = data
    return ram, bytes(blob)


def _ram_elf(ram: Sequence[tuple[int, bytes]], entry: int) -> bytes:
    """An ELF file of which esptool makes an image: one section for each part, and their names."""
    names = b"\0.ram\0.shstrtab\0"
    start = struct.calcsize(ELF_HEADER)
    content, headers = bytearray(), [(0,) * 10]
    for address, data in ram:
        padded = data + bytes(-len(data) % 4)
        headers.append((1, PROGBITS, ALLOCATED, address, start + len(content), len(padded), 0, 0, 4, 0))
        content += padded
    headers.append((6, STRINGS, 0, 0, start + len(content), len(names), 0, 0, 1, 0))
    content += names
    magic = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    sections = start + len(content)
    count = len(headers)
    head = struct.pack(
        ELF_HEADER, magic, EXECUTABLE, RISCV, 1, entry, 0, sections, 0, start, 0, 0, 40, count, count - 1
    )
    return head + bytes(content) + b"".join(struct.pack(SECTION_HEADER, *header) for header in headers)
