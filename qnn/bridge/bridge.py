# SPDX-License-Identifier: MIT
"""The board as several pages see it: one request at a time, lost and found again, what happens told to everybody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from qnn.board import protocol
from qnn.board.emulator import Board
from qnn.board.link import BANNER, Link, Request, Stream
from qnn.board.protocol import Hello
from qnn.engines.engine import CrashError
from qnn.errors import QnnError

READY, LOST, NONE = "ready", "lost", "none"
NO_BOARD = 64  # a status of the bridge's own, see PROTOCOL.md 6
ALLOWED = (protocol.HELLO, protocol.INFER, protocol.LAYER, protocol.SELF_TEST)
UNKNOWN_TYPE, WRONG_SIZE, WRONG_VERSION = 3, 4, 2
PATIENCE_SECONDS = 1.0
REPLY_ROOM = 4096


@dataclass(frozen=True)
class State:
    """What pages are told: the board's state, a line for people, and what happened last."""

    state: str
    text: str
    event: str = ""


class Malformed(ValueError):  # noqa: N818
    """A message that no page of ours sends."""


class Bridge:
    """A board that `connect` leads to; `told` is given each new State. Every method may be called from any thread.

    board: the virtual board, where it is one, which can then be reset.
    """

    def __init__(
        self, connect: Callable[[], Stream] | None, told: Callable[[State], None], board: Board | None = None
    ) -> None:
        self._connect, self._told, self._board = connect, told, board
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._hello: Hello | None = None
        text = "waiting for the board" if connect else "no board: start qnn serve with --port or --emulate"
        self.state = State(LOST if connect else NONE, text)

    def ask(self, message: bytes) -> bytes:
        """The reply to a page's message (PROTOCOL.md 6). Raises Malformed if it is none."""
        if len(message) < protocol.HEADER_BYTES:
            raise Malformed("a message has at least four bytes")
        version, kind, sequence, flags = message[: protocol.HEADER_BYTES]
        body = message[protocol.HEADER_BYTES :]
        status, answer = WRONG_VERSION, b""
        if version == protocol.VERSION:
            status, answer = self._answer(kind, flags, body)
        return bytes((protocol.VERSION, (kind | protocol.REPLY) & 0xFF, sequence, status)) + answer

    def beat(self) -> None:
        """Look after the board, unless it is being asked anyway: connect to it, or ask whether it is still there."""
        if self._connect is None or not self._lock.acquire(blocking=False):
            return
        try:
            if self._link is None:
                self._link = Link(self._connect(), self._heard, PATIENCE_SECONDS)
            hello = self._link.hello()
            if hello.model_hash != (self._hello.model_hash if self._hello else "") or self.state.state != READY:
                self._tell(State(READY, f"{hello.name} on {hello.chip_name}"))
            self._hello = hello
        except (QnnError, CrashError, OSError) as error:
            self._lose(error)
        finally:
            self._lock.release()

    def reset(self) -> None:
        """Reset the virtual board; nothing if it is a real one."""
        if self._board is None:
            return
        with self._lock:
            self._board.reset()
            self._tell(replace(self.state, event="the board was reset"))

    def close(self) -> None:
        """Leave the port to others."""
        with self._lock:
            if self._link is not None:
                self._link.close()
                self._link = None

    def document(self) -> dict[str, Any]:
        """The state as pages are told it."""
        return {
            "state": self.state.state,
            "text": self.state.text,
            "event": self.state.event,
            "resettable": self._board is not None,
        }

    def _answer(self, kind: int, flags: int, body: bytes) -> tuple[int, bytes]:
        if kind not in ALLOWED:
            return UNKNOWN_TYPE, b""
        if self.state.state != READY:  # the lock may be held for long by who looks for the board
            return NO_BOARD, b""
        with self._lock:
            if self._link is None or self._hello is None:
                return NO_BOARD, b""
            if len(body) > self._hello.body_limit:
                return WRONG_SIZE, b""
            try:
                reply = self._link.ask(Request(kind, flags, body, REPLY_ROOM))
            except (QnnError, CrashError, OSError) as error:
                self._lose(error)
                return NO_BOARD, b""
            return reply.mark, reply.body

    def _lose(self, error: Exception) -> None:
        if self._link is not None:
            self._link.close()
        self._link = self._hello = None
        problem = f"{error.subject}: {error.problem}" if isinstance(error, QnnError) else str(error)
        lost = State(LOST, f"{problem}; waiting for it")
        if (lost.state, lost.text) != (self.state.state, self.state.text):
            self._tell(lost)

    def _heard(self, text: str) -> None:
        """What the board says beside frames: its greeting means that it has started anew."""
        if BANNER.search(text):
            self._tell(replace(self.state, event="the board has started anew"))

    def _tell(self, state: State) -> None:
        self.state = state
        self._told(state)
