# SPDX-License-Identifier: MIT
"""Writing a flash image to a board with esptool, which runs in a process of its own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qnn.board.emulator import parse_image
from qnn.board.image import CHIP, esptool
from qnn.errors import QnnError

FLASH_BAUD, SLOW_BAUD = 460800, 115200
CONNECT_SECONDS, WRITE_SECONDS = 60.0, 300.0
CHIP_NAME = "ESP32-C3"
ADVICE = (
    "hold BOOT, press RESET, let BOOT go and try again; on Linux join the port's group (sudo usermod -aG dialout "
    f"$USER, then log in again); with a long cable use --baud {SLOW_BAUD}"
)


@dataclass(frozen=True)
class Flashed:
    """What was found and done: the chip, its flash in MiB, the bytes written, whose hash was read back."""

    port: str
    chip: str
    flash_mb: int
    bytes: int


def flash_board(image: bytes, port: str, baud: int = FLASH_BAUD, say: Callable[[str], None] = print) -> Flashed:
    """Write `image` from flash offset 0 on, and compare the hash of what the flash then holds.

    The image is checked before the port is opened; chip and flash size before anything is written.
    Raises QnnError if any of it fails, with what to try.
    """
    parse_image(image)
    with tempfile.TemporaryDirectory(prefix="qnn-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "flash.bin").write_bytes(image)
        line = ("--chip", CHIP, "--port", port, "--baud", str(baud))
        say(f"looking for an {CHIP_NAME} on {port} ...")
        about = _run((*line, "--after", "no-reset", "flash-id"), folder, port, CONNECT_SECONDS)
        chip, size = _chip(about), _flash_mb(about)
        if size is None or len(image) > size << 20:
            found = "of unknown size" if size is None else f"of {size} MiB"
            raise QnnError(port, f"the image has {len(image):,} bytes, the flash is {found}", "use a smaller network")
        say(f"writing {len(image):,} bytes to {chip} with {size} MiB of flash ...")
        written = _run((*line, "write-flash", "0x0", "flash.bin"), folder, port, WRITE_SECONDS)
        if "hash of data verified" not in written.lower():
            raise QnnError(port, "what was written could not be read back", ADVICE)
    return Flashed(port, chip, size, len(image))


def _run(arguments: tuple[str, ...], folder: Path, port: str, timeout: float) -> str:
    try:
        return esptool(arguments, folder, port, timeout)
    except QnnError as error:
        raise QnnError(port, f"esptool says: {error.problem}", ADVICE) from None


def _chip(text: str) -> str:
    found = re.search(r"(?:Chip type|Chip is|Detecting chip type\.*):?\s+(.+)", text)
    name = found.group(1).strip() if found else ""
    if CHIP_NAME not in (name or text):
        raise QnnError("board", f"is no {CHIP_NAME}, but {name or 'unknown'}", f"connect an {CHIP_NAME}")
    return name or CHIP_NAME


def _flash_mb(text: str) -> int | None:
    found = re.search(r"flash size:\s*(\d+)\s*MB", text, re.IGNORECASE)
    return int(found.group(1)) if found else None
