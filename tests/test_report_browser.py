# SPDX-License-Identifier: MIT
"""The page of a report in a real browser: quiet, readable on a phone, in the dark, on paper, by keyboard and by ear."""

from __future__ import annotations

import itertools
import json
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from networks import IMAGE, READINGS
from pages import DESKTOP, Visit, visiting
from reports import hostile, made_up
from test_page_access import faults

from qnn.report.page import report_page

SMALL_PHONE = {"width": 360, "height": 740}
PAPER = {"width": 703, "height": 1000}  # CSS pixels of A4 within the margins
LOOKS = {"light": ("pictures", "light", DESKTOP), "dark phone": ("pictures", "dark", SMALL_PHONE)}
LOOKS["regression"] = ("readings", "light", SMALL_PHONE)
TEXT_CONTRAST = 4.5
READY = "main"
DOCS, PICTURE_NAME = Path(__file__).parent.parent / "docs", "report.png"
PICTURE = {"width": 1100, "height": 860}
REPORT = Path(__file__).parent / "models" / "report.json"  # of all 10,000 test images of MNIST
CUT_OFF = """[...document.querySelectorAll('svg text')].filter(text => {
    const part = text.getBoundingClientRect(), whole = text.closest('svg').getBoundingClientRect();
    return part.left < whole.left - 1 || part.right > whole.right + 1 ||
        part.top < whole.top - 1 || part.bottom > whole.bottom + 1;
}).map(text => text.textContent)"""
OPEN = "document.querySelectorAll('details').forEach(part => { part.open = true; })"


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """Reports with hostile names: a classifier of pictures at two widths, and a regression."""
    return {"pictures": made_up(IMAGE, ("4", "8"), hostile), "readings": made_up(READINGS, ("8",), hostile)}


@pytest.fixture(scope="module")
def addresses(documents: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The addresses of their pages."""
    folder = tmp_path_factory.mktemp("report")
    for name, document in documents.items():
        (folder / f"{name}.html").write_text(report_page(name, document), encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in documents}


@contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[Visit]:
    """A Visit with every row open; at its end nothing was asked for, and nobody complained."""
    with visiting(browser, address, ready=READY, **options) as visit:
        visit.page.evaluate(OPEN)
        yield visit


@pytest.mark.parametrize("look", LOOKS)
def test_it_is_accessible_and_never_wider_than_the_screen(look: str, browser: Any, addresses: dict[str, str]) -> None:
    name, scheme, viewport = LOOKS[look]
    with opened(browser, addresses[name], color_scheme=scheme, viewport=viewport) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        assert faults(visit) == []
        assert visit.page.evaluate("[...document.images].every(picture => picture.naturalWidth > 0)")
        assert visit.page.evaluate(CUT_OFF) == []


def test_it_has_landmarks_headings_in_order_and_named_figures(browser: Any, addresses: dict[str, str]) -> None:
    with opened(browser, addresses["pictures"]) as visit:
        tree = visit.page.locator("body").aria_snapshot()
        for role in ("banner", "navigation", "main", "region"):
            assert re.search(rf"^\s*- {role}\b", tree, re.MULTILINE), role
        levels = [int(level) for level in re.findall(r"heading .*\[level=(\d)\]", tree)]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        assert not re.search(r"^\s*- '?(img|table|figure)(:| \[|$)", tree, re.MULTILINE)  # one without a name
        assert len(re.findall(r"^\s*- '?img \"", tree, re.MULTILINE)) > 20


def test_the_keyboard_reaches_and_opens_every_row(browser: Any, addresses: dict[str, str]) -> None:
    with visiting(browser, addresses["pictures"], ready=READY) as visit:
        reached: set[str] = set()
        rows = visit.page.evaluate("document.querySelectorAll('summary').length")
        for _ in range(40):
            visit.page.keyboard.press("Tab")
            if visit.page.evaluate("document.activeElement.tagName === 'SUMMARY'"):
                assert visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
                before = visit.page.evaluate("document.activeElement.parentElement.open")
                visit.page.keyboard.press("Enter")
                assert visit.page.evaluate("document.activeElement.parentElement.open") != before
                reached.add(visit.page.evaluate("document.activeElement.textContent"))
                if len(reached) == rows:
                    break
        assert len(reached) == rows == 2


def test_it_prints_in_light_colours_within_the_paper(browser: Any, addresses: dict[str, str]) -> None:
    with opened(browser, addresses["pictures"], color_scheme="dark", viewport=PAPER) as visit:
        assert _background(visit) != "rgb(255, 255, 255)"
        visit.page.emulate_media(media="print")
        assert _background(visit) == "rgb(255, 255, 255)"
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= PAPER["width"]
        printed = visit.page.pdf(format="A4")
        assert printed.startswith(b"%PDF")
        assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 30


def _background(visit: Visit) -> str:
    found: str = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_texts_of_drawings_can_be_read(scheme: str, browser: Any, addresses: dict[str, str]) -> None:
    """axe looks at texts of HTML alone."""
    with opened(browser, addresses["pictures"], color_scheme=scheme) as visit:
        panel = visit.page.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
        fills = visit.page.evaluate(
            "[...new Set([...document.querySelectorAll('svg text')].map(text => getComputedStyle(text).fill))]"
        )
        assert len(fills) == 2
        assert min(_contrast(_rgb(fill), _rgb(panel)) for fill in fills) >= TEXT_CONTRAST


def test_the_policy_bites(browser: Any, documents: dict[str, Any], tmp_path: Path) -> None:
    """A page with a style, a script or a picture of its own is complained of: silence elsewhere means something."""
    page = report_page("t", documents["readings"])
    for extra in ('<p style="color: red">x</p>', "<script>1</script>", '<img src="https://example.org/a.png" alt="">'):
        path = tmp_path / "page.html"
        path.write_text(page.replace("</main>", extra + "</main>"), encoding="utf-8")
        context = browser.new_context()
        visit = Visit(context.new_page())
        visit.page.on("console", lambda said, visit=visit: visit.complaints.append(said.text))
        visit.page.goto(path.as_uri())
        assert len(visit.complaints) == 1
        assert "Content Security Policy" in visit.complaints[0]
        context.close()


def test_the_pictures_of_the_report_in_the_readme(browser: Any, tmp_path: Path) -> None:
    """It is made anew, of a committed report, into $QNN_PICTURES where that is set (make pictures)."""
    path, folder = tmp_path / "report.html", Path(os.environ.get("QNN_PICTURES") or tmp_path)
    path.write_text(report_page("MNIST: accuracy versus size", json.loads(REPORT.read_text())), encoding="utf-8")
    with visiting(browser, path.as_uri(), ready=READY, viewport=PICTURE) as visit:
        assert visit.page.evaluate(CUT_OFF) == []
        visit.page.screenshot(path=str(folder / PICTURE_NAME))
    for name in (folder / PICTURE_NAME, DOCS / PICTURE_NAME):
        data = name.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert struct.unpack(">II", data[16:24]) == (PICTURE["width"], PICTURE["height"])
    assert f"](docs/{PICTURE_NAME})" in (DOCS.parent / "README.md").read_text(encoding="utf-8")


def _rgb(text: str) -> list[float]:
    return [int(number) / 255 for number in re.findall(r"\d+", text)[:3]]


def _contrast(one: list[float], other: list[float]) -> float:
    """As WCAG 2 defines it."""
    light = []
    for colour in (one, other):
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
        light.append(0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05)
    return max(light) / min(light)
