# SPDX-License-Identifier: MIT
"""A stand-in for the serial boot loader in an ESP32-C3's ROM, as far as esptool needs it to write a flash.

It follows Espressif's published serial protocol (docs.espressif.com/projects/esptool, "Serial Protocol"): SLIP packets
of a direction, an operation, a size, a checksum or value, and data. esptool's stub is taken and said to run.
"""

from __future__ import annotations

import hashlib
import os
import select
import struct
import threading
import zlib
from collections.abc import Iterator

from qnn.board.emulator import Board
from qnn.board.peripherals import UART

SYNC, READ_REG, MEM_END, FLASH_DEFL_BEGIN, FLASH_DEFL_DATA, SPI_FLASH_MD5 = 0x08, 0x0A, 0x06, 0x10, 0x11, 0x13
FLASH_BEGIN, FLASH_DATA = 0x02, 0x03
GET_SECURITY_INFO = 0x14
EFUSE_PACKAGE, SPI_FLASH_ID = 0x60008850, 0x60002058
END, ESCAPE = b"\xc0", b"\xdb"


class FakeChip:
    """A chip on a pseudo-terminal, whose flash has 2 ** size_log2 bytes.

    chip_id: 5 is the ESP32-C3. package: how it is sold, 1 as ESP8685. rotten: what is written does not stay.
    silent: it never answers. Once the flash is written and somebody sends a frame of qnn's, what is in the flash runs.
    """

    def __init__(
        self, chip_id: int = 5, size_log2: int = 22, package: int = 0, rotten: bool = False, silent: bool = False
    ) -> None:
        import pty  # not on Windows
        import tty

        self.chip_id, self.size_log2, self.package, self.rotten, self.silent = (
            chip_id,
            size_log2,
            package,
            rotten,
            silent,
        )
        self.flash = bytearray(b"\xff") * (1 << size_log2)
        self._stub = False
        self._board: Board | None = None
        self._writing: tuple[int, bytearray] = (0, bytearray())
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> FakeChip:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)

    def _serve(self) -> None:
        pending = b""
        while not self._stop.is_set():
            if not select.select([self._master], [], [], 0.05)[0]:
                continue
            data = os.read(self._master, 65536)
            if self._board or (data.startswith(b"\0") and not pending):
                self._run(data)
                continue
            *packets, pending = (pending + data).split(END)
            for packet in packets:
                content = packet.replace(ESCAPE + b"\xdc", END).replace(ESCAPE + b"\xdd", ESCAPE)
                if len(content) >= 8 and content[0] == 0 and not self.silent:
                    for answer in self._answers(content[1], content[8:]):
                        self._send(answer)

    def _run(self, data: bytes) -> None:
        """Give `data` to the program in the flash."""
        if self._board is None:
            self._board = Board(bytes(self.flash))
            self._board.run()
        self._board.send(UART, data)
        self._board.run()
        self._put(self._board.receive(UART))

    def _send(self, content: bytes) -> None:
        self._put(END + content.replace(ESCAPE, ESCAPE + b"\xdd").replace(END, ESCAPE + b"\xdc") + END)

    def _put(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._master, data) :]

    def _answers(self, operation: int, data: bytes) -> Iterator[bytes]:
        """The packets that answer one: all have the status "no error" behind their data."""

        def packet(value: int = 0, body: bytes = b"") -> bytes:
            status = b"\0\0" if self._stub else b"\0\0\0\0"
            return struct.pack("<BBHI", 1, operation, len(body) + len(status), value) + body + status

        if operation == SYNC:
            self._stub = False
            yield from [packet(0x20120707)] * 8
        elif operation == READ_REG:
            yield packet(self._register(*struct.unpack("<I", data)))
        elif operation == GET_SECURITY_INFO:
            yield packet(0, struct.pack("<I8xII", 0, self.chip_id, 0))
        elif operation == MEM_END:
            yield packet()
            self._stub = True
            yield b"OHAI"
        elif operation == SPI_FLASH_MD5:
            start, size = struct.unpack_from("<II", data)
            yield packet(0, hashlib.md5(self.flash[start : start + size]).digest())
        else:
            self._write(operation, data)
            yield packet()

    def _register(self, address: int) -> int:
        if address == EFUSE_PACKAGE:
            return self.package << 21
        return self.size_log2 << 16 | 0x40EF if address == SPI_FLASH_ID else 0

    def _write(self, operation: int, data: bytes) -> None:
        if operation == FLASH_DEFL_BEGIN:
            self._writing = (struct.unpack_from("<4I", data)[3], bytearray())
        elif operation == FLASH_DEFL_DATA and not self.rotten:
            start, packed = self._writing
            packed += data[16:]
            content = zlib.decompressobj().decompress(bytes(packed))
            self.flash[start : start + len(content)] = content
        elif operation == FLASH_BEGIN:
            self._writing = (struct.unpack_from("<4I", data)[3], bytearray())
        elif operation == FLASH_DATA and not self.rotten:
            start, plain = self._writing
            plain += data[16:]
            self.flash[start : start + len(plain)] = plain
