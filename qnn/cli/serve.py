# SPDX-License-Identifier: MIT
"""qnn serve: the playground's page, and a board that computes along."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Annotated

import typer

from qnn.board.emulator import Board
from qnn.board.firmware import Firmware, build_firmware
from qnn.board.link import Stream
from qnn.board.ports import BAUD, BoardStream, find_ports, open_port
from qnn.bridge.access import SOCKET_NAME, is_loopback, new_token, reachable_host
from qnn.bridge.bridge import Bridge, State
from qnn.bridge.server import PageServer
from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.cli.firmware import BuildArgument
from qnn.cli.loading import (
    DataDirOption,
    DataOption,
    DropMissingOption,
    LabelOption,
    MaxMemoryOption,
    PartOption,
    request,
)
from qnn.cli.playground import FlashingOption, PrepareOption, SamplesOption, WasmOption, Wishes, parts_of
from qnn.cli.verify import BaudOption, PortOption
from qnn.errors import QnnError
from qnn.page.assemble import served_page

LOCAL, HTTP_PORT = "127.0.0.1", 8470


def command(
    build: BuildArgument,
    port: PortOption = None,
    emulate: Annotated[bool, typer.Option("--emulate", help="Let a virtual board compute along.")] = False,
    cycles: Annotated[
        bool, typer.Option("--cycles/--no-cycles", help="Whether the virtual board counts cycles; slower.")
    ] = True,
    host: Annotated[
        str, typer.Option("--host", help="Address to serve on; 0.0.0.0 shares the page, behind a token.")
    ] = LOCAL,
    http_port: Annotated[int, typer.Option("--http-port", min=0, max=65535, help="TCP port; 0: any.")] = HTTP_PORT,
    baud: BaudOption = BAUD,
    samples: SamplesOption = 10,
    flashing: FlashingOption = True,
    prepare: PrepareOption = None,
    wasm: WasmOption = None,
    data: DataOption = None,
    part: PartOption = None,
    label: LabelOption = None,
    drop_missing: DropMissingOption = False,
    data_dir: DataDirOption = None,
    max_memory: MaxMemoryOption = "4GB",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve the playground's page until Ctrl-C; what is drawn is also computed by a board, and compared.

    The board is at --port, or the only one that is plugged in, or a virtual one with --emulate. Only this machine
    sees the page, unless --host shares it: then its address has a token.

    Example: qnn serve build/ --emulate
    """
    output = Output(json, quiet)
    if emulate and port:
        raise QnnError("--emulate", "makes a board of its own, --port names another", "give one of them")
    shared = not is_loopback(host)
    wishes = Wishes(request(data, part, label, drop_missing, data_dir, max_memory), samples, flashing, prepare, wasm)
    parts = parts_of(output, build, wishes)
    board = _virtual_board(parts.firmware or build_firmware(build), cycles) if emulate else None
    cycles_known = cycles or not emulate

    @lru_cache(maxsize=16)
    def html(origin: str) -> str:
        return served_page(parts.graph, parts.content, parts.flash, parts.figures, SOCKET_NAME, origin, cycles_known)

    server = PageServer(host, http_port, new_token() if shared else "", html)
    bridge = Bridge(_connection(board, port, baud), partial(_told, output, server), board)
    address = f"http://{reachable_host(host)}:{server.access.port}{server.access.path}"
    try:
        server.start(bridge)
        output.say(f"{parts.graph.name} is at {address}" + (": whoever has this address can use it" if shared else ""))
        output.emit({"name": parts.graph.name, "address": address, "shared": shared})
        sys.stdout.flush()  # programs that start this one read the address from a pipe
        while True:
            time.sleep(0.5)
    except KeyboardInterrupt:
        output.say("stopped")
    finally:
        server.close()
        bridge.close()


def _virtual_board(firmware: Firmware, cycles: bool) -> Board:
    return Board(firmware.flash, firmware.symbols, exact=cycles)


def _connection(board: Board | None, port: str | None, baud: int) -> Callable[[], Stream] | None:
    """How to reach the board; None if none is named and none is plugged in."""
    if board is not None:
        return partial(BoardStream, board)
    if port is None and not find_ports():
        return None
    return partial(open_port, port, baud, 0.0)  # pages are told at once, and the bridge tries again


def _told(output: Output, server: PageServer, state: State) -> None:
    output.say(f"board: {state.event or state.text}")
    server.tell(state)
