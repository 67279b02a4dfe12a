# SPDX-License-Identifier: MIT
"""The server: one page and one WebSocket, by the websockets library, a thread for each page."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from websockets.datastructures import Headers, MultipleValuesError
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from qnn.bridge.access import Access
from qnn.bridge.bridge import Bridge, Malformed, State
from qnn.errors import QnnError

MESSAGE_LIMIT = 1 << 16
MOST_PAGES = 8
BEAT_SECONDS = 1.0
OPEN_SECONDS = 10.0
UNSUPPORTED_DATA, INVALID_DATA, TRY_AGAIN_LATER, GOING_AWAY = 1003, 1007, 1013, 1001
RESET = "reset"
SECURITY = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
SILENT = logging.getLogger("qnn.bridge")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False  # what strangers send is no news


class PageServer:
    """Serves `page(origin)`, which gives the HTML for a Host, and bridges its WebSockets to a board.

    beat_seconds: how often the board is looked after while nobody asks it.
    Raises QnnError if the port cannot be used. Close it when done.
    """

    def __init__(
        self, host: str, port: int, token: str, page: Callable[[str], str], beat_seconds: float = BEAT_SECONDS
    ) -> None:
        self._page, self._beat_seconds = page, beat_seconds
        self._pages: set[ServerConnection] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._bridge: Bridge | None = None
        try:
            self._server: Server = serve(
                self._talk,
                host,
                port,
                process_request=self._respond,
                compression=None,
                max_size=MESSAGE_LIMIT,
                open_timeout=OPEN_SECONDS,
                server_header=None,
                logger=SILENT,
            )
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            problem = f"cannot be used ({reason})"
            raise QnnError(f"{host}:{port}", problem, "name another one with --host or --http-port") from None
        self.access = Access(self._server.socket.getsockname()[1], token)

    def start(self, bridge: Bridge) -> None:
        """Answer from now on, in threads of their own."""
        self._bridge = bridge
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    def tell(self, state: State | None = None) -> None:
        """Tell every page what there is."""
        with self._lock:
            pages = list(self._pages)
        for page in pages:
            self._send_state(page, len(pages))

    def close(self) -> None:
        """Say goodbye to every page, and leave the port to others."""
        self._stop.set()
        with self._lock:
            pages = list(self._pages)
        for page in pages:
            page.close(GOING_AWAY, "qnn serve was stopped")
        self._server.shutdown()

    def _respond(self, _connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a request; None leads to the WebSocket."""
        try:
            host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        except MultipleValuesError:
            return _text(HTTPStatus.BAD_REQUEST, "a header stands twice")
        if not self.access.admits_host(host):
            return _text(HTTPStatus.MISDIRECTED_REQUEST, "this is not the address that qnn serve printed")
        if self.access.is_page(request.path):
            return _response(HTTPStatus.OK, "text/html", self._page(host))
        if not self.access.is_socket(request.path):
            return _text(HTTPStatus.NOT_FOUND, "there is nothing here: use the address that qnn serve printed")
        if not self.access.admits_origin(origin, host):
            return _text(HTTPStatus.FORBIDDEN, "only the page that is served here may ask the board")
        return None

    def _talk(self, page: ServerConnection) -> None:
        with self._lock:
            full = len(self._pages) >= MOST_PAGES
            if not full:
                self._pages.add(page)
        if full:
            page.close(TRY_AGAIN_LATER, f"{MOST_PAGES} pages use the board already")
            return
        try:
            self.tell()
            for message in page:
                self._answer(page, message)
        except ConnectionClosed:
            pass
        finally:
            with self._lock:
                self._pages.discard(page)
            self.tell()

    def _answer(self, page: ServerConnection, message: str | bytes) -> None:
        bridge = self._bridge
        if bridge is None:
            return
        if message == RESET:
            bridge.reset()
        elif isinstance(message, str):
            page.close(UNSUPPORTED_DATA, "a text that is no command")
        else:
            try:
                page.send(bridge.ask(message))
            except Malformed as error:
                page.close(INVALID_DATA, str(error))

    def _send_state(self, page: ServerConnection, pages: int) -> None:
        if self._bridge is not None:
            document: dict[str, Any] = self._bridge.document() | {"pages": pages}
            with suppress(ConnectionClosed):
                page.send(json.dumps(document))

    def _beat(self) -> None:
        while self._bridge is not None:
            self._bridge.beat()
            if self._stop.wait(self._beat_seconds):
                return


def _response(status: HTTPStatus, kind: str, text: str) -> Response:
    body = text.encode("utf-8")
    headers = Headers(SECURITY)
    headers["Content-Type"] = f"{kind}; charset=utf-8"
    headers["Content-Length"] = str(len(body))
    headers["Connection"] = "close"
    return Response(status.value, status.phrase, headers, body)


def _text(status: HTTPStatus, text: str) -> Response:
    return _response(status, "text/plain", f"{text}\n")
