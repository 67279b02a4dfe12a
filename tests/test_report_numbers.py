# SPDX-License-Identifier: MIT
"""Every figure on the page of a report is the one in its JSON: what stands there is read back as numbers."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from networks import IMAGE, READINGS
from reports import made_up

from qnn.report.page import report_page

REAL = Path(__file__).parent / "models" / "report.json"  # of networks for MNIST
FIGURES = {
    "weights B": "weights_bytes",
    "tables B": "tables_bytes",
    "structs B": "structs_bytes",
    "code B": "code_bytes",
    "flash B": "flash_bytes",
    "scratch B": "scratch_bytes",
    "stack B": "stack_bytes",
    "RAM B": "ram_bytes",
    "MACs": "macs",
    "instructions": "instructions",
    "est. cycles, RAM": "cycles_ram",
    "est. cycles, flash": "cycles_flash",
    "mismatches": "mismatches",
    "saturated": "saturated",
}
Cells = dict[str, str]  # of a row, by the heads of the columns


@dataclass(frozen=True)
class Read:
    """What a page holds: rows by the captions of tables and their first cells (by second ones where these are equal),
    the names of drawings and their tips, and its text."""

    tables: dict[str, dict[str, Cells]]
    drawings: tuple[str, ...]
    tips: tuple[str, ...]
    text: str


class Reader(HTMLParser):
    """Reads a page as a browser would show it, without its style."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, dict[str, Cells]] = {}
        self.drawings: list[str] = []
        self.tips: list[str] = []
        self.pieces: list[str] = []
        self._open: list[str] = []
        self._caption, self._heads, self._row = "", list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        if tag == "svg":
            self.drawings.append(str(dict(attrs).get("aria-label")))
        if tag == "caption":
            self._caption, self._heads = "", []
        if tag == "tr":
            self._row = []
        if tag in ("td", "th"):
            self._row.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr" and "thead" in self._open:
            self._heads = self._row
        elif tag == "tr":
            found = self.tables.setdefault(self._caption, {})
            name = self._row[0] if self._row[0] not in found else f"{self._row[0]}, {self._row[1]}"
            found[name] = dict(zip(self._heads, self._row, strict=True))
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        data = data.replace("\N{SOFT HYPHEN}", "")
        if {"style", "title"} & {*self._open}:
            self.tips += [data] if "svg" in self._open else []
            return
        self.pieces.append(data)
        if "caption" in self._open:
            self._caption += data
        elif {"td", "th"} & {*self._open}:
            self._row[-1] += data


def read(document: Any) -> Read:
    reader = Reader()
    reader.feed(report_page("t", document))
    return Read(reader.tables, tuple(reader.drawings), tuple(reader.tips), " ".join("".join(reader.pieces).split()))


def number(cell: str) -> float:
    return float(cell.removesuffix(" %").replace(",", ""))


def near(cell: str, value: float, digits: int = 0) -> bool:
    """Is the cell that value, rounded to so many places?"""
    return abs(number(cell) - value) <= 0.5 * 10.0**-digits + 1e-9


@pytest.fixture(scope="module", params=["mnist", "pictures", "readings"])
def document(request: pytest.FixtureRequest) -> Any:
    """A real report of five rows, and two of random networks."""
    if request.param == "mnist":
        return json.loads(REAL.read_text())
    return made_up(IMAGE, ("4", "8"), lambda model: model) if request.param == "pictures" else made_up(READINGS, ("8",))


@pytest.fixture(scope="module")
def page(document: Any) -> Read:
    """Its page."""
    return read(document)


def test_the_table_of_rows_is_that_of_the_json(document: Any, page: Read) -> None:
    for row in document["rows"]:
        cells = page.tables["All rows"][row["label"]]
        for head, key in FIGURES.items():
            assert near(cells[head], row[key]), (row["label"], key)
        if "accuracy" in row:
            assert near(cells["score"], 100 * row["accuracy"], 2)
        else:
            assert number(cells["score"]) == pytest.approx(row["rmse"], rel=1e-4)
        assert number(cells["flash B"]) == sum(
            number(cells[f"{part} B"]) for part in ("weights", "tables", "structs", "code")
        )
        assert number(cells["RAM B"]) == number(cells["scratch B"]) + number(cells["stack B"])
        for index, target in enumerate(row.get("per_target", ())):
            found = page.tables["Targets"][row["label"] if index == 0 else f"{row['label']}, {target['name']}"]
            assert number(found["largest error"]) == pytest.approx(target["max_error"], rel=1e-4)


def test_layers_memory_and_histograms_are_those_of_the_json(document: Any, page: Read) -> None:
    for row in document["rows"]:
        (profile,) = (found["profile"] for found in row["targets"].values() if found.get("profile"))
        counted = {layer["name"]: layer["instructions"] for layer in profile["layers"]}
        ratios = {entry["tensor"]: entry["sqnr_db"] for entry in row["sqnr"]}
        for node in row["nodes"]:
            cells = page.tables[f"What each layer takes: {row['label']}"][node["name"]]
            assert number(cells["bytes"]) == node["weights"] + node["tables"] + node.get("structs", 0)
            assert number(cells["MACs"]) == node["macs"]
            assert (cells["instructions"] or "0") == f"{counted.get(node['name'], 0):,}"
            if ratios.get(node["name"]) is not None:
                assert near(cells["SQNR, dB"], ratios[node["name"]], 1)
        total = page.tables[f"Instructions: {row['label']}, rv32"]["total"]["instructions"]
        assert number(total) == profile["instructions"]
        for place in row["memory_plan"]:
            told = (
                f": {place['bytes']:,} bytes at {place['offset']:,}, from {place['first_node']} to {place['last_node']}"
            )
            assert any(told in tip for tip in page.tips)
        for one in (shown for group in row.get("histograms", {}).values() for shown in group):
            part = f"{100 * one['outside'] / one['total']:.2g} % clipped" if one["outside"] else "none clipped"
            assert any(name.startswith(f"Histogram of {one['name']}: ") and part in name for name in page.drawings)


def test_mistakes_are_those_of_the_json(document: Any, page: Read) -> None:
    for row in document["rows"]:
        if "confusion" not in row:
            continue
        for name, counts in zip(row["classes"], row["confusion"], strict=True):
            cells = list(page.tables[f"Confusion matrix: {row['label']}"][name].values())
            assert [int(number(cell or "0")) for cell in cells[1:-1]] == counts
        assert f"{row['wrong']['count']:,} samples wrong; {len(row['wrong']['shown'])} of them" in page.text
        for one in row["wrong"]["shown"]:
            right, given = (row["classes"][one[key]] for key in ("right", "given"))
            assert f"{right} → {given}#{one['sample']}" in page.text


def test_exactness_versions_and_the_command_are_those_of_the_json(document: Any, page: Read) -> None:
    for row in document["rows"]:
        cells = page.tables["Values that differ"][row["label"]]
        for name, target in row["targets"].items():
            (cell,) = (cells[head] for head in cells if head.startswith(f"{name}: ") and target["compiler"] in head)
            assert int(number(cell)) == target["mismatches"]
    assert document["command"] in page.text
    assert all(f"{name} {version}" in page.text for name, version in document["versions"].items())
    assert all(network["model_sha256"][:12] in page.text for network in document["networks"])


def test_plots_and_cards_name_the_rows_of_the_json(document: Any, page: Read) -> None:
    metric = "accuracy" if "accuracy" in document["rows"][0] else "rmse"
    for row in document["rows"]:
        score = f"{100 * row['accuracy']:.2f} %" if metric == "accuracy" else f"{row['rmse']:.5g}"
        for key, unit in (("flash_bytes", "bytes of flash"), ("instructions", "RV32 instructions")):
            assert f"{row['label']}: {score}, {row[key]:,.0f} {unit}" in page.tips
    least = min(document["rows"], key=lambda row: row["flash_bytes"])
    assert re.search(
        rf"smallest[^:]*: {re.escape(least['label'])}.*?{least['flash_bytes']:,} bytes of flash", page.text
    )


def test_a_wrong_figure_is_noticed(document: Any) -> None:
    """These tests see each figure that is another one on the page."""
    changed = copy.deepcopy(document)
    changed["rows"][0]["flash_bytes"] += 1
    with pytest.raises(AssertionError):
        test_the_table_of_rows_is_that_of_the_json(document, read(changed))
    changed["rows"][-1]["memory_plan"][0]["bytes"] += 1
    with pytest.raises(AssertionError):
        test_layers_memory_and_histograms_are_those_of_the_json(document, read(changed))
