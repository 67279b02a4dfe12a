# SPDX-License-Identifier: MIT
"""The page of an image classifier in a real browser: drawing, the WebAssembly against the simulator, no network."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from pages import PHONE, content_of, draw_digit, visiting, write_page
from strokes import DIGITS

from qnn.data import LoadOptions, load
from qnn.graphfile import load_graph
from qnn.simulator import simulate, tensor_names

LARGEST = 150_000
SHIFTS = """() => new Promise(done => {
    const found = [];
    const place = ({node, previousRect, currentRect}) =>
        `${node?.id || node?.nodeName} from ${JSON.stringify(previousRect)} to ${JSON.stringify(currentRect)}`;
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) found.push(...entry.sources.map(place));
    }).observe({type: 'layout-shift', buffered: true});
    setTimeout(() => done(found), 50);
})"""


@pytest.fixture(scope="module")
def images(data_dir: Path) -> np.ndarray:
    """MNIST's test images."""
    dataset = load("mnist", LoadOptions(data_dir=data_dir))
    return dataset.x[dataset.test]


def test_every_digit_that_the_mouse_draws_is_recognized(browser: Any, cnn_page: str) -> None:
    with visiting(browser, cnn_page) as visit:
        answers = []
        for digit in range(10):
            draw_digit(visit, digit)
            answers.append(visit.text("answer"))
        assert answers == list("0123456789")
        assert visit.text("spoken").startswith("9, ")
        assert visit.page.evaluate(SHIFTS) == []


@pytest.mark.parametrize("digit", [3, 4, 7])
def test_touch(browser: Any, cnn_page: str, digit: int) -> None:
    with visiting(browser, cnn_page, viewport=PHONE, has_touch=True, is_mobile=True) as visit:
        visit.page.tap("#clear")
        box, before = visit.page.locator("#drawing").bounding_box(), visit.page.evaluate("scrollY")
        hand = visit.page.context.new_cdp_session(visit.page)
        for stroke in DIGITS[digit]:
            points = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in stroke]
            hand.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points[:1]})
            for point in points[1:]:
                hand.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
            hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        visit.settle()
        assert visit.text("answer") == str(digit)
        assert visit.page.evaluate("scrollY") == before


def test_the_keyboard_alone(browser: Any, cnn_page: str) -> None:
    """A seven by arrow keys; then undo, clear, the brush and a test sample, never with the mouse."""
    with visiting(browser, cnn_page) as visit:
        keys = visit.page.keyboard

        def press(key: str, times: int = 1) -> None:
            for _ in range(times):
                keys.press(key)

        def tab_to(name: str) -> None:
            for _ in range(40):
                if visit.page.evaluate("document.activeElement.id || document.activeElement.className") == name:
                    return
                press("Tab")
            raise AssertionError(f"{name} is not reached by Tab")

        tab_to("drawing")
        assert visit.page.is_visible("#pen")
        press("ArrowLeft", 9)
        press("ArrowUp", 12)
        press(" ")
        press("ArrowRight", 17)
        for _ in range(10):
            press("ArrowDown", 2)
            press("ArrowLeft")
        press(" ")
        visit.settle()
        assert visit.text("answer") == "7"
        seen = visit.page.evaluate("Array.from(qnn.playground.shown)")
        tab_to("undo")
        press("Enter")
        visit.settle()
        assert not any(visit.page.evaluate("Array.from(qnn.playground.shown)"))
        press("+", 3)
        assert visit.text("brush-size") == "28"
        tab_to("sample")
        press("Enter")
        visit.settle()
        assert visit.text("answer") == "0"
        assert any(seen)


def test_undo_takes_one_stroke_and_clear_all(browser: Any, cnn_page: str) -> None:
    with visiting(browser, cnn_page) as visit:
        visit.draw(DIGITS[4][:1])
        one = visit.page.evaluate("Array.from(qnn.playground.shown)")
        visit.draw(DIGITS[4])
        assert visit.page.evaluate("Array.from(qnn.playground.shown)") != one
        visit.page.keyboard.press("Control+z")
        visit.settle()
        assert visit.page.evaluate("Array.from(qnn.playground.shown)") == one
        visit.page.click("#clear")
        visit.settle()
        assert not any(visit.page.evaluate("Array.from(qnn.playground.shown)"))


def test_a_thousand_images_equal_the_simulator(browser: Any, cnn: Path, cnn_page: str, images: np.ndarray) -> None:
    graph = load_graph(cnn / "model.qnn")
    x = images[:: len(images) // 1000][:1000]
    expected = simulate(graph, x)
    with visiting(browser, cnn_page) as visit:
        found = visit.run(x)
    assert np.array_equal(found["outputs"], expected[graph.output])
    assert np.array_equal(found["class"], expected["class"])
    assert np.array_equal(found["probabilities"], expected["probabilities"])


def test_every_layer_is_shown_as_the_simulator_has_it(
    browser: Any, cnn: Path, cnn_page: str, images: np.ndarray
) -> None:
    graph = load_graph(cnn / "model.qnn")
    tensors = simulate(graph, images[:3], keep=tensor_names(graph))
    with visiting(browser, cnn_page) as visit:
        assert visit.page.locator("#layers figure").count() == len(graph.body)
        for row, image in enumerate(images[:3]):
            layers = visit.page.evaluate(
                "image => qnn.run(image).layers.map(layer => Array.from(layer))", image.reshape(-1).tolist()
            )
            for node, values in zip(graph.body, layers, strict=True):
                assert values == tensors[node.name][row].reshape(-1).tolist(), node.name
        visit.page.evaluate("image => qnn.show(image)", images[0].reshape(-1).tolist())
        last = visit.page.locator("#layers canvas").last
        last.hover(position={"x": 1, "y": 1})
        value = int(tensors[graph.output][0][0])
        assert visit.page.locator("#layers figure").last.locator(".note").inner_text() == f"[0] = {value}"


def test_the_drawing_is_prepared_as_mnist_was(browser: Any, cnn_page: str) -> None:
    """Inside a box of 20 pixels, the centre of mass in the middle, wherever and however large it was drawn."""
    with visiting(browser, cnn_page) as visit:
        for scale, left, top in ((0.4, 0.05, 0.55), (1.0, 0.0, 0.0)):
            moved = tuple(tuple((left + scale * x, top + scale * y) for x, y in stroke) for stroke in DIGITS[2])
            visit.draw(moved)
            image = np.array(visit.page.evaluate("Array.from(qnn.playground.shown)"), float).reshape(28, 28)
            rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
            assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
            mass = image.sum()
            assert abs((image.sum(axis=1) @ np.arange(28)) / mass - 14) <= 0.5
            assert abs((image.sum(axis=0) @ np.arange(28)) / mass - 14) <= 0.5
            assert image.max() == 255
            assert visit.text("answer") == "2"


def test_test_samples_to_click(browser: Any, cnn_page: str) -> None:
    with visiting(browser, cnn_page) as visit:
        buttons = visit.page.locator(".sample")
        answers = []
        for index in range(buttons.count()):
            buttons.nth(index).click()
            answers.append(visit.text("answer"))
        assert answers == list("0123456789")
        draw_digit(visit, 1)
        assert visit.text("answer") == "1"


def test_golden_vectors_notice_one_changed_weight(browser: Any, cnn: Path, cnn_page: str, tmp_path: Path) -> None:
    with visiting(browser, cnn_page) as visit:
        assert visit.text("golden") == "golden vectors: all 26 equal to the simulator, every layer"
    header = (cnn / "mnist.h").read_text()
    before, name, rest = header.partition("mnist_node1_")
    start, brace, numbers = rest.partition("{\n")
    first, comma, others = numbers.partition(",")
    spoiled = tmp_path / "build"
    spoiled.mkdir()
    (spoiled / "mnist.h").write_text(before + name + start + brace + str(int(first) ^ 256) + comma + others)
    (spoiled / "model.qnn").write_bytes((cnn / "model.qnn").read_bytes())
    address = write_page(tmp_path / "page.html", *content_of(spoiled))
    with visiting(browser, address) as visit:
        assert re.fullmatch(r"golden vectors: different, first at vector \d+, conv2d2", visit.text("golden"))
        assert visit.page.locator("#golden").get_attribute("data-state") == "different"


def test_one_inference_takes_less_than_two_milliseconds(browser: Any, cnn_page: str) -> None:
    """Here it takes less than a tenth of that, so that only a page gone wrong fails."""
    with visiting(browser, cnn_page) as visit:
        times = visit.page.evaluate(
            "[1, 2, 3, 4, 5].map(() => qnn.playground.model.time(new Uint8Array(784).fill(200)))"
        )
        assert min(times) < 2
        assert float(visit.text("time").removeprefix("< ")) > 0


def test_the_page_of_the_command_is_small_and_flashes(
    browser: Any, cnn: Path, tmp_path: Path, data_dir: Path, qnn: Run
) -> None:
    pytest.importorskip("elftools")
    out = tmp_path / "page.html"
    code, text, err = qnn("playground", str(cnn), "-o", str(out), "--json")
    assert (code, err) == (0, "")
    found = json.loads(text)
    assert found["bytes"] == out.stat().st_size <= LARGEST
    assert found["flashing"]
    assert found["golden"] == 26
    with visiting(browser, out.as_uri()) as visit:
        assert "26 equal" in visit.text("golden")
        assert visit.page.evaluate("Boolean(navigator.serial)") == visit.page.is_visible("#flash")


def test_the_policy_lets_nothing_else_run_or_load(browser: Any, cnn_page: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        forbidden = ("Refused to", "Connecting to", "Loading the", "Executing inline", "Applying inline", "Fetch API")
        with visiting(browser, cnn_page, expected=forbidden) as visit:
            run = visit.page.evaluate(
                """address => {
                    const script = document.createElement('script');
                    script.textContent = 'globalThis.intruder = 1';
                    document.head.append(script);
                    document.body.append(Object.assign(document.createElement('img'), {src: address}));
                    return fetch(address).then(() => 'loaded', () => `refused ${globalThis.intruder ?? ''}`);
                }""",
                address,
            )
            assert run == "refused "
            visit.requests.clear()
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_bad_requests(cnn: Path, tmp_path: Path, qnn: Run) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    for words in (
        (str(tmp_path),),
        (str(cnn), "-o", str(mine)),
        (str(cnn), "-o", str(tmp_path / "x.html"), "--prepare", "upside-down"),
        (str(cnn), "-o", str(tmp_path / "x.html"), "--wasm-compiler", "gcc"),
        (str(cnn), "-o", str(tmp_path / "x.html"), "--wasm-compiler", "no-such-compiler"),
        (str(cnn), "-o", str(tmp_path / "x.html"), "--data", "no-such.csv"),
    ):
        code, out, err = qnn("playground", *words)
        assert (code, out, err.count("\n")) == (2, "", 1), words
    assert mine.read_text() == "mine"
    assert not (tmp_path / "x.html").exists()


def test_without_data_the_page_has_no_samples_but_golden_vectors(
    browser: Any, cnn: Path, tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    out = tmp_path / "page.html"
    code, _, err = qnn("playground", str(cnn), "-o", str(out), "--no-flashing")
    assert code == 0
    assert "the page has no test samples" in err
    with visiting(browser, out.as_uri()) as visit:
        assert visit.text("golden").startswith("golden vectors: all 16 equal")
        assert not visit.page.is_visible("#samples")
