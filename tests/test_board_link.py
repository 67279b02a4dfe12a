# SPDX-License-Identifier: MIT
"""The host's end of the line with boards that are slow, silent, wrong or gone; time is what the test says."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from boards import board_of, built, firmware_of
from networks import IMAGE, samples_of

from qnn.board import link, ports, protocol
from qnn.board.engine import BoardEngine
from qnn.board.link import Link, Request
from qnn.board.ports import BoardStream, SerialStream, SocketStream
from qnn.board.protocol import Frame, Splitter
from qnn.engines.engine import CrashError
from qnn.errors import QnnError
from qnn.graphfile import load_graph


class Clock:
    """Stands in for the module time."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def monotonic_ns(self) -> int:
        return int(self.now * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(link, "time", found)
    return found


class SlowBoard:
    """Echoes each request after `seconds` of work, one after the other, but loses those whose number is in `lost`."""

    name = "slow board"

    def __init__(self, clock: Clock, seconds: float, lost: tuple[int, ...] = ()) -> None:
        self.clock, self.seconds, self.lost = clock, seconds, lost
        self.splitter = Splitter()
        self.due: deque[tuple[float, Frame]] = deque()
        self.asked = 0

    def write(self, data: bytes) -> None:
        for frame in self.splitter.take(data):
            assert isinstance(frame, Frame)
            self.asked += 1
            start = max(self.clock.now, self.due[-1][0] if self.due else 0.0)
            if self.asked not in self.lost:
                reply = Frame(frame.type | protocol.REPLY, frame.sequence, protocol.OK, self.body(frame))
                self.due.append((start + self.seconds, reply))

    def body(self, frame: Frame) -> bytes:
        return frame.body

    def read(self, seconds: float) -> bytes:
        if self.due and self.due[0][0] <= self.clock.now + seconds:
            at, reply = self.due.popleft()
            self.clock.now = max(self.clock.now, at)
            return reply.encoded()
        self.clock.now += seconds
        return b""

    def close(self) -> None:
        pass


def echoes(count: int) -> list[Request]:
    return [Request(protocol.ECHO, 0, bytes((i,)) * 20, 20) for i in range(count)]


@pytest.mark.parametrize("seconds", [0.01, 2.0, 13.0, 25.0])
@pytest.mark.parametrize("room", [0, 112])
def test_a_model_that_computes_for_long_is_waited_for(seconds: float, room: int, clock: Clock) -> None:
    board = SlowBoard(clock, seconds)
    line = Link(board)
    line._room = room
    replies = [reply.body[0] for reply in line.exchange(echoes(60))]
    assert replies == list(range(60))
    assert board.asked <= 60 + (0 if seconds < 3 else 40)  # it learns how slow the board is


def test_a_lost_request_is_sent_again_and_makes_nobody_slow(clock: Clock) -> None:
    board = SlowBoard(clock, 0.01, lost=(3, 9, 20))
    line = Link(board)
    assert [reply.body[0] for reply in line.exchange(echoes(40))] == list(range(40))
    assert board.asked == 43
    assert line._patience == link.PATIENCE_SECONDS
    assert clock.now < 100 + 3 * link.PATIENCE_SECONDS + 1


class Saying(SlowBoard):
    """Says the same forever, however often it is asked."""

    def __init__(self, clock: Clock, says: bytes) -> None:
        super().__init__(clock, 0.0)
        self.says = says

    def write(self, data: bytes) -> None:
        self.asked += 1

    def read(self, seconds: float) -> bytes:
        self.clock.now += 0.01
        return self.says


def test_a_line_full_of_something_else_is_given_up(clock: Clock) -> None:
    """As a chip without a program: its ROM complains in a loop."""
    board = Saying(clock, b"invalid header: 0xffffffff\r\n")
    with pytest.raises(QnnError, match="asked 8 times; it says: invalid header: 0xffffffff; check the port"):
        Link(board).hello()
    assert board.asked == 8
    assert clock.now < 111


def test_another_version_of_the_protocol_is_told(clock: Clock) -> None:
    board = Saying(clock, Frame(0x81, 1, protocol.OK, bytes(104), version=2).encoded())
    with pytest.raises(QnnError, match="speaks version 2 of the protocol, not 1; flash the firmware"):
        Link(board).hello()


class Short(SlowBoard):
    """Leaves out the ends of its replies."""

    def body(self, frame: Frame) -> bytes:
        return b"\0" * 5


def test_replies_that_are_too_short_are_told(clock: Clock, tmp_path: Path) -> None:
    short = Short(clock, 0.0)
    for ask in (Link(short).hello, Link(short).self_test):
        with pytest.raises(QnnError, match="answers"):
            ask()
    build = built(IMAGE, tmp_path)
    graph = load_graph(build / "model.qnn")
    engine = BoardEngine(build, graph, BoardStream(board_of(firmware_of(build))))
    engine.link.stream = short
    for run in (engine.run, engine.trace, engine.measure):
        with pytest.raises(QnnError, match="sends 5 bytes where"):
            run(samples_of(IMAGE, 1))


def test_replies_to_another_program_match_nothing(clock: Clock) -> None:
    """What a killed run left unread comes first, under the numbers that it used."""
    numbers = set()
    for start in (100.0, 200.000123, 300.000017):
        clock.now = start
        numbers.add(Link(SlowBoard(clock, 0.0))._sequence)
    assert len(numbers) == 3


def test_a_board_that_traps_at_once_is_one_line(tmp_path: Path, clock: Clock) -> None:
    build = built(IMAGE, tmp_path)
    board = Saying(clock, b"\nTRAP 5 (load fault) at 0x42010000, value 0x0, stack 0x0\n\0")
    with pytest.raises(QnnError, match=r"the board tells: TRAP 5 .*; press RESET"):
        BoardEngine(build, load_graph(build / "model.qnn"), board)


def test_a_boot_roms_text_is_told_line_by_line() -> None:
    splitter = Splitter()
    frame = Frame(protocol.ECHO | protocol.REPLY, 10, 0, b"text\ntext\n")
    assert list(splitter.take(b"ESP-ROM:esp32c3\r\ninvalid hea")) == []
    assert splitter.lines() == ["ESP-ROM:esp32c3"]
    assert splitter.lines() == []
    assert list(splitter.take(b"der\r\n" + frame.encoded()[:-4])) == [b"invalid header\r\n"]
    assert splitter.lines() == []
    assert list(splitter.take(frame.encoded()[-4:])) == [frame]
    assert splitter.last_line() == "invalid header"


class Port:
    """Stands in for a pyserial port that fails in the ways of a list."""

    def __init__(self, failures: list[Exception]) -> None:
        self.failures, self.written = failures, bytearray()
        self.in_waiting = self.timeout = 0
        self.most = 0

    def write(self, data: bytes) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.most = max(self.most, len(data))
        self.written += data

    def read(self, _size: int) -> bytes:
        if self.failures:
            raise self.failures.pop(0)
        return b"x"

    def close(self) -> None:
        pass


def test_a_serial_port_that_goes_away_is_reopened(monkeypatch: pytest.MonkeyPatch) -> None:
    serial = pytest.importorskip("serial")
    monkeypatch.setattr(ports, "REOPEN_PAUSE", 0.0)
    gone = serial.SerialException("device disconnected")
    opened: list[Port | Exception] = [Port([gone]), gone, Port([gone]), Port([serial.SerialTimeoutException("full")])]

    def open_(*_: object, **__: object) -> Port:
        found = opened.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(serial, "serial_for_url", open_)
    stream = SerialStream("PORT")
    assert stream.read(0.1) == b""
    stream.write(b"lost with the port")
    assert opened == []
    stream.write(b"not taken in time")  # the port stays
    stream.write(bytes(10_000))
    assert len(stream._line.written) == 10_000
    assert stream._line.most == ports.WRITE_BYTES
    assert stream.read(0.1) == b"xx"
    monkeypatch.setattr(ports, "REOPEN_SECONDS", 0.0)
    opened += [gone, gone]
    stream._line.failures.append(gone)
    with pytest.raises(QnnError, match="PORT: is gone; plug the board in again"):
        stream.read(0.1)


def test_a_dropped_connection_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server hangs up after every few requests; the run goes on where it was."""
    monkeypatch.setattr(ports, "REOPEN_PAUSE", 0.01)
    build = built(IMAGE, tmp_path)
    graph, board = load_graph(build / "model.qnn"), board_of(firmware_of(build))
    server = socket.create_server(("127.0.0.1", 0))
    drops = []

    def serve() -> None:
        for drop in range(4):
            client, _ = server.accept()
            for _ in range(12 if drop < 3 else 1000):
                data = client.recv(4096)
                if not data:
                    break
                board.send(0, data)
                board.run()
                client.sendall(board.receive(0))
            client.close()
            drops.append(drop)
        server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    engine = BoardEngine(build, graph, SocketStream(f"socket://127.0.0.1:{server.getsockname()[1]}"))
    engine.link._patience = 0.05
    x = samples_of(IMAGE, 60, 3)
    found = engine.run(x)[graph.output]
    engine.close()
    thread.join()
    np.testing.assert_array_equal(
        found, BoardEngine(build, graph, BoardStream(board_of(firmware_of(build)))).run(x)[graph.output]
    )
    assert drops == [0, 1, 2, 3]


def test_a_reset_between_hello_and_the_run_is_no_crash(clock: Clock) -> None:
    line = Link(SlowBoard(clock, 0.0))
    with pytest.raises(CrashError):
        line._told(b"TRAP 7 (store fault) at 0x0")
    assert line._told(b"\nqnn image on ESP32-C3\nclock 160000 kHz\n")
    assert not line._told(struct.pack("<I", 1))
