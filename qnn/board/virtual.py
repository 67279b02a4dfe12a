# SPDX-License-Identifier: MIT
"""A virtual board for other programs: on a pseudo-terminal, or on a TCP port where there are none (Windows)."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from qnn.board.emulator import Board
from qnn.board.peripherals import USB
from qnn.board.ports import SOCKET
from qnn.errors import QnnError

READ_BYTES = 4096
POLL_SECONDS = 0.1
FULL_SECONDS = 1.0  # how long nobody may read before what the board says is dropped, as on a real line


class Endpoint(Protocol):
    """Where another program finds the board."""

    @property
    def port(self) -> str:
        """What to give as --port."""

    def read(self) -> bytes:
        """What came within POLL_SECONDS, perhaps nothing."""

    def write(self, data: bytes) -> None:
        """Send, or drop what nobody takes."""

    def close(self) -> None:
        """Take the port away."""


def open_endpoint(tcp: int | None = None) -> Endpoint:
    """A pseudo-terminal; a TCP port of this machine if `tcp` names one (0: any), or where no terminals can be made.

    Raises QnnError if the TCP port is taken.
    """
    if tcp is None and sys.platform != "win32":
        return Terminal()
    return TcpPort(tcp or 0)


def serve(
    board: Board, endpoint: Endpoint, stop: threading.Event, fault: Callable[[str], None], line: int = USB
) -> None:
    """Run the board for whoever is at the other end until `stop` is set; `fault` is told each fault once."""
    told = 0
    board.run()
    while not stop.is_set():
        for text in board.faults[told:]:
            fault(text)
        told = len(board.faults)
        said = board.receive(line)
        board.receive(1 - line)
        if said:
            endpoint.write(said)
        data = endpoint.read()
        board.send(line, data)
        if data or board.faults:  # a board that has trapped goes on telling it
            board.run()


class Terminal:
    """A pseudo-terminal in raw mode."""

    def __init__(self) -> None:
        import pty  # not on Windows
        import tty

        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)  # our own end of it stays open, so that programs may come and go
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)

    def read(self) -> bytes:
        """See Endpoint.read."""
        ready, _, _ = select.select([self._master], [], [], POLL_SECONDS)
        return os.read(self._master, READ_BYTES) if ready else b""

    def write(self, data: bytes) -> None:
        """See Endpoint.write."""
        while data:
            _, ready, _ = select.select([], [self._master], [], FULL_SECONDS)
            if not ready:
                return
            data = data[os.write(self._master, data) :]

    def close(self) -> None:
        """See Endpoint.close."""
        os.close(self._master)
        os.close(self._slave)


class TcpPort:
    """A TCP port of this machine, for one program at a time."""

    def __init__(self, port: int) -> None:
        try:
            self._server = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise QnnError(f"port {port}", f"cannot be used ({error.strerror})", "use another one") from None
        self._client: socket.socket | None = None
        self.port = f"{SOCKET}127.0.0.1:{self._server.getsockname()[1]}"

    def read(self) -> bytes:
        """See Endpoint.read."""
        if self._client is None:
            if select.select([self._server], [], [], POLL_SECONDS)[0]:
                self._client, _ = self._server.accept()
                self._client.settimeout(FULL_SECONDS)
            return b""
        if not select.select([self._client], [], [], POLL_SECONDS)[0]:
            return b""
        try:
            data = self._client.recv(READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._drop()
        return data

    def write(self, data: bytes) -> None:
        """See Endpoint.write."""
        if self._client is None:
            return
        try:
            self._client.sendall(data)
        except OSError:
            self._drop()

    def close(self) -> None:
        """See Endpoint.close."""
        self._drop()
        self._server.close()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None
