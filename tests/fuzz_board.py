# SPDX-License-Identifier: MIT
"""Random, damaged and lawful frames for a virtual board. Alone: python tests/fuzz_board.py FRAMES [SEED]."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from boards import board_of, built, firmware_of
from networks import Example

from qnn.board import protocol
from qnn.board.firmware import Firmware
from qnn.board.peripherals import UART
from qnn.board.protocol import Frame, Splitter
from qnn.graphfile import load_graph
from qnn.simulator import simulate

BATCH = 64
KNOWN = 64
COMPLAINT = Frame(protocol.COMPLAINT | protocol.REPLY, 0, protocol.BAD_FRAME, b"")
SMALL = Example("small", "dense 6 relu, dense 4")


@dataclass
class Report:
    """What a fuzz found: frames sent, lawful ones answered, complaints heard, wrong or missing answers."""

    frames: int = 0
    answered: int = 0
    complaints: int = 0
    wrong: int = 0


def fuzz(build: Path, firmware: Firmware, count: int, seed: int) -> Report:
    """Send `count` frames; each lawful one must get its right answer, after whatever came before it."""
    rng = np.random.default_rng(seed)
    graph = load_graph(build / "model.qnn")
    x = rng.integers(0, 256, (KNOWN, *graph.input.shape), np.uint8)
    outputs = [row.tobytes() for row in simulate(graph, x)[graph.output].astype("<i2")]
    inputs = tuple(row.tobytes() for row in x)
    model = Model(inputs, dict(zip(inputs, outputs, strict=True)), len(graph.body))
    board, splitter, report = board_of(firmware), Splitter(), Report()
    board.run()
    board.receive(UART)
    while report.frames < count:
        batch = min(BATCH, count - report.frames)
        expected: list[Frame] = []
        line = bytearray()
        for _ in range(batch):
            line += _piece(rng, model, expected)
        board.send(UART, bytes(line) + b"\0")
        board.run()  # raises if it hangs
        board.receive(1 - UART)
        _judge(report, list(splitter.take(board.receive(UART))), expected)
        report.frames += batch
    report.wrong += len(board.faults)
    return report


def _piece(rng: np.random.Generator, model: Model, expected: list[Frame]) -> bytes:
    """Bytes for the line; what lawful frames in them are to be answered is added to `expected`."""
    kind, sequence = int(rng.integers(0, 8)), int(rng.integers(1, 256))
    if kind <= 1:
        frame = Frame(protocol.INFER, sequence, 0, model.inputs[int(rng.integers(0, len(model.inputs)))])
        expected.append(model.answer(frame))
        return frame.encoded()
    body = rng.bytes(int(rng.integers(0, 24)))
    if kind <= 4:  # any request at all, most of them wrong in some way; 4: an echo
        type_, mark, version = (int(rng.integers(0, high)) for high in (9, 256, 3))
        frame = Frame(protocol.ECHO, sequence, 0, body) if kind == 4 else Frame(type_, sequence, mark, body, version)
        expected.append(model.answer(frame))
        return frame.encoded()
    frame = Frame(protocol.ECHO, sequence, 0, body)
    good = frame.encoded()
    if kind == 5:  # damaged, or by chance not
        damaged = bytearray(good)
        for _ in range(int(rng.integers(1, 4))):
            damaged[int(rng.integers(1, len(good) - 1))] = int(rng.integers(1, 256))
        if damaged == good:
            expected.append(model.answer(frame))
        return bytes(damaged)
    if kind == 6:  # cut off, and perhaps glued to what follows
        return good[: int(rng.integers(0, len(good) - 1))] + (b"\0" if rng.integers(0, 2) else b"")
    return rng.bytes(int(rng.integers(1, 40)))


@dataclass(frozen=True)
class Model:
    """What is on the board: lawful inputs (raw bytes), the output of each, how many nodes."""

    inputs: tuple[bytes, ...]
    outputs: dict[bytes, bytes]
    nodes: int

    def answer(self, request: Frame) -> Frame:
        """What PROTOCOL.md says of a request, without counts and without what other inputs than the known ones give."""
        status, body = self._answer(request)
        return Frame(request.type & 0xFF | protocol.REPLY, request.sequence, status, body)

    def _answer(self, request: Frame) -> tuple[int, bytes]:
        size = len(self.inputs[0])
        if request.version != protocol.VERSION:
            return 2, b""
        if request.type == protocol.INFER:
            quantized, heads = request.mark & protocol.QUANTIZED, protocol.CLASS | protocol.PROBABILITIES
            if request.mark & ~(protocol.QUANTIZED | protocol.INSTRUCTIONS | heads) or (
                quantized and request.mark & heads
            ):
                return 5, b""
            return (4, b"") if len(request.body) != size else (0, self.outputs.get(request.body, b""))
        if request.type == protocol.LAYER:
            if len(request.body) != 8 + size:
                return 4, b""
            return (5 if int.from_bytes(request.body[:4], "little") >= self.nodes else 0), b""
        if request.type == protocol.ECHO:
            return 0, request.body
        if request.type not in (protocol.HELLO, protocol.SELF_TEST):
            return 3, b""
        return (4, b"") if request.body else (0, b"")


def _judge(report: Report, answers: list[Frame | bytes], expected: list[Frame]) -> None:
    """What lawful frames are answered must be there, in order, and nothing else but complaints.

    A damaged frame that is lawful by chance is as good as none: its CRC would have to be right.
    """
    waiting = iter(expected)
    for answer in answers:
        if answer == COMPLAINT:
            report.complaints += 1
            continue
        wanted = next(waiting, None)
        right = isinstance(answer, Frame) and wanted is not None and _result(answer, wanted) == wanted
        report.answered += right
        report.wrong += not right
    report.wrong += sum(1 for _ in waiting)


def _result(answer: Frame, wanted: Frame) -> Frame:
    """The answer without its counts, and without what depends on an input whose output is not known."""
    if answer.mark or answer.type not in (0x81, 0x82, 0x83, 0x84):
        return answer
    shown = len(wanted.body) if answer.type == protocol.INFER | protocol.REPLY else 0
    body = answer.body[8 : 8 + shown]
    return Frame(answer.type, answer.sequence, answer.mark, body)


def main() -> int:
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory(prefix="qnn-") as folder:
        build = built(SMALL, Path(folder))
        started = time.monotonic()
        report = fuzz(build, firmware_of(build), count, seed)
    print(f"{report} in {time.monotonic() - started:.0f} s")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
