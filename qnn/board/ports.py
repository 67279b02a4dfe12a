# SPDX-License-Identifier: MIT
"""Serial ports: which have a board, and lines of bytes over them, over TCP and to a board in this process."""

from __future__ import annotations

import importlib
import socket
import time
from dataclasses import dataclass
from typing import Any

from qnn.board.emulator import Board
from qnn.board.link import Stream
from qnn.board.peripherals import UART
from qnn.errors import QnnError

ESPRESSIF = 0x303A  # the USB vendor of the ESP32-C3's own serial port
BRIDGES = (0x10C4, 0x1A86, 0x0403)  # of the USB bridges that boards have: Silicon Labs, WCH, FTDI
SOCKET = "socket://"
BAUD = 115200
REOPEN_SECONDS = 15.0
READ_BYTES = 1 << 16


@dataclass(frozen=True)
class Port:
    """A serial port: its name, what it is, and whether it is an Espressif chip's own USB port."""

    name: str
    description: str
    native: bool


def find_ports() -> tuple[Port, ...]:
    """The serial ports that may have a board, an Espressif chip's own first."""
    listing: Any = importlib.import_module("serial.tools.list_ports")
    found = [
        Port(port.device, port.description or "", port.vid == ESPRESSIF)
        for port in listing.comports()
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
        raise QnnError("board", "no serial port with a board was found", "plug it in, or name its port with --port")
    if len(native) > 1:
        names = ", ".join(f"{port.name} ({port.description})" for port in native)
        raise QnnError("board", f"there are several ports: {names}", "name one with --port")
    return native[0].name


def open_port(port: str | None, baud: int = BAUD) -> Stream:
    """A line to the board at `port`: a serial port, socket://HOST:PORT, or None for the only port there is.

    Raises QnnError if it cannot be opened, or if there is no port, or more than one.
    """
    name = choose_port(port)
    return SocketStream(name) if name.startswith(SOCKET) else SerialStream(name, baud)


class SerialStream:
    """A serial port. A board that resets takes its USB port along: it is reopened.

    Raises QnnError if the port cannot be opened.
    """

    def __init__(self, port: str, baud: int = BAUD) -> None:
        self.name = port
        self._baud = baud
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
            self._line.write(data)
        except OSError:
            self._reopen()

    def close(self) -> None:
        """See Stream.close."""
        self._line.close()

    def _open(self) -> Any:
        try:
            return self._serial.serial_for_url(self.name, baudrate=self._baud, timeout=1, write_timeout=10)
        except (OSError, ValueError) as error:
            remedy = "check the name, whether another program has it open, and on Linux: sudo usermod -aG dialout $USER"
            raise QnnError(self.name, f"cannot be opened ({_reason(error)})", remedy) from None

    def _reopen(self) -> None:
        deadline = time.monotonic() + REOPEN_SECONDS
        self._line.close()
        while True:
            try:
                self._line = self._open()
                return
            except QnnError:
                if time.monotonic() > deadline:
                    raise QnnError(self.name, "is gone", "plug the board in again") from None
            time.sleep(0.2)


class SocketStream:
    """A TCP port, named socket://HOST:PORT. Raises QnnError if nobody listens there."""

    def __init__(self, name: str) -> None:
        self.name = name
        host, _, port = name.removeprefix(SOCKET).rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise QnnError(name, "is no TCP port", f"write {SOCKET}HOST:PORT")
        try:
            self._socket = socket.create_connection((host, int(port)), timeout=5)
        except OSError as error:
            raise QnnError(name, f"cannot be opened ({_reason(error)})", "start qnn emulate first") from None

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
            raise QnnError(self.name, "closed the connection", "start it again")
        return data

    def write(self, data: bytes) -> None:
        """See Stream.write. Raises QnnError if the other end is gone."""
        self._socket.settimeout(10)
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise QnnError(self.name, f"closed the connection ({_reason(error)})", "start it again") from None

    def close(self) -> None:
        """See Stream.close."""
        self._socket.close()


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


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).split(":")[0]
