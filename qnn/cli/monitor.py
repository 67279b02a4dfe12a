# SPDX-License-Identifier: MIT
"""qnn monitor: what a board says."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from qnn.board import protocol
from qnn.board.ports import BAUD, open_port
from qnn.board.protocol import Frame, Splitter, parse_hello
from qnn.cli.console import JsonOption, Output, QuietOption

READ_SECONDS = 0.2


def command(
    port: Annotated[str | None, typer.Option("--port", help="The board's port; default: the only one.")] = None,
    baud: Annotated[int, typer.Option("--baud", min=300, help="Baud rate, where the port is no USB port.")] = BAUD,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0, help="How long; default: until Ctrl-C.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print what a board says: its greeting, the self-test, traps. It is asked who it is first.

    Example: qnn monitor --port /dev/ttyACM0
    """
    output = Output(json, quiet)
    stream = open_port(port, baud)
    splitter = Splitter()
    deadline = None if seconds is None else time.monotonic() + seconds
    lines: list[str] = []
    try:
        stream.write(Frame(protocol.HELLO, 1, 0, b"").encoded())
        while deadline is None or time.monotonic() < deadline:
            for item in splitter.take(stream.read(READ_SECONDS)):
                lines.append(told(item))
                output.say(lines[-1])
            for line in splitter.lines():
                lines.append(line)
                output.say(line)
    except KeyboardInterrupt:
        output.say("stopped")
    finally:
        stream.close()
    output.emit({"port": stream.name, "lines": lines})


def told(item: Frame | bytes) -> str:
    """A frame or a text of the board in one line or more, for people."""
    if isinstance(item, bytes):
        return item.decode("ascii", errors="backslashreplace").strip()
    hello = parse_hello(item.body) if item.type == protocol.HELLO | protocol.REPLY else None
    if hello is None:
        status = protocol.STATUS[item.mark] if item.mark < len(protocol.STATUS) else f"status {item.mark}"
        return f"[frame {item.type:#04x}, number {item.sequence}: {status}, {len(item.body)} bytes]"
    return (
        f"[{hello.name} {hello.model_hash[:12]} on {hello.chip_name} at {hello.clock_hz / 1e6:.3f} MHz, "
        f"stack {hello.stack_used:,} of {hello.stack_bytes:,} bytes, self-test {hello.self_test_text}]"
    )
