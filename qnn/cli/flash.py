# SPDX-License-Identifier: MIT
"""qnn flash: a flash image goes to a board."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from qnn.board.firmware import build_firmware
from qnn.board.flasher import FLASH_BAUD, flash_board
from qnn.board.ports import choose_port, find_ports
from qnn.cli.choices import WeightsOption, weights_of
from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.errors import QnnError
from qnn.files import read_bounded

IMAGE_LIMIT = 16 << 20


def command(
    source: Annotated[Path, typer.Argument(help="A build folder, or a flash image of qnn firmware.")],
    port: Annotated[str | None, typer.Option("--port", help="The board's serial port; default: the only one.")] = None,
    baud: Annotated[int, typer.Option("--baud", min=9600, help="Baud rate while writing.")] = FLASH_BAUD,
    weights: WeightsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a model's firmware to an ESP32-C3, after checking that chip and flash fit, and read back its hash.

    Example: qnn flash build/ --port /dev/ttyACM0
    """
    output = Output(json, quiet)
    if source.is_dir():
        placed = weights_of(weights)
        with output.progress("compiling"):
            image = build_firmware(source, placed).flash
    else:
        image = read_bounded(source, IMAGE_LIMIT)
    chosen = ask_port(output, port)
    with output.progress("flashing"):
        found = flash_board(image, chosen, baud, output.say)
    output.say(f"done: {found.bytes:,} bytes on {found.chip}, hash read back; next: qnn verify BUILD --on board")
    output.emit(asdict(found))


def ask_port(output: Output, port: str | None) -> str:
    """The port given, or found; where there are several, people at a terminal choose."""
    try:
        return choose_port(port)
    except QnnError:
        ports = find_ports()
        if len(ports) < 2 or output.json or output.quiet or not sys.stdin.isatty():
            raise
    for number, found in enumerate(ports, 1):
        output.say(f"{number}: {found.name} ({found.description})")
    answer = typer.prompt("which port", type=int, default=1)
    if not 1 <= answer <= len(ports):
        raise QnnError("--port", f"{answer} is none of them", f"use 1 to {len(ports)}")
    return ports[answer - 1].name
