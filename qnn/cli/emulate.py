# SPDX-License-Identifier: MIT
"""qnn emulate: a virtual board."""

from __future__ import annotations

import sys
import threading
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from qnn.board.emulator import ALL, FIRST, Board
from qnn.board.firmware import build_firmware
from qnn.board.peripherals import UART, USB
from qnn.board.virtual import open_endpoint, serve
from qnn.cli.choices import WeightsOption, weights_of
from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.cli.firmware import BuildArgument, CompilerOption
from qnn.errors import QnnError
from qnn.toolchain import rv32_compiler

LINES = {"uart": UART, "usb": USB}


def command(
    build: BuildArgument,
    line: Annotated[str, typer.Option("--line", help="The serial line that is offered: usb or uart.")] = "usb",
    tcp: Annotated[
        int | None, typer.Option("--tcp", min=0, max=65535, help="A TCP port (0: any) instead of a pseudo-terminal.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Count instructions and cycles exactly; slower.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look for misaligned accesses all the time; much slower.")
    ] = False,
    weights: WeightsOption = None,
    compiler: CompilerOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a model's firmware on a virtual ESP32-C3 until Ctrl-C, and print the port at which programs find it.

    Stores to flash, stack overflows, accesses to no memory and misaligned ones (the first second long, or with
    --watch) are reported; exit code 1 if there was any.

    Example: qnn emulate build/
    """
    output = Output(json, quiet)
    if line not in LINES:
        raise QnnError("--line", f"{line!r} is no line of the board", f"use {' or '.join(LINES)}")
    placed = weights_of(weights)
    with output.progress("compiling"):
        firmware = build_firmware(build, placed, rv32_compiler(compiler) if compiler else None)
    board = Board(firmware.flash, firmware.symbols, watch=ALL if watch else FIRST, exact=exact)
    endpoint = open_endpoint(tcp)
    failures = Console(stderr=True, highlight=False)
    output.say(f"{firmware.name} runs at {endpoint.port}; try: qnn verify {build} --on board --port {endpoint.port}")
    output.emit({"name": firmware.name, "port": endpoint.port})
    sys.stdout.flush()  # programs that start this one read the port from a pipe
    try:
        serve(
            board,
            endpoint,
            threading.Event(),
            lambda text: failures.print(Text(f"qnn: virtual board: {text}"), soft_wrap=True),
            LINES[line],
        )
    except KeyboardInterrupt:
        output.say("stopped")
    finally:
        endpoint.close()
    if board.faults:
        raise typer.Exit(1)
