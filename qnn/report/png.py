# SPDX-License-Identifier: MIT
"""Small pictures as PNG files, for pages: no more of the format than they need."""

from __future__ import annotations

import struct
import zlib

import numpy as np

GREY, COLOUR = 0, 2  # colour types of the format
UNFILTERED = b"\0"


def png(pixels: np.ndarray) -> bytes:
    """The PNG file of uint8 pixels (H, W, C), C = 1 (grey) or 3 (red, green, blue)."""
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, COLOUR if channels == 3 else GREY, 0, 0, 0)
    lines = b"".join(UNFILTERED + line.tobytes() for line in np.ascontiguousarray(pixels))
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
