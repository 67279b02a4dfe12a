# SPDX-License-Identifier: MIT
"""Random, damaged and lawful frames for a virtual board. Alone: python tests/fuzz_board.py FRAMES [SEED]."""

from __future__ import annotations

import struct
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from boards import board_of, built, firmware_of
from networks import Example

from qnn.board import protocol
from qnn.board.firmware import Firmware
from qnn.board.peripherals import UART
from qnn.board.protocol import Frame, Splitter, cobs_encode
from qnn.graphfile import load_graph
from qnn.simulator import simulate

BATCH = 64
KNOWN = 64
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
    inputs = [row.tobytes() for row in x]
    board, splitter, report = board_of(firmware), Splitter(), Report()
    board.run()
    board.receive(UART)
    while report.frames < count:
        batch = min(BATCH, count - report.frames)
        expected: list[tuple[int, int, bytes]] = []
        line = bytearray()
        for _ in range(batch):
            line += _piece(rng, inputs, outputs, expected)
        board.send(UART, bytes(line) + b"\0")
        board.run()  # raises if it hangs
        board.receive(1 - UART)
        _judge(report, list(splitter.take(board.receive(UART))), expected)
        report.frames += batch
    report.wrong += len(board.faults)
    return report


def _piece(
    rng: np.random.Generator, inputs: list[bytes], outputs: list[bytes], expected: list[tuple[int, int, bytes]]
) -> bytes:
    """Bytes for the line; what a lawful frame is to be answered is added to `expected`."""
    kind, sequence = int(rng.integers(0, 8)), int(rng.integers(1, 256))
    if kind <= 1:
        chosen = int(rng.integers(0, len(inputs)))
        expected.append((protocol.INFER | protocol.REPLY, sequence, outputs[chosen]))
        return Frame(protocol.INFER, sequence, 0, inputs[chosen]).encoded()
    body = rng.bytes(int(rng.integers(0, 24)))
    if kind <= 3:
        expected.append((protocol.ECHO | protocol.REPLY, sequence, body))
        return Frame(protocol.ECHO, sequence, 0, body).encoded()
    if kind == 4:  # the right CRC around anything
        content = bytes((1, int(rng.integers(0, 9)), sequence, int(rng.integers(0, 256)))) + body
        return b"\0" + cobs_encode(content + struct.pack("<I", zlib.crc32(content))) + b"\0"
    good = bytearray(Frame(protocol.ECHO, sequence, 0, body).encoded())
    if kind == 5:  # damaged
        for _ in range(int(rng.integers(1, 4))):
            good[int(rng.integers(1, len(good) - 1))] = int(rng.integers(1, 256))
        return bytes(good)
    if kind == 6:  # cut off, and perhaps glued to what follows
        return bytes(good[: int(rng.integers(0, len(good)))]) + (b"\0" if rng.integers(0, 2) else b"")
    return rng.bytes(int(rng.integers(1, 40)))


def _judge(report: Report, answers: list[Frame | bytes], expected: list[tuple[int, int, bytes]]) -> None:
    """Lawful requests must be answered in order; what else is answered must be a complaint or an error's status.

    A damaged frame that is lawful by chance is as good as none: its CRC would have to be right.
    """
    waiting = iter(expected)
    following = next(waiting, None)
    for answer in answers:
        if not isinstance(answer, Frame):
            report.wrong += 1
            continue
        report.complaints += answer.type == protocol.COMPLAINT | protocol.REPLY
        if following is not None and (answer.type, answer.sequence, _result(answer)) == following:
            report.answered += 1
            following = next(waiting, None)
    while following is not None:
        report.wrong += 1
        following = next(waiting, None)


def _result(answer: Frame) -> bytes:
    """The body without the cycle and instruction counts of an inference."""
    return answer.body[8:] if answer.type == protocol.INFER | protocol.REPLY else answer.body


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
