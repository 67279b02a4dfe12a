# SPDX-License-Identifier: MIT
"""Serial ports: which have a board, and lines of bytes over them, over TCP and to a board in this process."""

from __future__ import annotations

import importlib
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from qnn.board.emulator import Board
from qnn.board.link import Stream
from qnn.board.peripherals import UART
from qnn.errors import QnnError

ESPRESSIF = 0x303A  # the USB vendor of the ESP32-C3's own serial port
BRIDGES = (0x10C4, 0x1A86, 0x0403, 0x067B)  # of the USB bridges that boards have: Silicon Labs, WCH, FTDI, Prolific
SOCKET = "socket://"
BAUD = 115200
REOPEN_SECONDS, REOPEN_PAUSE = 15.0, 0.2
READ_BYTES = 1 << 16
WRITE_BYTES = 4096  # at once, which a slow line takes within WRITE_SECONDS
WRITE_SECONDS = 10.0

Line = TypeVar("Line")


@dataclass(frozen=True)
class Port:
    """A serial port: its name, what it is, and whether it is an Espressif chip's own USB port."""

    name: str
    description: str
    native: bool


def find_ports() -> tuple[Port, ...]:
    """The serial ports that may have a board, an Espressif chip's own first."""
    found = [
        Port(port.device, port.description or "", port.vid == ESPRESSIF)
        for port in _system_ports()
        if port.vid in (ESPRESSIF, *BRIDGES)
    ]
    return tuple(sorted(found, key=lambda port: (not port.native, port.name)))


def choose_port(given: str | None) -> str:
    """`given`, or the only port that there is. Raises QnnError if there is none, or a choice to make."""
    if given:
        return given
    ports = find_ports()
    native = [port for port in ports if port.native] or list(ports)
    if not native:
        others = ", ".join(sorted(port.device for port in _system_ports()))
        problem = "no serial port with a board was found" + (f" (others are there: {others})" if others else "")
        raise QnnError("board", problem, "plug it in, or name its port with --port; qnn emulate makes a virtual one")
    if len(native) > 1:
        names = ", ".join(f"{port.name} ({port.description})" for port in native)
        raise QnnError("board", f"there are several ports: {names}", "name one with --port")
    return native[0].name


def access_advice(port: str) -> str:
    """How to be allowed to open a serial port, in a few words."""
    if sys.platform != "linux":
        return "close other programs that use the port"
    import grp  # not on Windows

    try:
        group = grp.getgrgid(os.stat(port).st_gid).gr_name
    except (OSError, KeyError):
        group = "dialout"
    join = "dialout" if group in ("root", "tty") else group
    return f"on Linux join the port's group: sudo usermod -aG {join} $USER, then log in again"


def _system_ports() -> list[Any]:
    listing: Any = importlib.import_module("serial.tools.list_ports")
    return list(listing.comports())


def open_port(port: str | None, baud: int = BAUD, reopen_seconds: float | None = None) -> Stream:
    """A line to the board at `port`: a serial port, socket://HOST:PORT, or None for the only port there is.

    reopen_seconds: how long the line waits for a port that goes away before it raises QnnError; None: REOPEN_SECONDS.
    Raises QnnError if it cannot be opened, or if there is no port, or more than one.
    """
    name = choose_port(port)
    if name.startswith(SOCKET):
        return SocketStream(name, reopen_seconds)
    return SerialStream(name, baud, reopen_seconds)


class SerialStream:
    """A serial port. A board that resets takes its USB port along: it is reopened.

    Raises QnnError if the port cannot be opened.
    """

    def __init__(self, port: str, baud: int = BAUD, reopen_seconds: float | None = None) -> None:
        self.name = port
        self._baud, self._reopen_seconds = baud, reopen_seconds
        self._serial: Any = importlib.import_module("serial")
        self._line = self._open()

    def read(self, seconds: float) -> bytes:
        """See Stream.read."""
        try:
            self._line.timeout = seconds
            first: bytes = self._line.read(1)
            more: bytes = self._line.read(min(self._line.in_waiting, READ_BYTES)) if first else b""
            return first + more
        except (OSError, TypeError):  # TypeError: pyserial, when another thread or the system closed the port
            self._reopen()
            return b""

    def write(self, data: bytes) -> None:
        """See Stream.write; what is lost with a port is for the caller to repeat."""
        try:
            for start in range(0, len(data), WRITE_BYTES):
                self._line.write(data[start : start + WRITE_BYTES])
        except self._serial.SerialTimeoutException:
            return  # the board takes nothing; whether it is alive shows when it should answer
        except OSError:
            self._reopen()

    def close(self) -> None:
        """See Stream.close."""
        self._line.close()

    def _open(self) -> Any:
        try:
            return self._serial.serial_for_url(self.name, baudrate=self._baud, timeout=1, write_timeout=WRITE_SECONDS)
        except (OSError, ValueError) as error:
            remedy = f"check the name and whether another program has it open; {access_advice(self.name)}"
            raise QnnError(self.name, f"cannot be opened ({_reason(error)})", remedy) from None

    def _reopen(self) -> None:
        self._line.close()
        self._line = _patiently(self._open, self.name, "plug the board in again", self._reopen_seconds)


class SocketStream:
    """A TCP port, named socket://HOST:PORT. If the other end goes away, it is waited for, like a serial port.

    Raises QnnError if nobody listens there.
    """

    def __init__(self, name: str, reopen_seconds: float | None = None) -> None:
        self.name = name
        self._reopen_seconds = reopen_seconds
        host, _, port = name.removeprefix(SOCKET).rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise QnnError(name, "is no TCP port", f"write {SOCKET}HOST:PORT")
        self._address = (host, int(port))
        self._socket = self._open()

    def read(self, seconds: float) -> bytes:
        """See Stream.read. Raises QnnError if the other end is gone."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            data = self._socket.recv(READ_BYTES)
        except TimeoutError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._reopen()
        return data

    def write(self, data: bytes) -> None:
        """See Stream.write. Raises QnnError if the other end is gone."""
        self._socket.settimeout(WRITE_SECONDS)
        try:
            self._socket.sendall(data)
        except OSError:
            self._reopen()

    def close(self) -> None:
        """See Stream.close."""
        self._socket.close()

    def _open(self) -> socket.socket:
        try:
            return socket.create_connection(self._address, timeout=5)
        except OSError as error:
            raise QnnError(self.name, f"cannot be opened ({_reason(error)})", "start qnn emulate first") from None

    def _reopen(self) -> None:
        self._socket.close()
        self._socket = _patiently(self._open, self.name, "start it again", self._reopen_seconds)


class BoardStream:
    """A line of a virtual board in this process; the board runs while it is read from."""

    def __init__(self, board: Board, line: int = UART) -> None:
        self.name = "virtual board"
        self.board = board
        self._line = line

    def read(self, seconds: float) -> bytes:
        """See Stream.read; a virtual board answers at once or never."""
        self.board.run()
        data = self.board.receive(self._line)
        if not data:
            time.sleep(min(seconds, 0.001))
        return data

    def write(self, data: bytes) -> None:
        """See Stream.write."""
        self.board.send(self._line, data)

    def close(self) -> None:
        """See Stream.close."""


def _patiently(open_line: Callable[[], Line], name: str, remedy: str, seconds: float | None) -> Line:
    """What `open_line` gives, tried for so many seconds. Raises QnnError if it never does."""
    deadline = time.monotonic() + (REOPEN_SECONDS if seconds is None else seconds)
    while True:
        try:
            return open_line()
        except QnnError:
            if time.monotonic() >= deadline:
                raise QnnError(name, "is gone", remedy) from None
        time.sleep(REOPEN_PAUSE)


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else str(error).split(":")[0]
