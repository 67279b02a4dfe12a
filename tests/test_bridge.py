# SPDX-License-Identifier: MIT
"""qnn serve without a browser: who is let in, what a page may send, and a board that is lost, reset and shared."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boards import NoisyStream, board_of, built, firmware_of
from networks import IMAGE, samples_of
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from qnn.board import protocol
from qnn.board.emulator import Board
from qnn.board.link import Stream
from qnn.board.ports import BoardStream
from qnn.bridge.access import Access, is_loopback, reachable_host
from qnn.bridge.bridge import LOST, NO_BOARD, READY, Bridge, State
from qnn.bridge.server import MESSAGE_LIMIT, MOST_PAGES, PageServer
from qnn.errors import QnnError
from qnn.graphfile import load_graph
from qnn.simulator import simulate

PAGE = "<!doctype html><title>page</title>"
HEADS = protocol.CLASS | protocol.PROBABILITIES
WAIT = 20


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(IMAGE, tmp_path_factory.mktemp("build"))


class Served:
    """A server with a bridge to a board."""

    def __init__(self, stream: Callable[[], Stream] | None, board: Board | None = None, token: str = "") -> None:
        self.states: list[State] = []
        self.changed = threading.Condition()
        self.server = PageServer("127.0.0.1", 0, token, lambda origin: f"{PAGE}{origin}", beat_seconds=0.02)
        self.bridge = Bridge(stream, self.told, board)
        self.server.start(self.bridge)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.access.port}"

    def told(self, state: State) -> None:
        with self.changed:
            self.states.append(state)
            self.changed.notify_all()
        self.server.tell(state)

    def wait(self, wanted: Callable[[State], bool]) -> State:
        """The first state told that is as wanted."""
        with self.changed:
            assert self.changed.wait_for(lambda: any(map(wanted, self.states)), WAIT), self.states
            return next(filter(wanted, self.states))

    def page(self, origin: str | None = None, path: str | None = None) -> ClientConnection:
        """A page's WebSocket."""
        place = path if path is not None else f"{self.server.access.path}board"
        return connect(f"ws://{self.host}{place}", origin=origin or f"http://{self.host}", compression=None)  # type: ignore[arg-type]

    def get(self, path: str, host: str | None = None) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of a request."""
        line = HTTPConnection("127.0.0.1", self.server.access.port, timeout=WAIT)
        line.request("GET", path, headers={"Host": host or self.host})
        reply = line.getresponse()
        found = reply.status, dict(reply.getheaders()), reply.read().decode()
        line.close()
        return found


@contextmanager
def served(stream: Callable[[], Stream] | None, board: Board | None = None, token: str = "") -> Iterator[Served]:
    found = Served(stream, board, token)
    try:
        yield found
    finally:
        found.server.close()
        found.bridge.close()


@pytest.fixture
def board(build: Path) -> Board:
    return board_of(firmware_of(build))


def ask(page: ClientConnection, kind: int, flags: int = 0, body: bytes = b"", version: int = 1) -> tuple[int, bytes]:
    """Status and body of the reply; states that come in between are passed over."""
    page.send(bytes((version, kind, 77, flags)) + body)
    while True:
        reply = page.recv(WAIT)
        if isinstance(reply, bytes):
            assert reply[:3] == bytes((1, (kind | 0x80) & 0xFF, 77))
            return reply[3], reply[4:]


def state_of(page: ClientConnection, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first state that the page is told and that is as wanted."""
    while True:
        message = page.recv(WAIT)
        if isinstance(message, str):
            found: dict[str, Any] = json.loads(message)
            if wanted(found):
                return found


def test_replies_are_the_boards(build: Path, board: Board) -> None:
    graph = load_graph(build / "model.qnn")
    x = samples_of(IMAGE, 5, 3)
    expected = simulate(graph, x)
    with served(lambda: BoardStream(board), board) as found:
        found.wait(lambda state: state.state == READY)
        with found.page() as page:
            status, body = ask(page, protocol.HELLO)
            hello = protocol.parse_hello(body)
            assert (status, hello and hello.name) == (0, "image")
            for row in range(5):
                status, body = ask(page, protocol.INFER, HEADS, x[row].tobytes())
                outputs = np.frombuffer(body[8:28], "<i2")
                assert status == 0
                assert np.array_equal(outputs, expected[graph.output][row])
                assert np.array_equal(np.frombuffer(body[32:52], "<u2"), expected["probabilities"][row])


def test_requests_that_the_board_would_not_take(board: Board) -> None:
    with served(lambda: BoardStream(board)) as found:
        found.wait(lambda state: state.state == READY)
        with found.page() as page:
            assert ask(page, protocol.ECHO, 0, b"x") == (3, b"")
            assert ask(page, 99) == (3, b"")
            assert ask(page, protocol.HELLO, version=2) == (2, b"")
            assert ask(page, protocol.INFER, 0, b"short") == (4, b"")
            assert ask(page, protocol.INFER, 0, bytes(40_000)) == (4, b"")
            assert ask(page, protocol.INFER, protocol.VALUES, bytes(64)) == (5, b"")
            assert ask(page, protocol.INFER, 0, bytes(64))[0] == 0


@pytest.mark.parametrize(
    ("message", "code"), [(bytes(MESSAGE_LIMIT + 1), 1009), (b"abc", 1007), ("{}", 1003), (b"", 1007)]
)
def test_a_page_that_talks_nonsense_is_dismissed_alone(message: bytes | str, code: int, board: Board) -> None:
    with served(lambda: BoardStream(board)) as found:
        found.wait(lambda state: state.state == READY)
        with found.page() as good, found.page() as bad:
            bad.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                state_of(bad, lambda _: False)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code
            state_of(good, lambda state: state["pages"] == 2)
            state_of(good, lambda state: state["pages"] == 1)
            assert ask(good, protocol.INFER, 0, bytes(64))[0] == 0


def test_pages_share_the_board(build: Path, board: Board) -> None:
    """Each of three pages, asking at once, gets the replies to its own requests."""
    graph = load_graph(build / "model.qnn")
    wrong: list[int] = []

    def use(found: Served, seed: int) -> None:
        x = samples_of(IMAGE, 20, seed)
        expected = simulate(graph, x)[graph.output]
        with found.page() as page:
            for row in range(20):
                status, body = ask(page, protocol.INFER, 0, x[row].tobytes())
                if status or not np.array_equal(np.frombuffer(body[8:28], "<i2"), expected[row]):
                    wrong.append(row)

    with served(lambda: BoardStream(board)) as found:
        found.wait(lambda state: state.state == READY)
        users = [threading.Thread(target=use, args=(found, seed)) for seed in range(3)]
        for user in users:
            user.start()
        for user in users:
            user.join(WAIT)
        assert not any(user.is_alive() for user in users)
    assert wrong == []


def test_there_is_room_for_some_pages_only(board: Board) -> None:
    with served(lambda: BoardStream(board)) as found, found.page() as first, ExitStack() as others:
        for _ in range(MOST_PAGES - 1):
            others.enter_context(found.page())
        state_of(first, lambda state: state["pages"] == MOST_PAGES)
        with found.page() as rejected, pytest.raises(ConnectionClosed) as closed:
            rejected.recv(WAIT)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        others.close()
        state_of(first, lambda state: state["pages"] == 1)
        with found.page() as page:
            assert state_of(page, lambda _: True)["pages"] == 2


def test_noise_on_the_line(build: Path, board: Board, rng: np.random.Generator) -> None:
    graph = load_graph(build / "model.qnn")
    x = samples_of(IMAGE, 10, 4)
    expected = simulate(graph, x)[graph.output]
    noisy = NoisyStream(BoardStream(board), rng, 0.0005)
    with served(lambda: noisy) as found:  # type: ignore[arg-type,return-value]
        found.wait(lambda state: state.state == READY)
        with found.page() as page:
            for row in range(10):
                status, body = ask(page, protocol.INFER, 0, x[row].tobytes())
                assert status == 0
                assert np.array_equal(np.frombuffer(body[8:28], "<i2"), expected[row])


class Plug:
    """A line that can be pulled out."""

    name = "plug"

    def __init__(self, board: Board) -> None:
        self.board, self.pulled = board, False

    def open(self) -> Plug:
        self.check()
        return self

    def check(self) -> None:
        if self.pulled:
            raise QnnError("plug", "is gone", "plug it in")

    def read(self, seconds: float) -> bytes:
        self.check()
        return BoardStream(self.board).read(seconds)

    def write(self, data: bytes) -> None:
        self.check()
        self.board.send(0, data)

    def close(self) -> None:
        pass


def test_a_lost_board_is_told_and_found_again(board: Board) -> None:
    plug = Plug(board)
    with served(plug.open) as found, found.page() as page:
        state_of(page, lambda state: state["state"] == READY)
        plug.pulled = True
        lost = state_of(page, lambda state: state["state"] == LOST)
        assert lost["text"] == "plug: is gone; waiting for it"
        assert ask(page, protocol.INFER, 0, bytes(64)) == (NO_BOARD, b"")
        plug.pulled = False
        state_of(page, lambda state: state["state"] == READY)
        assert ask(page, protocol.INFER, 0, bytes(64))[0] == 0


def test_a_reset_is_told(board: Board) -> None:
    with served(lambda: BoardStream(board), board) as found, found.page() as page:
        state_of(page, lambda state: state["state"] == READY)
        before = ask(page, protocol.INFER, 0, bytes(64))
        page.send("reset")
        assert state_of(page, lambda state: "reset" in state["event"])["resettable"]
        state_of(page, lambda state: "started anew" in state["event"])
        assert ask(page, protocol.INFER, 0, bytes(64)) == before


def test_no_board_at_all() -> None:
    with served(None) as found, found.page() as page:
        state = state_of(page, lambda _: True)
        assert (state["state"], state["resettable"]) == ("none", False)
        page.send("reset")
        assert ask(page, protocol.HELLO) == (NO_BOARD, b"")


def test_a_trap_is_told(board: Board) -> None:
    class Trapping(Plug):
        def read(self, seconds: float) -> bytes:
            data = super().read(seconds)
            return b"\0TRAP 5 (load access fault) at 0x42000000\0" if self.pulled else data

        def check(self) -> None:
            pass

    plug = Trapping(board)
    with served(plug.open) as found, found.page() as page:
        state_of(page, lambda state: state["state"] == READY)
        plug.pulled = True
        assert "TRAP 5" in state_of(page, lambda state: state["state"] == LOST)["text"]


def test_who_is_let_in_without_a_token() -> None:
    with served(None) as found:
        status, headers, body = found.get("/")
        assert (status, body) == (200, PAGE + found.host)
        assert headers["Referrer-Policy"] == "no-referrer"
        assert found.get("/", f"localhost:{found.server.access.port}")[0] == 200
        assert found.get("/board")[0] in (403, 426)
        for path in ("//", "/index.html", "/../etc/passwd", "/board/", "/favicon.ico", "/" + "x" * 5000):
            assert found.get(path)[0] == 404, path
        for host in ("evil.example", f"evil.example:{found.server.access.port}", "127.0.0.1", "127.0.0.1:1", "<b>"):
            assert found.get("/", host)[0] == 421, host
        for origin in ("http://evil.example", "null", f"https://{found.host}"):
            with pytest.raises(InvalidStatus) as refused, found.page(origin):
                pass
            assert refused.value.response.status_code == 403
        with found.page() as page:
            assert state_of(page, lambda _: True)["pages"] == 1


def test_a_shared_page_needs_its_token() -> None:
    with served(None, token="secret-token") as found:
        assert found.get("/secret-token/")[0] == 200
        assert found.get("/secret-token/", "phone.local:80")[2] == PAGE + "phone.local:80"
        for path in ("/", "/secret-token", "/secret-tokex/", "/board", "//board"):
            assert found.get(path)[0] == 404, path
        assert found.get("/secret-token/", '"><script>')[0] == 421
        with pytest.raises(InvalidStatus), found.page(path="/board"):
            pass
        with found.page() as page:
            assert state_of(page, lambda _: True)["pages"] == 1


def test_addresses() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("localhost")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    with pytest.raises(QnnError, match="is no address"):
        is_loopback("everywhere")
    assert reachable_host("192.168.1.7") == "192.168.1.7"
    assert reachable_host("::1") == "[::1]"
    assert reachable_host("0.0.0.0") != "0.0.0.0"
    assert Access(80, "t").admits_host("[fe80::1]:8470")


def test_a_port_in_use_is_one_line() -> None:
    with served(None) as found, pytest.raises(QnnError, match="cannot be used"):
        PageServer("127.0.0.1", found.server.access.port, "", lambda _: "")
