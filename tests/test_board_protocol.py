# SPDX-License-Identifier: MIT
"""The serial protocol: frames, retries, and a firmware that nothing on the line can bring down."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from boards import NoisyStream, board_of, built, firmware_of
from fuzz_board import fuzz
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import IMAGE, READINGS, samples_of

from qnn.board import protocol
from qnn.board.emulator import Board
from qnn.board.engine import BoardEngine
from qnn.board.firmware import Firmware
from qnn.board.link import Link, Request
from qnn.board.peripherals import UART, USB
from qnn.board.ports import BoardStream
from qnn.board.protocol import Frame, Splitter, cobs_decode, cobs_encode, decode, parse_hello
from qnn.engines.engine import CrashError
from qnn.errors import QnnError
from qnn.graphfile import load_graph
from qnn.simulator import simulate


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(IMAGE, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def firmware(build: Path) -> Firmware:
    return firmware_of(build)


def asked(firmware: Firmware, *data: bytes, line: int = UART) -> list[Frame | bytes]:
    """What a fresh board answers to `data`, its greeting aside."""
    board = board_of(firmware)
    board.run()
    board.receive(line)
    splitter = Splitter()
    answers: list[Frame | bytes] = []
    for piece in data:
        board.send(line, piece)
        board.run()
        answers += splitter.take(board.receive(line))
    assert board.faults == []
    return answers


def raw(content: bytes) -> bytes:
    """A frame of any content, with the right CRC."""
    return b"\0" + cobs_encode(content + struct.pack("<I", zlib.crc32(content))) + b"\0"


@given(st.binary(max_size=900) | st.binary(max_size=3).map(lambda data: data * 300))
@settings(max_examples=200)
def test_cobs_is_reversible_and_without_zeros(data: bytes) -> None:
    encoded = cobs_encode(data)
    assert 0 not in encoded
    assert cobs_decode(encoded) == data
    assert len(encoded) <= len(data) + len(data) // 254 + 1


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 508, 509, 1000])
@pytest.mark.parametrize("byte", [0, 1])
def test_the_firmware_speaks_the_same_cobs(size: int, byte: int, firmware: Firmware) -> None:
    body = bytes((byte,)) * size
    assert asked(firmware, Frame(protocol.ECHO, 9, 0, body).encoded()) == [Frame(0x85, 9, 0, body)]


@pytest.mark.parametrize("line", [UART, USB])
def test_hello_says_what_the_board_is(line: int, firmware: Firmware, build: Path) -> None:
    (answer,) = asked(firmware, Frame(protocol.HELLO, 1, 0, b"").encoded(), line=line)
    assert isinstance(answer, Frame)
    hello = parse_hello(answer.body)
    assert hello is not None
    assert (hello.name, hello.chip_name, hello.clock_hz) == (IMAGE.name, "ESP32-C3", 160_000_000)
    assert (hello.input_bytes, hello.output_bytes, hello.class_bytes) == (64, 20, 4)
    assert (hello.vectors, hello.self_test, hello.self_test_text) == (3, 0, "PASS (3)")
    assert hello.model_hash == firmware.model_hash
    assert 0 < hello.stack_used < hello.stack_bytes == firmware.stack_bytes
    assert hello.room == (112 if line == UART else 4096)


COMPLAINT = Frame(0xFF, 0, protocol.BAD_FRAME, b"")
ECHO = Frame(protocol.ECHO, 7, 0, b"hello, board")


@pytest.mark.parametrize(
    "bad",
    [
        ECHO.encoded()[:-4] + b"\0",
        ECHO.encoded()[:5] + b"\0",
        ECHO.encoded().replace(b"h", b"H"),
        b"\0" + bytes(range(1, 256)) + b"\0",
        raw(b""),
        raw(b"\1\5\7"),
        Frame(protocol.ECHO, 7, 0, bytes(1025)).encoded(),
        Frame(protocol.ECHO, 7, 0, bytes(100_000)).encoded(),
        b"x" * 70_000 + b"\0",
    ],
    ids=["cut", "short", "changed", "noise", "empty", "no header", "one too long", "far too long", "endless"],
)
def test_what_is_no_frame_is_complained_about_and_survived(bad: bytes, firmware: Firmware) -> None:
    assert asked(firmware, bad, ECHO.encoded()) == [COMPLAINT, Frame(0x85, 7, 0, b"hello, board")]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (bytes((2, protocol.HELLO, 3, 0)), 2),
        (bytes((1, 0x33, 3, 0)), 3),
        (bytes((1, protocol.HELLO, 3, 0, 0)), 4),
        (bytes((1, protocol.INFER, 3, 0)) + bytes(63), 4),
        (bytes((1, protocol.INFER, 3, 0)) + bytes(65), 4),
        (bytes((1, protocol.INFER, 3, protocol.VALUES)) + bytes(64), 5),
        (bytes((1, protocol.INFER, 3, protocol.QUANTIZED | protocol.CLASS)) + bytes(64), 5),
        (bytes((1, protocol.INFER, 3, 0x80)) + bytes(64), 5),
        (bytes((1, protocol.LAYER, 3, 0)) + bytes(71), 4),
        (bytes((1, protocol.LAYER, 3, 0, 99)) + bytes(71), 5),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else value[:4].hex(),
)
def test_requests_that_make_no_sense_get_a_status(content: bytes, status: int, firmware: Firmware) -> None:
    expected = Frame(content[1] | 0x80, 3, status, b"")
    assert asked(firmware, raw(content)) == [expected]


def test_a_layer_beyond_its_end_is_empty(firmware: Firmware) -> None:
    body = struct.pack("<II", 0, 1 << 31) + bytes(64)
    (answer,) = asked(firmware, Frame(protocol.LAYER, 3, 0, body).encoded())
    assert isinstance(answer, Frame)
    assert answer.body == struct.pack("<II", 16, 1 << 31)


def test_frames_may_come_byte_by_byte_and_back_to_back(firmware: Firmware) -> None:
    frames = [Frame(protocol.ECHO, i, 0, bytes(range(i))) for i in range(1, 6)]
    line = b"".join(frame.encoded() for frame in frames)
    expected = [Frame(0x85, frame.sequence, 0, frame.body) for frame in frames]
    assert asked(firmware, line) == expected
    assert asked(firmware, *(line[i : i + 1] for i in range(len(line)))) == expected


def test_both_lines_may_speak_at_once(firmware: Firmware) -> None:
    board = board_of(firmware)
    board.run()
    one, other = ECHO.encoded(), Frame(protocol.ECHO, 8, 0, bytes(99)).encoded()
    board.receive(UART), board.receive(USB)
    for start in range(0, 200, 5):
        board.send(UART, one[start : start + 5])
        board.send(USB, other[start : start + 5])
        board.run()
    assert list(Splitter().take(board.receive(UART))) == [Frame(0x85, 7, 0, ECHO.body)]
    assert list(Splitter().take(board.receive(USB))) == [Frame(0x85, 8, 0, bytes(99))]


@pytest.mark.parametrize("example", [IMAGE, READINGS], ids=lambda example: example.name)
def test_a_bad_line_changes_no_answer(
    example: object, tmp_path_factory: pytest.TempPathFactory, rng: np.random.Generator
) -> None:
    build = built(example, tmp_path_factory.mktemp("noisy"))  # type: ignore[arg-type]
    stream = NoisyStream(BoardStream(board_of(firmware_of(build))), rng, 0.0008)
    graph = load_graph(build / "model.qnn")
    x = samples_of(example, 150, 5)  # type: ignore[arg-type]
    engine = BoardEngine(build, graph, stream)
    engine.link._patience = 0.02
    expected = simulate(graph, x)
    for name, values in engine.run(x).items():
        np.testing.assert_array_equal(values, expected[name])
    assert stream.damaged > 5
    assert engine.link.repeated > 5


def test_requests_wait_within_the_boards_room(build: Path, firmware: Firmware) -> None:
    class Watched(BoardStream):
        def __init__(self, board: Board) -> None:
            super().__init__(board)
            self.sent: list[int] = []

        def write(self, data: bytes) -> None:
            self.sent.append(len(data))
            super().write(data)

        def read(self, seconds: float) -> bytes:
            if self.sent:
                outstanding.append(sum(self.sent[1:]))
                self.sent.clear()
            return super().read(seconds)

    outstanding: list[int] = []
    board = board_of(firmware)
    board.run()
    board.receive(UART)
    link = Link(Watched(board))
    link.hello()
    replies = list(link.exchange(Request(protocol.ECHO, 0, bytes((i,)) * 20, 20) for i in range(100)))
    assert [reply.body[0] for reply in replies] == list(range(100))
    assert 60 < max(outstanding) <= 112


class Silent:
    """A line without a board, or with something else on it."""

    name = "silent line"

    def __init__(self, says: bytes = b"") -> None:
        self.says = says

    def read(self, seconds: float) -> bytes:
        return self.says

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_board_that_does_not_answer_is_given_up() -> None:
    with pytest.raises(QnnError, match="does not answer, asked 8 times"):
        Link(Silent(), patience=0.001).hello()


def test_a_trap_that_the_board_tells_is_a_crash() -> None:
    with pytest.raises(CrashError, match=r"TRAP 5 .load fault. at 0x42010000"):
        Link(Silent(b"\nTRAP 5 (load fault) at 0x42010000, value 0x0\n\0"), patience=1).hello()


def test_another_model_on_the_board_is_told(firmware: Firmware, tmp_path: Path) -> None:
    other = built(READINGS, tmp_path)
    graph = load_graph(other / "model.qnn")
    with pytest.raises(QnnError, match=r"has the model image .*flash it"):
        BoardEngine(other, graph, BoardStream(board_of(firmware)))


def test_splitter_keeps_no_endless_text() -> None:
    splitter = Splitter()
    for _ in range(100):
        assert list(splitter.take(b"x" * 10_000)) == []
    assert len(splitter._pending) <= protocol.TEXT_LIMIT
    assert decode(b"\2\1\1\1") is None


def test_fuzz(firmware: Firmware, build: Path) -> None:
    """Random frames, damaged ones and noise; `python tests/fuzz_board.py 1000000` does more."""
    count = int(os.environ.get("QNN_FUZZ_FRAMES", "4000"))
    report = fuzz(build, firmware, count, seed=1)
    assert report.frames == count
    assert report.wrong == 0
    assert report.answered > count // 3
    assert report.complaints > count // 10
