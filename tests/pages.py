# SPDX-License-Identifier: MIT
"""A real browser for tests: Chromium without a window, pages that must not ask the network for anything."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strokes import DIGITS, Stroke

from qnn.calibration import load_scales_of
from qnn.compiler import compile_model, write_build
from qnn.data import LoadOptions, load
from qnn.engines.interface import interface_of
from qnn.graph import Graph
from qnn.graphfile import load_graph
from qnn.modelfile import load_model
from qnn.page.assemble import page as page_text
from qnn.page.document import Content, content, no_samples, pick, preparation_of
from qnn.page.flash import Flash
from qnn.page.wasm import compile_module, wasm_compiler

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MODEL = Path(__file__).parent / "models" / "mnist-cnn-7k.qnn"
SCALES = MODEL.with_name("mnist-cnn-7k-scales.json")
PATIENCE = 20_000  # milliseconds that a page may take for anything before the test fails
EQUAL = "document.getElementById('board-mark').dataset.state === 'equal'"
CAUGHT_UP = "!qnn.playground.board.pending && !qnn.playground.board.busy"
DESKTOP, PHONE = {"width": 1100, "height": 900}, {"width": 390, "height": 844}


@dataclass
class Visit:
    """A page in the browser, and what it asked for and complained about."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        """The text of the element with that id."""
        found: str = self.page.inner_text(f"#{name}")
        return found

    def draw(self, strokes: tuple[Stroke, ...]) -> None:
        """Draw with the mouse, on a cleared drawing area, and wait until the network has answered."""
        self.page.keyboard.press("c")
        self.page.locator("#drawing").scroll_into_view_if_needed()
        box = self.page.locator("#drawing").bounding_box()
        for stroke in strokes:
            points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
            self.page.mouse.move(*points[0])
            self.page.mouse.down()
            for point in points[1:]:
                self.page.mouse.move(*point)
            self.page.mouse.up()
        self.settle()

    def settle(self) -> None:
        """Wait for the two frames in which what was drawn is run and shown."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs and heads of raw samples x (N, *shape), by the page's WebAssembly."""
        rows = [base64.b64encode(row.tobytes()).decode() for row in x]
        found = self.page.evaluate(
            """rows => rows.map(row => {
                const {outputs, ...others} = qnn.run(Uint8Array.from(atob(row), letter => letter.charCodeAt(0)));
                const heads = qnn.about.heads.map(head => [head.name, Array.from(others[head.name])]);
                return {outputs: Array.from(outputs), ...Object.fromEntries(heads)};
            })""",
            rows,
        )
        return {name: np.array([row[name] for row in found]) for name in found[0]}

    def wait(self, condition: str) -> None:
        """Wait until the JavaScript `condition` holds."""
        # Playwright's own way evaluates a text in the page, which the page's policy forbids.
        self.page.evaluate(
            f"""() => new Promise((done, fail) => {{
                const end = performance.now() + {PATIENCE};
                const look = () => {{
                    if ({condition}) done();
                    else if (performance.now() > end) fail(new Error('waited in vain: ' +
                        document.body.innerText));
                    else setTimeout(look, 10);
                }};
                look();
            }})"""
        )


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium; the test is skipped, loudly, without it or without Playwright's Python package."""
    program = os.environ.get("QNN_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("chromium is not installed (Debian: chromium; or set QNN_CHROMIUM): this test did not run")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: this test did not run")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield running
        running.close()


@contextmanager
def visiting(
    browser: Any,
    address: str,
    prepare: Callable[[Any], None] = lambda _: None,
    expected: tuple[str, ...] = (),
    ready: str = "html[data-ready]",
    **options: Any,
) -> Iterator[Visit]:
    """A Visit to `address`, ready. At its end the page must have asked for nothing else, and complained of nothing.

    prepare: is given the page before it loads. expected: beginnings of complaints that the test provokes. ready: what
    is there when the page is.
    """
    context = browser.new_context(viewport=options.pop("viewport", DESKTOP), **options)
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        visit = Visit(page)
        context.on("request", lambda request: visit.requests.append(request.url))
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on("console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None)
        prepare(page)
        page.goto(address)
        page.wait_for_selector(ready)
        yield visit
        assert [url for url in visit.requests if url != address and not url.startswith(("data:", "blob:"))] == []
        assert [text for text in visit.complaints if not text.startswith(expected or ("\0",))] == []
    finally:
        context.close()


@pytest.fixture(scope="session")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of the committed network: cnn-7k, trained on MNIST to 99.4 %."""
    folder = tmp_path_factory.mktemp("cnn")
    model = load_model(MODEL)
    write_build(compile_model(model, load_scales_of(model, SCALES), "mnist"), folder)
    return folder


def content_of(build: Path, count: int = 10) -> tuple[Graph, Content]:
    """A build's graph and page content, with test samples where the data is on this machine."""
    graph = load_graph(build / "model.qnn")
    module = compile_module(build, interface_of(graph), wasm_compiler())
    data = os.environ.get("QNN_DATA")
    samples = no_samples(graph)
    if graph.record.source != "mnist" or data:
        dataset = load(graph.record.source, LoadOptions(data_dir=Path(data) if data else None).like(graph.record))
        samples = pick(graph, dataset.x[dataset.test], None if dataset.y is None else dataset.y[dataset.test], count)
    return graph, content(graph, module, samples, preparation_of(graph))


def random_content(build: Path) -> tuple[Graph, Content]:
    """The content of a page of a made-up model, whose data is nowhere."""
    graph = load_graph(build / "model.qnn")
    module = compile_module(build, interface_of(graph), wasm_compiler())
    return graph, content(graph, module, no_samples(graph), preparation_of(graph))


FIGURES = {
    "flash": {"weights": 0, "tables": 0, "structs": 0, "total": 0},
    "ram": {"scratch": 0},
    "macs": 0,
    "graph_sha256": "0" * 64,
    "spec_version": 1,
}


def write_page(path: Path, graph: Graph, made: Content, flash: Flash | None = None) -> str:
    """Write a page to `path`; its address."""
    path.write_text(page_text(graph, made, flash, FIGURES), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="session")
def cnn_page(cnn: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page of that network, without flashing."""
    if os.environ.get("QNN_DATA") is None:
        pytest.skip("QNN_DATA does not name a folder of test data: this test did not run")
    return write_page(tmp_path_factory.mktemp("page") / "page.html", *content_of(cnn))


def draw_digit(visit: Visit, digit: int) -> None:
    """Draw a digit with the mouse."""
    visit.draw(DIGITS[digit])
