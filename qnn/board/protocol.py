# SPDX-License-Identifier: MIT
"""The bytes of the serial protocol (PROTOCOL.md): frames, requests and what the board says about itself."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

VERSION = 1
HELLO, INFER, LAYER, SELF_TEST, ECHO = 1, 2, 3, 4, 5
COMPLAINT, REPLY = 0x7F, 0x80
OK, BAD_FRAME = 0, 1
STATUS = (
    "done",
    "the frame was damaged",
    "the protocol's version is another one",
    "the request is unknown",
    "the request has the wrong size",
    "the request asks for what the model has not",
    "a function of the model failed",
    "the stack overflowed",
)
QUANTIZED, CLASS, PROBABILITIES, VALUES, INSTRUCTIONS = 1, 2, 4, 8, 16
HEADER_BYTES, CRC_BYTES = 4, 4
CHUNK_BYTES = 1024  # of a layer, in one reply
HELLO_WORDS = "<18I"
HASH_BYTES = 32
NO_SELF_TEST = 0xFFFFFFFF
CHIPS = {0xC3: "ESP32-C3"}
TEXT_LIMIT = 1 << 16  # bytes between two zero bytes that are kept
TOLD_LIMIT = 100  # characters of a line in an error message
TEXT = re.compile(rb"[\t\r\n\x1b -~]*")


@dataclass(frozen=True)
class Frame:
    """One message: its type, sequence number, flags (requests) or status (replies) and body."""

    type: int
    sequence: int
    mark: int
    body: bytes
    version: int = VERSION

    def encoded(self) -> bytes:
        """The bytes on the line, between zero bytes."""
        content = bytes((self.version, self.type, self.sequence, self.mark)) + self.body
        return b"\0" + cobs_encode(content + struct.pack("<I", zlib.crc32(content))) + b"\0"


@dataclass(frozen=True)
class Hello:
    """What a board says about itself; sizes are bytes, room is how much may wait on the line while it computes.

    self_test: 0 all right, n the n-th output value differs, NO_SELF_TEST without vectors.
    """

    model_hash: str
    name: str
    chip: int
    flags: int
    clock_hz: int
    input_bytes: int
    quantized_bytes: int
    output_bytes: int
    class_bytes: int
    probabilities_bytes: int
    value_bytes: int
    scratch_bytes: int
    nodes: int
    body_limit: int
    room: int
    stack_bytes: int
    stack_used: int
    vectors: int
    self_test: int
    spec_version: int

    @property
    def chip_name(self) -> str:
        """The chip, for people."""
        return CHIPS.get(self.chip, f"chip {self.chip:#x}")

    @property
    def self_test_text(self) -> str:
        """The self-test's result, for people."""
        if self.self_test == NO_SELF_TEST:
            return "none"
        return f"PASS ({self.vectors})" if self.self_test == 0 else f"FAIL at value {self.self_test - 1}"


def parse_hello(body: bytes) -> Hello | None:
    """The reply to HELLO; None if it is too short to be one."""
    words = struct.calcsize(HELLO_WORDS)
    if len(body) < words + HASH_BYTES:
        return None
    digest = body[words : words + HASH_BYTES].hex()
    name = body[words + HASH_BYTES :].decode("ascii", errors="replace")
    return Hello(digest, name, *struct.unpack_from(HELLO_WORDS, body))


def cobs_encode(data: bytes) -> bytes:
    """`data` without zero bytes: runs of up to 254 other bytes, each after its length plus one."""
    out = bytearray()
    for run in data.split(b"\0"):
        start = 0
        while len(run) - start >= 254:
            out += b"\xff" + run[start : start + 254]
            start += 254
        out += bytes((len(run) - start + 1,)) + run[start:]
    return bytes(out)


def cobs_decode(data: bytes) -> bytes | None:
    """What `cobs_encode` made `data` of; None if it cannot have."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        run = data[at + 1 : at + code]
        if code == 0 or len(run) != code - 1:
            return None
        out += run
        at += code
        if code != 255 and at < len(data):
            out.append(0)
    return bytes(out)


def decode(chunk: bytes) -> Frame | None:
    """The frame, of any version, in what came between two zero bytes; None if it is none."""
    content = cobs_decode(chunk)
    if content is None or len(content) < HEADER_BYTES + CRC_BYTES:
        return None
    if zlib.crc32(content[:-CRC_BYTES]) != int.from_bytes(content[-CRC_BYTES:], "little"):
        return None
    return Frame(content[1], content[2], content[3], content[HEADER_BYTES:-CRC_BYTES], content[0])


class Splitter:
    """Cuts what comes from a line into frames and other text, whatever the portions in which it comes."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._told = b""

    def take(self, data: bytes) -> Iterator[Frame | bytes]:
        """The frames, and the bytes between zero bytes that are no frame, which `data` completes."""
        self._pending += data
        *chunks, rest = bytes(self._pending).split(b"\0")
        self._pending = bytearray(rest[-TEXT_LIMIT:])
        for chunk in chunks:
            if chunk:
                frame = decode(chunk)
                self._told = chunk if frame is None else self._told
                yield frame or chunk

    def lines(self) -> list[str]:
        """The whole lines of text that have come without the zero byte that ends a text, as a boot ROM says them.

        They are not given again. What may be the beginning of a frame stays: its second byte, the version, is no text.
        """
        text, end, rest = bytes(self._pending).rpartition(b"\n")
        if not end or not TEXT.fullmatch(text):
            return []
        self._pending = bytearray(rest)
        self._told = text or self._told
        return text.decode("ascii").splitlines()

    def last_line(self) -> str:
        """The last line of text that has come, cut to what one line has room for; "" if there was none."""
        for chunk in (bytes(self._pending), self._told):
            lines = [line for line in re.split(rb"[\r\n]+", chunk) if line.strip() and TEXT.fullmatch(line)]
            if lines:
                return lines[-1][-TOLD_LIMIT:].decode("ascii").strip()
        return ""
