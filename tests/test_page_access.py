# SPDX-License-Identifier: MIT
"""What axe-core says of the pages, light and dark, on a desk and on a phone; the pictures for the README."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest
from boards import board_of, built, firmware_of
from networks import IMAGE, READINGS, write_example
from pages import CAUGHT_UP, DESKTOP, EQUAL, PHONE, Visit, draw_digit, random_content, visiting, write_page

from qnn.graphfile import load_graph
from qnn.page.flash import flash_of
from qnn.page.onchip import chip_page

PICTURES = Path(__file__).parent.parent / "docs"
SIZES = {"page-light.png": (1100, 790), "page-board-dark.png": (1100, 1060), "page-dark-phone.png": (390, 844)}
LOOKS = [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE), ("dark", PHONE)]
NAMES = ["light", "dark", "light phone", "dark phone"]


def faults(visit: Visit) -> list[str]:
    """What axe-core finds, as text; every impact counts."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: did not run")
    found = axe.Axe().run(visit.page).response
    assert len(found["passes"]) > 10
    return [
        f"{fault['id']} ({fault['impact']}): {[node['html'] for node in fault['nodes']][:3]}"
        for fault in found["violations"]
    ]


@pytest.mark.parametrize(("scheme", "viewport"), LOOKS, ids=NAMES)
def test_the_drawing_page(browser: Any, cnn_page: str, scheme: str, viewport: dict[str, int]) -> None:
    with visiting(browser, cnn_page, color_scheme=scheme, viewport=viewport) as visit:
        draw_digit(visit, 5)
        assert faults(visit) == []
        visit.page.click("#theme")
        assert faults(visit) == []
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("scheme", "viewport"), LOOKS[1:3], ids=NAMES[1:3])
def test_the_sensor_page(browser: Any, scheme: str, viewport: dict[str, int], tmp_path: Path) -> None:
    build = write_example(READINGS, tmp_path)
    address = write_page(tmp_path / "page.html", *random_content(build))
    with visiting(browser, address, color_scheme=scheme, viewport=viewport) as visit:
        visit.page.fill("#feature-0", "100000")
        assert faults(visit) == []
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_board_and_the_flashing(browser: Any, tmp_path: Path) -> None:
    if not hasattr(os, "openpty"):
        pytest.skip("there are no pseudo-terminals on Windows: this test did not run")
    from serialport import BoardWire, plug

    build = built(IMAGE, tmp_path)
    address = write_page(tmp_path / "page.html", *random_content(build), flash_of(firmware_of(build)))
    for scheme in ("light", "dark"):
        wire = BoardWire(board_of(firmware_of(build)))
        with visiting(browser, address, plug(wire), color_scheme=scheme, viewport=PHONE) as visit:
            visit.page.click("#connect")
            visit.wait(EQUAL)
            visit.wait(CAUGHT_UP)
            visit.page.click("#flash > summary")
            visit.page.click("#flash-licence > summary")
            assert faults(visit) == []
            visit.page.evaluate("qnn.playground.board.mark('outputs[1]: page 3, board 4')")
            assert faults(visit) == []
            assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_chips_own_page(browser: Any, cnn: Path, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(chip_page(load_graph(cnn / "model.qnn")), encoding="utf-8")
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport=PHONE, color_scheme=scheme)
        visit = Visit(context.new_page())
        visit.page.goto((tmp_path / "page.html").as_uri())
        visit.page.evaluate("chip.show([1234, 7, 0, 0, 0, 0, 0, 0, 0, 32000, 700, 68])")
        assert visit.text("answer") == "7"
        assert faults(visit) == []
        context.close()


@pytest.mark.parametrize("name", SIZES)
def test_the_pictures_in_the_readme(name: str, browser: Any, cnn_page: str, cnn: Path, tmp_path: Path) -> None:
    """They are made anew, into $QNN_PICTURES where that is set (make pictures), and have the size of those there."""
    if not hasattr(os, "openpty"):
        pytest.skip("there are no pseudo-terminals on Windows: this test did not run")
    from serialport import BoardWire, plug

    width, height = SIZES[name]
    folder = Path(os.environ.get("QNN_PICTURES") or tmp_path)
    options = {"color_scheme": "dark" if "dark" in name else "light", "viewport": {"width": width, "height": height}}
    wire = BoardWire(board_of(firmware_of(cnn), exact="board" in name))
    with visiting(browser, cnn_page, plug(wire), **options) as visit:
        draw_digit(visit, 3)
        if "board" in name:
            visit.page.click("#connect")
            visit.wait(EQUAL)
            visit.page.evaluate("document.getElementById('board').scrollIntoView()")
        visit.page.evaluate("document.activeElement.blur()")
        visit.page.mouse.move(0, 0)
        visit.page.screenshot(path=str(folder / name))
    for picture in (folder / name, PICTURES / name):
        data = picture.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert struct.unpack(">II", data[16:24]) == (width, height)
    readme = (PICTURES.parent / "README.md").read_text(encoding="utf-8")
    assert f"](docs/{name})" in readme
