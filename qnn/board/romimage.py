# SPDX-License-Identifier: MIT
"""The image at the start of the flash, as the chip's ROM reads it."""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from qnn.errors import QnnError

IMAGE_MAGIC, IMAGE_HEADER, EXTENDED_HEADER = 0xE9, "<BBBBI", 16
CHIP_ID, CHIP_ID_OFFSET, HASHED_OFFSET = 5, 12, 23
SRAM_BYTES, SRAM_DATA, SRAM_CODE = 0x60000, 0x3FC80000, 0x40380000


def parse_image(flash: bytes) -> tuple[int, tuple[tuple[int, bytes], ...]]:
    """The entry and the segments of the esptool image at flash offset 0, checked as the ROM checks it.

    Raises QnnError where the ROM would not start it.
    """
    subject, remedy = "flash image", "make it with qnn firmware"
    if len(flash) < 24 or flash[0] != IMAGE_MAGIC:
        raise QnnError(subject, "does not start with an ESP image", remedy)
    _, count, _, _, entry = struct.unpack_from(IMAGE_HEADER, flash)
    chip = struct.unpack_from("<H", flash, CHIP_ID_OFFSET)[0]
    if chip != CHIP_ID:
        raise QnnError(subject, f"is for the chip with id {chip}, not for an ESP32-C3", remedy)
    at, checksum = 8 + EXTENDED_HEADER, 0xEF
    segments = []
    for _ in range(count):
        if at + 8 > len(flash):
            raise QnnError(subject, "ends within a segment", remedy)
        address, size = struct.unpack_from("<II", flash, at)
        data = flash[at + 8 : at + 8 + size]
        inside = any(base <= address and address + size <= base + SRAM_BYTES for base in (SRAM_DATA, SRAM_CODE))
        if len(data) != size or not inside:
            raise QnnError(subject, f"has a segment at {address:#x} that the ROM cannot load", remedy)
        checksum = int(np.bitwise_xor.reduce(np.frombuffer(data, np.uint8), initial=checksum))
        segments.append((address, data))
        at += 8 + size
    end = (at | 15) + 1
    if end > len(flash) or flash[end - 1] != checksum:
        raise QnnError(subject, "has a wrong checksum", remedy)
    if flash[HASHED_OFFSET] == 1 and hashlib.sha256(flash[:end]).digest() != flash[end : end + 32]:
        raise QnnError(subject, "has a wrong hash", remedy)
    return entry, tuple(segments)
