# SPDX-License-Identifier: MIT
"""Web Serial in the page: a board without any server, and flashing one with esptool-js."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boards import board_of, built, firmware_of
from networks import IMAGE, READINGS, samples_of
from pages import CAUGHT_UP, EQUAL, draw_digit, random_content, visiting, write_page

from qnn.board.protocol import INFER, Frame
from qnn.page.flash import flash_of
from qnn.page.script import script

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals on Windows: these tests did not run", allow_module_level=True)

from fakechip import FakeChip
from serialport import BoardWire, ChipWire, plug

STATE = "document.getElementById('board').dataset.state"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(IMAGE, tmp_path_factory.mktemp("serial"))


@pytest.fixture(scope="module")
def address(build: Path) -> str:
    """A page that can flash."""
    return write_page(build / "page.html", *random_content(build), flash_of(firmware_of(build)))


@pytest.fixture
def chip(request: pytest.FixtureRequest) -> Iterator[ChipWire]:
    with FakeChip(**getattr(request, "param", {})) as fake:
        wire = ChipWire(fake)
        yield wire
        wire.close()


def test_a_board_on_the_port_computes_along(browser: Any, address: str, build: Path) -> None:
    wire = BoardWire(board_of(firmware_of(build)))
    with visiting(browser, address, plug(wire)) as visit:
        assert visit.text("board-state") == "not connected"
        visit.page.click("#connect")
        visit.wait(EQUAL)
        assert visit.text("board-state") == "image on ESP32-C3, 160 MHz, self-test PASS"
        assert visit.page.evaluate("filters.map(filter => filter.usbVendorId)")[0] == 0x303A
        for digit in range(4):
            draw_digit(visit, digit)
            visit.wait(CAUGHT_UP)
            visit.wait(EQUAL)
        for sample in samples_of(IMAGE, 6, 9):
            visit.page.evaluate("sample => { qnn.show(sample) }", sample.reshape(-1).tolist())
            visit.wait(CAUGHT_UP)
            visit.wait(EQUAL)
        equal, asked = map(int, re.findall(r"\d+", visit.text("board-counts")))
        assert equal == asked >= 11
        visit.page.click("#connect")
        visit.wait(f"{STATE} === 'none'")
        visit.page.click("#connect")
        visit.wait(EQUAL)


def test_damaged_requests_are_sent_again(browser: Any, address: str, build: Path) -> None:
    """Every third frame arrives with a wrong byte: the board complains, and the page repeats it at once."""
    sent: list[int] = []

    def spoil(data: bytes) -> bytes:
        sent.append(len(data))
        if len(sent) % 3:
            return data
        return data[:6] + bytes((data[6] ^ 1 or 2,)) + data[7:]

    with visiting(browser, address, plug(BoardWire(board_of(firmware_of(build)), spoil))) as visit:
        visit.page.click("#connect")
        for digit in range(4):
            visit.wait(EQUAL)
            draw_digit(visit, digit)
            visit.wait(CAUGHT_UP)
        visit.wait(EQUAL)
        equal, asked = map(int, re.findall(r"\d+", visit.text("board-counts")))
        assert equal == asked > 4
        assert len(sent) > asked + 1


def test_an_unplugged_board_comes_back(browser: Any, address: str, build: Path) -> None:
    with visiting(browser, address, plug(BoardWire(board_of(firmware_of(build))))) as visit:
        visit.page.click("#connect")
        visit.wait(EQUAL)
        visit.page.evaluate("globalThis.unplugged = true")
        visit.wait(f"{STATE} === 'lost'")
        assert visit.text("board-state") == "the port is gone; waiting for it"
        draw_digit(visit, 0)
        visit.page.evaluate("globalThis.unplugged = false")
        visit.wait(f"{STATE} === 'ready'")
        visit.wait(EQUAL)


def test_something_else_on_the_port(browser: Any, address: str, tmp_path: Path) -> None:
    wire = BoardWire(board_of(firmware_of(built(READINGS, tmp_path))))
    with visiting(browser, address, plug(wire)) as visit:
        visit.page.click("#connect")
        visit.wait(f"{STATE} === 'lost'")
        assert "another model: readings" in visit.text("board-state")


def test_flashing_shows_what_it_writes_writes_it_and_connects(
    browser: Any, address: str, build: Path, chip: ChipWire
) -> None:
    firmware = firmware_of(build)
    with visiting(browser, address, plug(chip)) as visit:
        visit.page.click("#flash > summary")
        rows = visit.page.locator("#flash-rows tr").all_inner_texts()
        assert [row.split("\t")[0] for row in rows] == ["0x0", "0x10000"]
        assert "firmware and model image" in rows[1]
        assert chip.chip.flash == b"\xff" * len(chip.chip.flash)
        visit.page.click("#flash-write")
        visit.wait(EQUAL)
        assert visit.text("flash-state") == "written, and the flash's hash read back; the board starts"
        assert chip.chip.flash[: len(firmware.flash)] == firmware.flash
        assert set(chip.chip.flash[len(firmware.flash) :]) == {0xFF}
        assert "Hash of data verified" in visit.text("flash-log")
        assert visit.page.evaluate("document.getElementById('flash-progress').value") == 1
        draw_digit(visit, 4)
        visit.wait(CAUGHT_UP)
        visit.wait(EQUAL)
        visit.page.click("#flash-licence > summary")
        visit.wait("document.getElementById('flash-licence-text').textContent.includes('Apache License')")


@pytest.mark.parametrize(
    ("chip", "problem"),
    [
        ({"chip_id": 9}, "chip"),
        ({"size_log2": 18}, "the flash is of 256KB, the image has"),
        ({"rotten": True}, "MD5 of file does not match"),
    ],
    indirect=["chip"],
    ids=["another chip", "small flash", "worn flash"],
)
def test_what_cannot_be_flashed_is_told(browser: Any, chip: ChipWire, problem: str, tmp_path: Path) -> None:
    build = built(IMAGE, tmp_path)
    flash = flash_of(firmware_of(build))
    if chip.chip.size_log2 == 18:
        flash.document["parts"][1]["address"] = 1 << 18
    address = write_page(build / "page.html", *random_content(build), flash)
    with visiting(browser, address, plug(chip)) as visit:
        visit.page.click("#flash > summary")
        visit.page.click("#flash-write")
        visit.wait("document.getElementById('flash-state').textContent.startsWith('not written')")
        assert problem in visit.text("flash-state")
        assert "hold BOOT" in visit.text("flash-state")
        assert chip.chip.flash == b"\xff" * len(chip.chip.flash)
        assert not visit.page.is_disabled("#flash-write")


def test_a_user_who_chooses_no_port(browser: Any, address: str) -> None:
    def nothing(page: Any) -> None:
        page.add_init_script(
            """Object.defineProperty(navigator, 'serial', {value: {requestPort: async () => {
                throw new DOMException('No port selected by the user.', 'NotFoundError');
            }}})"""
        )

    with visiting(browser, address, nothing) as visit:
        visit.page.click("#connect")
        assert visit.text("board-state") == "not connected"


def test_a_browser_without_web_serial_says_so(browser: Any, address: str) -> None:
    def without(page: Any) -> None:
        page.add_init_script("delete Navigator.prototype.serial")

    with visiting(browser, address, without) as visit:
        assert visit.page.is_visible("#serial-advice")
        assert not visit.page.is_visible("#connect")
        assert not visit.page.is_visible("#flash")


def test_frames_in_the_page_are_those_of_python(browser: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    """COBS and CRC of bodies with zeros, runs of 253 to 256 and many lengths, in both directions."""
    bodies = [bytes(range(1, 256)) * 2, bytes(600), b"", *(b"\7" * size for size in range(248, 262))]
    bodies += [rng.integers(0, 4, int(size)).astype(np.uint8).tobytes() for size in rng.integers(0, 600, 40)]
    frames = [Frame(INFER, 7, 3, body).encoded() for body in bodies]
    text = b"garbage\0and text"
    run = """
        const [bodies, line] = JSON.parse(document.getElementById('input').textContent);
        const sent = bodies.map(body => Array.from(frame(message(2, 7, 3, Uint8Array.from(body)))));
        const splitter = new Splitter();
        const items = line.flatMap(byte => splitter.take([byte]));
        document.getElementById('output').textContent = JSON.stringify([
            sent, items.map(item => typeof item === 'string' ? item : Array.from(item.body)),
        ]);
    """
    given = json.dumps([list(map(list, bodies)), list(text + b"".join(frames))])
    place = '<script type="application/json" id="{}">{}</script>'
    page = f"{place.format('input', given)}{place.format('output', '')}<script type='module'>{script('protocol')}{run}"
    (tmp_path / "frames.html").write_text(f"<!doctype html>{page}</script>", encoding="utf-8")
    context = browser.new_context()
    visit = context.new_page()
    visit.goto((tmp_path / "frames.html").as_uri())
    sent, items = json.loads(visit.locator("#output").text_content())
    context.close()
    assert [bytes(data) for data in sent] == frames
    assert items[:2] == ["garbage", "and text"]
    assert [bytes(body) for body in items[2:]] == bodies
