# SPDX-License-Identifier: MIT
"""What a page needs to flash a board: esptool-js with its licences, and the parts of the flash image."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from qnn.board.firmware import Firmware
from qnn.board.image import BLOB_OFFSET

ERASED = b"\xff"
ALIGNMENT = 4
WHAT = ("start-up code, which the chip's ROM loads", "firmware and model {name}")


@dataclass(frozen=True)
class Flash:
    """The document of a page's flashing, the bytes that it describes, and the script among them."""

    document: dict[str, Any]
    data: bytes
    script: str


def flash_of(firmware: Firmware) -> Flash:
    """The Flash that writes `firmware`: its two parts, without the erased bytes between them."""
    parts = ((0, _trimmed(firmware.flash[:BLOB_OFFSET])), (BLOB_OFFSET, _trimmed(firmware.flash[BLOB_OFFSET:])))
    script, licence = _vendor("esptool.js"), _vendor("LICENCES.txt")
    document = {
        "script": len(script),
        "licence": len(licence),
        "parts": [
            {
                "address": address,
                "bytes": len(data),
                "what": what.format(name=firmware.name),
                "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            }
            for (address, data), what in zip(parts, WHAT, strict=True)
        ],
    }
    return Flash(document, script + licence + b"".join(data for _, data in parts), script.decode("utf-8"))


def _trimmed(data: bytes) -> bytes:
    """`data` without what erased flash holds anyway at its end, in whole words."""
    short = data.rstrip(ERASED)
    return short + ERASED * (-len(short) % ALIGNMENT)


def _vendor(name: str) -> bytes:
    return (resources.files("qnn.page") / "vendor" / name).read_bytes()
