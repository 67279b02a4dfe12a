# SPDX-License-Identifier: MIT
"""qnn serve in a real browser: drawings that a board computes along, boards that go, come and differ."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boards import board_of, built, firmware_of
from conftest import Run
from networks import IMAGE, READINGS, write_example
from pages import CAUGHT_UP, EQUAL, FIGURES, PHONE, content_of, draw_digit, random_content, visiting
from strokes import DIGITS

from qnn.board.emulator import Board
from qnn.board.link import Link, Request, Stream
from qnn.board.peripherals import USB
from qnn.board.ports import BoardStream, open_port
from qnn.board.protocol import INFER
from qnn.board.virtual import TcpPort, serve
from qnn.bridge.bridge import Bridge
from qnn.bridge.server import PageServer
from qnn.graph import Graph
from qnn.page.assemble import served_page
from qnn.page.document import Content

DRAWINGS = 50
SCRIBBLE = """strokes => new Promise(done => {
    const {drawing} = qnn.playground;
    drawing.clear();
    for (const [[x, y], ...others] of strokes) {
        drawing.begin(280 * x, 280 * y);
        for (const [right, down] of others) drawing.extend(280 * right, 280 * down);
        drawing.finish();
    }
    requestAnimationFrame(() => requestAnimationFrame(done));
})"""


@contextmanager
def serving(
    made: tuple[Graph, Content], connect: Callable[[], Stream], board: Board | None = None, token: str = ""
) -> Iterator[str]:
    """The address of a page whose bridge leads to a board."""
    graph, about = made
    server = PageServer(
        "127.0.0.1",
        0,
        token,
        lambda origin: served_page(graph, about, None, FIGURES, "board", origin, board is None),
        beat_seconds=0.05,
    )
    bridge = Bridge(connect, server.tell, board)
    server.start(bridge)
    try:
        yield f"http://127.0.0.1:{server.access.port}{server.access.path}"
    finally:
        server.close()
        bridge.close()


@pytest.fixture(scope="module")
def made(cnn: Path) -> tuple[Graph, Content]:
    return content_of(cnn)


@pytest.fixture
def board(cnn: Path) -> Board:
    return board_of(firmware_of(cnn))


def test_fifty_drawings_are_equal_on_the_board(
    browser: Any, made: tuple[Graph, Content], board: Board, rng: np.random.Generator
) -> None:
    """Each of ten digits, five times in another size and place: once by the mouse, then by the drawing area itself."""
    with serving(made, lambda: BoardStream(board), board) as address, visiting(browser, address) as visit:
        visit.wait(EQUAL)
        for drawing in range(DRAWINGS):
            scale, left, top = rng.uniform((0.5, 0, 0), (0.8, 0.2, 0.2))
            strokes = tuple(
                tuple((left + scale * x, top + scale * y) for x, y in stroke) for stroke in DIGITS[drawing % 10]
            )
            if drawing < 10:
                visit.draw(tuple((*stroke[::4], stroke[-1]) for stroke in strokes))
            else:
                visit.page.evaluate(SCRIBBLE, strokes)
            visit.wait(f"{CAUGHT_UP} && qnn.playground.board.counts.asked >= {drawing + 2}")
            assert visit.page.locator("#board-mark").get_attribute("data-state") == "equal", drawing
        equal, asked = map(int, re.findall(r"\d+", visit.text("board-counts").replace(",", "")))
        assert equal == asked >= DRAWINGS
        assert visit.page.locator("#board-rows .different").count() == 0
        assert visit.text("board-state").startswith("mnist on ESP32-C3, 160 MHz")


def test_cycles_and_milliseconds_are_the_boards(browser: Any, tmp_path: Path) -> None:
    build = built(IMAGE, tmp_path)
    board = board_of(firmware_of(build), exact=True)
    with serving(random_content(build), lambda: BoardStream(board)) as address, visiting(browser, address) as visit:
        visit.wait(EQUAL)
        cycles = int(visit.text("board-cycles").replace(",", ""))
        (reply,) = Link(BoardStream(board_of(firmware_of(build), exact=True))).exchange([Request(INFER, 6, bytes(64))])
        assert cycles == int.from_bytes(reply.body[:4], "little") > 1000
        assert float(visit.text("board-milliseconds")) == pytest.approx(cycles / 160_000, abs=0.006)
        assert "self-test PASS" in visit.text("board-state")


def test_a_difference_is_named_with_its_layer(
    browser: Any, made: tuple[Graph, Content], cnn: Path, tmp_path: Path
) -> None:
    """The board runs a header in which one weight of the second layer was changed."""
    before, name, rest = (cnn / "mnist.h").read_text().partition("mnist_node1_")
    start, brace, numbers = rest.partition("{\n")
    first, comma, others = numbers.partition(",")
    (tmp_path / "mnist.h").write_text(before + name + start + brace + str(int(first) ^ 256) + comma + others)
    (tmp_path / "model.qnn").write_bytes((cnn / "model.qnn").read_bytes())
    board = board_of(firmware_of(tmp_path))
    with serving(made, lambda: BoardStream(board), board) as address, visiting(browser, address) as visit:
        draw_digit(visit, 3)
        visit.wait(f"{CAUGHT_UP} && document.getElementById('board-mark').textContent.includes('first layer')")
        text = visit.text("board-mark")
        assert re.match(
            r"different: (outputs|class|probabilities)\[\d+\]: page -?\d+, board -?\d+; "
            r"the first layer is conv2d2\[\d+, \d+, \d+\]: page \d+, board \d+$",
            text,
        ), text
        assert visit.page.locator("#board-mark").get_attribute("data-state") == "different"


def test_a_board_with_another_model_is_not_compared(browser: Any, made: tuple[Graph, Content], tmp_path: Path) -> None:
    board = board_of(firmware_of(write_example(READINGS, tmp_path)))
    with serving(made, lambda: BoardStream(board), board) as address, visiting(browser, address) as visit:
        visit.wait("document.getElementById('board').dataset.state === 'lost'")
        assert visit.text("board-state").startswith("the board has another model: readings")
        draw_digit(visit, 1)
        assert visit.page.evaluate("qnn.playground.board.counts.asked") == 0


def test_a_reset_and_a_second_page(browser: Any, made: tuple[Graph, Content], board: Board) -> None:
    with (
        serving(made, lambda: BoardStream(board), board) as address,
        visiting(browser, address) as visit,
        visiting(browser, address, viewport=PHONE, has_touch=True) as other,
    ):
        visit.wait("document.getElementById('board-others').textContent === '1 other page on the same board'")
        visit.page.click("#board-reset")
        for page in (visit, other):
            page.wait("/reset|anew/.test(document.getElementById('board-text').textContent)")
        for page, digit in ((visit, 2), (other, 5)):
            draw_digit(page, digit)
            page.wait(CAUGHT_UP)
            page.wait(EQUAL)
            assert page.text("answer") == str(digit)


def test_a_lost_board_comes_back(browser: Any, made: tuple[Graph, Content], board: Board) -> None:
    """A board on a TCP port, which is taken away under the page's hands and opened again."""
    endpoint = TcpPort(0)
    number = int(endpoint.port.rpartition(":")[2])

    def run(place: TcpPort, stop: threading.Event) -> threading.Thread:
        thread = threading.Thread(target=serve, args=(board, place, stop, lambda _: None, USB))
        thread.start()
        return thread

    stop = threading.Event()
    thread = run(endpoint, stop)
    with serving(made, lambda: open_port(f"socket://127.0.0.1:{number}", reopen_seconds=0.0)) as address:
        try:
            with visiting(browser, address) as visit:
                visit.wait(EQUAL)
                stop.set()
                thread.join()
                endpoint.close()
                visit.wait("document.getElementById('board').dataset.state === 'lost'")
                draw_digit(visit, 6)
                assert visit.text("answer") == "6"
                assert "waiting for it" in visit.text("board-state")
                stop.clear()
                endpoint = TcpPort(number)
                thread = run(endpoint, stop)
                visit.wait("document.getElementById('board').dataset.state === 'ready'")
                visit.wait(CAUGHT_UP)
                visit.wait(EQUAL)
        finally:
            stop.set()
            thread.join()
            endpoint.close()


def test_the_server_goes_and_the_page_stays(browser: Any, made: tuple[Graph, Content], board: Board) -> None:
    gone = ("WebSocket connection to",)
    with serving(made, lambda: BoardStream(board), board) as address:
        context = visiting(browser, address, expected=gone)
        visit = context.__enter__()
        visit.wait(EQUAL)
    visit.wait("document.getElementById('board-state').textContent.includes('qnn serve was stopped')")
    draw_digit(visit, 8)
    assert visit.text("answer") == "8"
    context.__exit__(None, None, None)


def test_a_phone_draws_on_a_shared_page(browser: Any, made: tuple[Graph, Content], board: Board) -> None:
    with (
        serving(made, lambda: BoardStream(board), board, "a-token") as address,
        visiting(browser, address, viewport=PHONE, has_touch=True, is_mobile=True) as visit,
    ):
        assert address.endswith("/a-token/")
        visit.page.tap("#sample-buttons button:nth-child(4)")
        visit.wait(CAUGHT_UP)
        visit.wait(EQUAL)
        assert visit.text("answer") == "3"


def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    build = built(IMAGE, tmp_path)
    options = ("--emulate", "--http-port", "0", "--samples", "0", "--json")
    command = (sys.executable, "-m", "qnn", "serve", str(build), *options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(5)]
        found = json.loads("".join(lines))
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", found["address"])
        assert not found["shared"]
        port = int(re.findall(r":(\d+)/", found["address"])[0])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
            line.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            assert line.recv(12) == b"HTTP/1.1 200"
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=20)
        assert (child.returncode, errors) == (0, "")


def test_bad_requests(cnn: Path, qnn: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words in (
            ("--emulate", "--port", "/dev/ttyACM0"),
            ("--host", "everywhere"),
            ("--http-port", str(port), "--no-flashing", "--samples", "0"),
            ("--prepare", "no-such-way"),
        ):
            code, out, err = qnn("serve", str(cnn), *words)
            assert (code, out, err.count("\n")) == (2, "", 1), words
