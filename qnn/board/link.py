# SPDX-License-Identifier: MIT
"""The host's end of the line: requests are sent back to back as far as the board has room, and again if they get lost.

Every request can be repeated without harm, since none changes what a later one gives.
"""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from qnn.board import protocol
from qnn.board.protocol import Frame, Hello, Splitter, parse_hello
from qnn.engines.engine import CrashError
from qnn.errors import QnnError

WINDOW = 16  # requests under way, at most
REPLY_ROOM = 2048  # bytes of replies that may wait at this end
PATIENCE_SECONDS = 3.0
HELLO_SECONDS = 0.5
TRIES = 8
MORE_PATIENCE = 1.25  # with each try: a board that is slow or starts is not asked faster than it answers
MOST_PATIENCE = 120.0
BANNER = re.compile(r"qnn (\w+) on ESP32-C3")
TRAP = re.compile(r"TRAP \d+ [^\n]*")
SELF_TEST_BYTES = 8
FLASH_IT = "flash the firmware of this version of qnn"
REMEDY = "check the port and the cable, press RESET, and see qnn doctor"


class Stream(Protocol):
    """A line of bytes to a board."""

    @property
    def name(self) -> str:
        """The port, for messages."""

    def read(self, seconds: float) -> bytes:
        """What has come, at once if there is something, else after at most `seconds` (then perhaps nothing)."""

    def write(self, data: bytes) -> None:
        """Send `data`."""

    def close(self) -> None:
        """Leave the port to others."""


@dataclass(frozen=True)
class Request:
    """What to ask: type, flags, body, and how long a reply's body is at most."""

    type: int
    mark: int = 0
    body: bytes = b""
    reply_bytes: int = 0


@dataclass
class _Sent:
    """A request under way: its frame's number and bytes, how often it was sent, when last; the reply, once there."""

    request: Request
    sequence: int
    data: bytes
    tries: int = 0
    at: float = 0.0
    reply: Frame | None = field(default=None)


class Link:
    """A connection to a board. text: is told what the board says beside frames, such as its greeting.

    Every method raises QnnError if the board does not answer, and CrashError if it tells of a trap.
    """

    def __init__(
        self, stream: Stream, text: Callable[[str], None] | None = None, patience: float = PATIENCE_SECONDS
    ) -> None:
        self.stream = stream
        self.repeated = 0
        self._text = text or (lambda _: None)
        self._patience = patience
        self._splitter = Splitter()
        self._sequence = time.monotonic_ns() // 1000 % 255  # replies to whoever asked before match no request
        self._room = 0
        self._heard = 0.0  # when the board answered last
        self._hurried: Counter[int] = Counter()  # how often a number was sent again because the board was silent

    def hello(self) -> Hello:
        """What the board says about itself. Raises QnnError if it is no qnn board."""
        patience, self._patience = self._patience, min(self._patience, HELLO_SECONDS)
        try:
            (reply,) = self.exchange([Request(protocol.HELLO)])
        finally:
            self._patience = patience
            self._hurried.clear()  # a board that starts was silent for another reason
        found = parse_hello(reply.body)
        if found is None:
            raise QnnError(self.stream.name, "answers, but not as a board of qnn", "flash it: qnn flash")
        self._room = found.room
        return found

    def echo(self, body: bytes) -> bytes:
        """What comes back of `body`."""
        (reply,) = self.exchange([Request(protocol.ECHO, 0, body, len(body))])
        return reply.body

    def self_test(self) -> tuple[int, int]:
        """How many vectors the board has, and the result (see Hello.self_test) of running them now."""
        (reply,) = self.exchange([Request(protocol.SELF_TEST)])
        if len(reply.body) != SELF_TEST_BYTES:
            raise QnnError(self.stream.name, f"answers the self-test with {len(reply.body)} bytes", FLASH_IT)
        return int.from_bytes(reply.body[:4], "little"), int.from_bytes(reply.body[4:8], "little")

    def ask(self, request: Request) -> Frame:
        """The reply to one request, whatever its status."""
        (reply,) = self._replies([request])
        return reply

    def exchange(self, requests: Iterable[Request]) -> Iterator[Frame]:
        """The replies, in the order of the requests. Raises QnnError if a reply tells of an error."""
        for reply in self._replies(requests):
            yield self._checked(reply)

    def _replies(self, requests: Iterable[Request]) -> Iterator[Frame]:
        coming = iter(requests)
        waiting: deque[_Sent] = deque()
        following = next(coming, None)
        while following is not None or waiting:
            while following is not None and self._fits(waiting, following):
                waiting.append(self._prepare(following))
                self._send(waiting[-1])
                following = next(coming, None)
            self._listen(waiting)
            while waiting and waiting[0].reply is not None:
                yield waiting.popleft().reply  # type: ignore[misc]

    def close(self) -> None:
        """Leave the port to others."""
        self.stream.close()

    def _prepare(self, request: Request) -> _Sent:
        self._sequence = self._sequence % 255 + 1  # 0 is for the board's complaints
        return _Sent(request, self._sequence, Frame(request.type, self._sequence, request.mark, request.body).encoded())

    def _fits(self, waiting: deque[_Sent], request: Request) -> bool:
        """May `request` be sent now? Behind the first one, what is under way has to wait within the board's room."""
        if not waiting:
            return True
        # A body's frame is at most this long; all but the first wait.
        size = len(request.body) + len(request.body) // 254 + 16
        behind = sum(len(sent.data) for sent in list(waiting)[1:]) + size
        replies = sum(sent.request.reply_bytes + 16 for sent in waiting) + request.reply_bytes
        return len(waiting) < WINDOW and behind <= self._room and replies <= REPLY_ROOM

    def _send(self, sent: _Sent) -> None:
        if sent.tries >= TRIES:
            said = self._splitter.last_line()
            problem = f"does not answer, asked {TRIES} times" + (f"; it says: {said}" if said else "")
            raise QnnError(self.stream.name, problem, REMEDY)
        self.repeated += 1 if sent.tries else 0
        sent.tries += 1
        self.stream.write(sent.data)  # which may take long itself
        sent.at = time.monotonic()

    def _listen(self, waiting: deque[_Sent]) -> None:
        """Take what comes; send again what is lost."""
        oldest = next(sent for sent in waiting if sent.reply is None)
        patience = self._patience * MORE_PATIENCE ** (oldest.tries - 1)
        late = max(oldest.at, self._heard) + patience  # what waits behind others has its time from their replies on
        data = self.stream.read(max(0.0, late - time.monotonic()))
        for item in self._splitter.take(data):
            if isinstance(item, bytes):
                if self._told(item):
                    self._repeat(waiting)
            else:
                self._answered(item, waiting)
        if oldest.reply is None and time.monotonic() >= max(oldest.at, self._heard) + patience:
            self._hurried[oldest.sequence] += 1
            self._repeat([oldest])

    def _answered(self, frame: Frame, waiting: deque[_Sent]) -> None:
        """Match a frame with its request; the board answers in order, so what stands before and waits is lost."""
        if frame.version != protocol.VERSION:
            problem = f"speaks version {frame.version} of the protocol, not {protocol.VERSION}"
            raise QnnError(self.stream.name, problem, FLASH_IT)
        self._heard = time.monotonic()
        open_ones = [sent for sent in waiting if sent.reply is None]
        if frame.type == protocol.COMPLAINT | protocol.REPLY:
            self._repeat(open_ones[:1])
            return
        for index, sent in enumerate(open_ones):
            if (frame.type, frame.sequence) == (sent.request.type | protocol.REPLY, sent.sequence):
                sent.reply = frame
                self._repeat([earlier for earlier in open_ones[:index] if earlier.at <= sent.at])
                return
        if self._hurried[frame.sequence]:  # it was not lost: the model computes for longer than was waited
            self._hurried[frame.sequence] -= 1
            self._patience = min(2 * self._patience, MOST_PATIENCE)
            for sent in open_ones:
                sent.tries = 1

    def _repeat(self, lost: Iterable[_Sent]) -> None:
        for sent in list(lost):
            if sent.reply is None:
                self._send(sent)

    def _told(self, chunk: bytes) -> bool:
        """Pass a text on; whether it shows that the board has started anew."""
        text = chunk.decode("ascii", errors="replace")
        self._text(text)
        trap = TRAP.search(text)
        if trap:
            raise CrashError(f"the board tells: {trap.group()}")
        return BANNER.search(text) is not None

    def _checked(self, reply: Frame) -> Frame:
        if reply.mark == protocol.OK:
            return reply
        known = protocol.STATUS
        problem = known[reply.mark] if reply.mark < len(known) else f"status {reply.mark}"
        if reply.mark >= known.index("a function of the model failed"):
            raise CrashError(problem)
        raise QnnError(self.stream.name, f"refuses a request: {problem}", FLASH_IT)
