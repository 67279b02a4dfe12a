# SPDX-License-Identifier: MIT
"""Writing a flash image to a board with esptool, which runs in a process of its own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qnn.board.image import CHIP, esptool
from qnn.board.ports import SOCKET, access_advice
from qnn.board.romimage import parse_image
from qnn.errors import QnnError

FLASH_BAUD, SLOW_BAUD = 460800, 115200
CONNECT_SECONDS, WRITE_SECONDS = 60.0, 120.0
LINE_BITS = 20  # a byte takes on the line at most, everything around it included
CHIP_NAME = "ESP32-C3"
SOLD_AS = (CHIP_NAME, "ESP8685", "ESP8686")
FLASH_SIZE_OFFSET = 3  # of the image's header: the upper half is log2 of the flash's MiB


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
    if port.startswith(SOCKET):
        raise QnnError(port, "is no serial port", "a virtual board is not flashed: qnn emulate BUILD runs the image")
    check_image(image)
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
        most = WRITE_SECONDS + len(image) * LINE_BITS / baud
        written = _run((*line, "write-flash", "0x0", "flash.bin"), folder, port, most)
        if "hash of data verified" not in written.lower():
            raise QnnError(port, "what was written could not be read back", advice(port))
    return Flashed(port, chip, size, len(image))


def check_image(image: bytes) -> None:
    """Raises QnnError if the ROM would not start the image, or it is longer than the flash that it was made for."""
    parse_image(image)
    made_for = 1 << (image[FLASH_SIZE_OFFSET] >> 4)
    if len(image) > made_for << 20:
        problem = f"has {len(image):,} bytes, more than the {made_for} MiB of flash that it was made for"
        raise QnnError("flash image", problem, "make it with qnn firmware --flash-size")


def advice(port: str) -> str:
    """What to try when a board cannot be flashed."""
    return (
        "hold BOOT, press RESET, let BOOT go and try again; "
        f"{access_advice(port)}; with a long cable use --baud {SLOW_BAUD}"
    )


def _run(arguments: tuple[str, ...], folder: Path, port: str, timeout: float) -> str:
    try:
        return esptool(arguments, folder, port, timeout)
    except QnnError as error:
        other = re.search(r"This chip is (\S+?),? not", error.problem)
        if other:
            raise _wrong_chip(other.group(1)) from None
        raise QnnError(port, f"esptool says: {error.problem}", advice(port)) from None


def _chip(text: str) -> str:
    found = re.search(r"(?:Chip type|Chip is|Detecting chip type\.*):?\s+(.+)", text)
    name = found.group(1).strip() if found else ""
    if not any(known in (name or text) for known in SOLD_AS):
        raise _wrong_chip(name or "unknown")
    return name or CHIP_NAME


def _wrong_chip(name: str) -> QnnError:
    return QnnError("board", f"is no {CHIP_NAME}, but {name}", f"connect an {CHIP_NAME}")


def _flash_mb(text: str) -> int | None:
    found = re.search(r"flash size:\s*(\d+)\s*MB", text, re.IGNORECASE)
    return int(found.group(1)) if found else None
