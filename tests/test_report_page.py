# SPDX-License-Identifier: MIT
"""The page of a report: what is in it, whatever the document is; nothing hostile, nothing loaded, never too large."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from networks import IMAGE, READINGS
from reports import HOSTILE, hostile, made_up, with_rows

from qnn.report.comparisons import MOST, comparisons
from qnn.report.figures.memory import memory_plan
from qnn.report.figures.pareto import WIDTH, Point, pareto
from qnn.report.figures.places import FONT, line_areas, names
from qnn.report.figures.svg import LETTER, axis
from qnn.report.page import report_page
from qnn.report.standouts import best_row, standouts

LARGEST = 1_500_000  # bytes of a page of thirty rows of a network of five layers
TAGS = {
    *"html head meta title style body header h1 h2 h3 h4 p dl div dt dd small nav a main section".split(),
    *"figure figcaption svg line text circle polyline path rect table caption thead tbody tr th td".split(),
    *"details summary span ul li img br code".split(),
}


class Page(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        """How many such tags there are."""
        return sum(one == tag for one, _ in self.tags)


@pytest.fixture(scope="module")
def pictures() -> Any:
    """A classifier of pictures at two widths, every name in it hostile."""
    return made_up(IMAGE, ("4", "8"), hostile)


@pytest.fixture(scope="module")
def readings() -> Any:
    """A regression."""
    return made_up(READINGS, ("8",), hostile)


def test_a_page_holds_every_figure(pictures: Any) -> None:
    page = Page(report_page("t", pictures))
    names = [str(attributes.get("aria-label")) for tag, attributes in page.tags if tag == "svg"]
    for beginning, count in (("Plot of accuracy against bytes of flash", 1), ("Plot of accuracy against RV32", 1)):
        assert sum(name.startswith(beginning) for name in names) == count
    assert sum(name.startswith("Memory plan") for name in names) == 2
    assert sum(name.startswith("Histogram of dense1") for name in names) == 4
    shown = sum(len(row["wrong"]["shown"]) for row in pictures["rows"])
    assert page.count("img") == shown > 20
    assert page.count("details") == 2
    for text in ("Confusion matrix: 4 bits", "What each layer takes: 8 bits", "made up", pictures["command"]):
        assert text in page.text
    assert sum("open" in attributes for tag, attributes in page.tags if tag == "details") == 1


def test_nothing_hostile_becomes_markup(pictures: Any, readings: Any) -> None:
    for document in (pictures, readings):
        changed = json.loads(json.dumps(document).replace("dense1", json.dumps(HOSTILE)[1:-1]))
        changed["failed"] = [{"label": HOSTILE, "reason": HOSTILE}]
        changed["rows"][0] |= {
            "label": HOSTILE,
            "bits": HOSTILE,
            "crash": HOSTILE,
            "command": HOSTILE,
            "method": HOSTILE,
            "mismatches": None,
        }
        changed["rows"][0]["targets"][HOSTILE] = {"engine": HOSTILE, "compiler": HOSTILE, "crash": HOSTILE}
        for one in changed["rows"][0].get("wrong", {}).get("shown", ())[:1]:
            one["picture"] = HOSTILE
        page = Page(report_page(HOSTILE, changed))
        assert {tag for tag, _ in page.tags} <= TAGS
        assert page.text.count(HOSTILE) > 30
        for _, attributes in page.tags:
            assert not any(name.startswith("on") or name == "style" for name in attributes)
            for name in ("src", "href"):
                assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))


def test_the_tests_notice_a_text_that_is_not_escaped(pictures: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qnn.report.html.escape", lambda text, quote: text)
    assert "script" in {tag for tag, _ in Page(report_page("<script>", pictures)).tags}


def test_thirty_rows_stay_small(pictures: Any) -> None:
    rows = [row | {"bits": f"w{index}a8"} for index in range(15) for row in copy.deepcopy(pictures["rows"])]
    page = report_page("t", with_rows(pictures, rows))
    assert len(page.encode()) < LARGEST


@pytest.mark.parametrize("metric", ["accuracy", "rmse"])
def test_odd_documents(metric: str, pictures: Any, readings: Any) -> None:
    document = pictures if metric == "accuracy" else readings
    (row, *_) = document["rows"]
    bare = {key: row[key] for key in row if key not in ("classes", "confusion", "wrong", "histograms", "memory_plan")}
    unknown = dict.fromkeys(("flash_bytes", "code_bytes", "stack_bytes", "ram_bytes", "instructions", "cycles_ram"))
    cases = ([], [row], [row, row], [bare], [row | unknown], [row | {metric: 0.0}], [row, row | {metric: 0.9}])
    for rows in cases:
        for told in (document, {"command": "c"}):  # with a float network and without
            page = Page(report_page("t", with_rows(told, list(rows), [{"bits": 3, "reason": "of bad luck"}])))
            assert "nan" not in page.text.lower()
            assert "of bad luck" in page.text
            assert page.count("details") == len(rows)
    baseline = {"name": "a line", metric: 0.25, "residuals": row.get("residuals", [])}
    page = Page(report_page("t", with_rows(document | {"baseline": baseline}, [row])))
    assert f"a line {'25.00 %' if metric == 'accuracy' else '0.25'}" in page.text


def test_rows_that_differ_in_one_thing_stand_side_by_side(pictures: Any) -> None:
    row = pictures["rows"][0]
    row = row | {"seed": 0}
    rows = [row | {"method": "mse", "accuracy": 0.5}, row | {"method": "minmax", "accuracy": 0.4, "instructions": 1.0}]
    rows += [row | {"method": "mse", "seed": seed, "accuracy": 0.5 + seed / 10} for seed in (1, 2)]
    page = Page(report_page("t", with_rows(pictures, rows)))
    assert "-10.00 points" in page.text
    assert "50.00 %60.00 %70.00 %" in page.text


def test_what_does_not_apply_to_a_row_does_not_separate_it() -> None:
    """Narrow weights are rounded in several ways, of which 8 bits know none; 16 bits know no method either."""

    def row(bits: int, method: str | None = "mse", rounding: str | None = None, seed: int = 0) -> dict[str, Any]:
        figures = {"accuracy": 0.5 + bits / 100, "flash_bytes": bits, "instructions": None}
        return {"seed": seed, "bits": bits, "method": method, "rounding": rounding, **figures}

    def changes(*rows: dict[str, Any]) -> list[tuple[str, ...]]:
        return [line[:4] for line in comparisons(rows, "accuracy")]

    four, other = row(4, rounding="nearest"), row(4, rounding="gptq")
    assert changes(four, row(8)) == [("bits", "4 bits", "8 bits", "")]
    assert changes(four, other, row(8)) == [
        ("rounding", "nearest", "gptq", "4 bits"),
        ("bits", "4 bits", "8 bits", "nearest"),
        ("bits", "4 bits", "8 bits", "gptq"),
    ]
    assert changes(row(8), row(16, None), other) == [
        ("bits", "8 bits", "16 bits", ""),
        ("bits", "8 bits", "4 bits", ""),
    ]
    assert changes(row(8), row(16, None), row(8, "minmax"))[1:] == [
        ("bits", "8 bits", "16 bits", "mse"),
        ("bits", "16 bits", "8 bits", "minmax"),
    ]
    assert changes(four, row(8, seed=1)) == []
    assert changes(four, row(8, "minmax")) == []
    methods = [row(8, f"method {index}") for index in range(MOST + 2)]
    assert len(changes(*methods)) == MOST


def costing(accuracy: float, flash: int | None, instructions: float | None = None, differs: int = 0) -> dict[str, Any]:
    figures = {"flash_bytes": flash, "instructions": instructions}
    return {"accuracy": accuracy, "rmse": 1 - accuracy, "mismatches": differs, **figures}


@pytest.mark.parametrize("metric", ["accuracy", "rmse"])
def test_rows_that_stand_out_are_the_better_of_equal_ones(metric: str) -> None:
    every = ["best", "smallest", "fastest"]
    rows = [costing(0.5, 9, 7.0), costing(0.6, 9, 7.0), costing(0.7, 10, 8.0), costing(0.7, 10, 7.5)]
    assert standouts(rows, metric) == {3: ["best"], 1: ["smallest", "fastest"]}
    assert standouts([costing(0.5, None), costing(0.5, 9), costing(0.4, 1)], metric) == {1: ["best"], 2: ["smallest"]}
    assert standouts([costing(0.9, 1, 1.0, differs=1), costing(0.5, 9, 7.0)], metric) == {1: every}
    assert standouts([costing(0.9, 1, 1.0, differs=1)], metric) == {0: every}
    assert standouts([], metric) == {}
    assert best_row([], metric) is None


@pytest.mark.parametrize("values", [[5.0], [0.0], [-3.0, 8.0], [1.0, 100_000.0], [99.2, 99.3, 99.25], [1e-9, 2e-9]])
@pytest.mark.parametrize("bends", [False, True])
def test_axes_hold_their_values_and_have_ticks(values: list[float], bends: bool) -> None:
    found = axis(values, 40, 300, 5, bends)
    assert found.logarithmic == (bends and max(values) > 12 * min(values) > 0)
    assert all(40 < found.at(value) < 300 or value == 0 == found.low for value in values)
    assert 1 <= len(found.ticks) <= 8
    assert all(found.low <= tick <= found.high for tick in found.ticks)
    assert sorted(found.ticks) == list(found.ticks)


def test_the_policy_names_the_style_and_nothing_else(pictures: Any) -> None:
    page = report_page("t", pictures)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert re.fullmatch(
        r"default-src &#x27;none&#x27;; style-src &#x27;sha256-[\w+/]{43}=&#x27;; img-src data:; "
        r"base-uri &#x27;none&#x27;; form-action &#x27;none&#x27;",
        policy,
    )


def test_names_in_plots_keep_clear_of_points_and_lines_where_they_can() -> None:
    """Beside its point a name would lie on the line to the right; on the left there is another point; above is free."""
    within, taken = (0.0, 0.0, 200.0, 100.0), [(60.0, 45.0, 90.0, 55.0)]
    (found,) = names([(100, 50, "name")], within, taken, line_areas([(100, 50), (200, 50)]))
    assert 'x="100" y="42" text-anchor="middle"' in found
    assert len(taken) == 2
    assert names([(100, 50, "name")], within, [within], []) == []


def test_instructions_that_nobody_counted_are_predicted_ones(pictures: Any) -> None:
    row = copy.deepcopy(pictures["rows"][0])
    del row["targets"]["rv32"]["profile"]
    row["nodes"][0]["instructions"] = 12345
    page = Page(report_page("t", with_rows(pictures, [row]))).text
    assert "12,345" in page
    assert "Instructions are predicted" in page
    assert "Instructions are those of one sample" in Page(report_page("t", pictures)).text


def test_places_in_memory_are_named_in_or_beside_them() -> None:
    def place(tensor: str, offset: int, size: int, first: str, last: str) -> dict[str, Any]:
        ends = {"first_node": first, "last_node": last, "workspace_of": None, "in_place_of": None}
        return {"tensor": tensor, "offset": offset, "bytes": size, **ends}

    nodes = [{"name": name} for name in ("a", "b", "c")]
    places = [place("narrow", 0, 1, "a", "b"), place("wide", 1, 999, "b", "c"), place("crowded", 0, 1, "c", "c")]
    page = memory_plan({"nodes": nodes, "memory_plan": places, "scratch_bytes": 1000})
    assert [f">{name}</text>" in page for name in ("narrow", "wide", "crowded")] == [True, True, False]
    assert page.count("<rect") == 3


def test_the_numbers_of_an_axis_are_not_cut_off() -> None:
    points = [Point(str(cost), cost, 0.9, front=True, exact=True) for cost in (6516.0, 16753.0)]
    page = pareto("accuracy", points, [], "bytes of flash")
    found = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">([\d,]+)<', page)
    assert "17,500" in [text for _, text in found]
    assert all(float(x) + len(text) * FONT * LETTER / 2 <= WIDTH for x, text in found)
