# SPDX-License-Identifier: MIT
"""The Arduino example that serves a drawing page over WiFi: compiled against stand-ins, drawn on in a browser."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boards import built
from conftest import Run
from networks import IMAGE, READINGS, Example, samples_of
from pages import PHONE, Visit
from strokes import DIGITS
from test_export import CXX, STANDINS, C, exported

from qnn.graphfile import load_graph
from qnn.simulator import simulate

COLOURED = Example("coloured", "conv 3x3 4 relu, dense", (8, 8, 3), "uint8", 3)
VALUE = Example("level", "dense 5 relu, dense 1", (9, 7, 1), "uint8", 0, 1)


@contextmanager
def running(folder: Path, name: str) -> Iterator[int]:
    """The port of the sketch, compiled with stand-ins, while it runs."""
    main, model = folder / f"examples/{name}_wifi/{name}_wifi.ino", folder / f"src/{name}_model.c"
    include = (f"-I{STANDINS}", f"-I{model.parent}")
    subprocess.run((*C, *include, "-c", str(model), "-o", str(folder / "model.o")), check=True)
    subprocess.run((*CXX, *include, "-x", "c++", "-c", str(main), "-o", str(folder / "main.o")), check=True)
    program = folder / "program"
    subprocess.run(("g++", str(folder / "main.o"), str(folder / "model.o"), "-o", str(program)), check=True)
    with subprocess.Popen((program,), stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "127.0.0.1\n"
            yield int(child.stdout.readline().removeprefix("port "))
        finally:
            child.kill()


def asked(port: int, image: bytes) -> tuple[int, str]:
    """Status and text of the sketch's answer to an image."""
    head = 'Content-Disposition: form-data; name="input"; filename="blob"\r\nContent-Type: application/octet-stream'
    body = f"--xyz\r\n{head}\r\n\r\n".encode() + image + b"\r\n--xyz--\r\n"
    line = HTTPConnection("127.0.0.1", port, timeout=20)
    line.request("POST", "/infer", body, {"Content-Type": "multipart/form-data; boundary=xyz"})
    reply = line.getresponse()
    found = reply.status, reply.read().decode()
    line.close()
    return found


@pytest.fixture
def sketch_of_the_cnn(cnn: Path, tmp_path: Path, qnn: Run) -> Path:
    return exported(cnn, "arduino", tmp_path / "out", qnn)


def test_digits_drawn_on_the_chips_own_page(browser: Any, cnn: Path, sketch_of_the_cnn: Path) -> None:
    graph = load_graph(cnn / "model.qnn")
    with running(sketch_of_the_cnn, "mnist") as port:
        context = browser.new_context(viewport=PHONE)
        visit = Visit(context.new_page())
        complaints: list[str] = []
        visit.page.on("pageerror", lambda error: complaints.append(str(error)))
        visit.page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        visit.page.goto(f"http://127.0.0.1:{port}/")
        for digit in (2, 3, 7):
            visit.page.click("#clear")
            visit.draw(DIGITS[digit])
            visit.wait("!chip.busy && !chip.pending")
            assert visit.text("answer") == str(digit)
            image = np.array(visit.page.evaluate("Array.from(chip.image)"), np.uint8).reshape(1, 28, 28, 1)
            shares = simulate(graph, image)["probabilities"][0].tolist()
            shown = visit.page.locator("#answer-rows .number").all_inner_texts()
            assert list(map(int, shown)) == shares
        assert visit.text("chip-state").startswith("computed on the chip in ")
        context.close()
        assert complaints == []


@pytest.mark.parametrize("example", [IMAGE, COLOURED, VALUE], ids=lambda example: example.name)
def test_answers_are_the_simulators(example: Example, tmp_path: Path, qnn: Run) -> None:
    build = built(example, tmp_path / "build")
    graph = load_graph(build / "model.qnn")
    folder = exported(build, "arduino", tmp_path / "out", qnn)
    x = samples_of(example, 6, 2)
    found = simulate(graph, x)
    with running(folder, example.name) as port:
        for row in range(6):
            status, text = asked(port, x[row].tobytes())
            winner = int(found["class"][row, 0]) if "class" in found else -1
            numbers = found.get("probabilities", found.get("value", found[graph.output]))[row].reshape(-1).tolist()
            assert (status, text) == (200, " ".join(map(str, (0, winner, *numbers))))


def test_images_of_another_size_are_refused(tmp_path: Path, qnn: Run) -> None:
    folder = exported(built(IMAGE, tmp_path / "build"), "arduino", tmp_path / "out", qnn)
    with running(folder, "image") as port:
        for size in (0, 63, 65, 1436, 5000):
            assert asked(port, bytes(size)) == (400, "an image has another size"), size
        assert asked(port, bytes(64))[0] == 200


def test_models_that_take_no_pictures_have_no_such_example(tmp_path: Path, qnn: Run) -> None:
    folder = exported(built(READINGS, tmp_path / "build"), "arduino", tmp_path / "out", qnn)
    assert [path.name for path in folder.rglob("*.ino")] == ["readings_example.ino"]
    assert "WiFi" not in (folder / "README.md").read_text()
