# SPDX-License-Identifier: MIT
"""The page of models whose inputs are no pictures: sliders, number fields, values in their unit, a curve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import BINARY, BYTES, READINGS, Example, model_of, samples_of, write_example
from pages import PHONE, visiting, write_page

from qnn.calibration import calibrate
from qnn.compiler import compile_model, emit
from qnn.data import load
from qnn.engines.interface import interface_of
from qnn.graph import Graph
from qnn.graphfile import load_graph
from qnn.modelfile import load_model
from qnn.page.document import content, no_samples, pick, preparation_of
from qnn.page.wasm import compile_module, wasm_compiler
from qnn.schema import Feature
from qnn.simulator import simulate
from qnn.widths import widths_named

THERMOMETER = Path(__file__).parent.parent / "calibration" / "thermistor" / "model.qnn"


def page_of(graph: Graph, folder: Path, x: np.ndarray, y: np.ndarray | None) -> str:
    """The address of a page of a graph, with samples."""
    emit(graph, folder)
    module = compile_module(folder, interface_of(graph), wasm_compiler())
    samples = pick(graph, x, y, 5) if len(x) else no_samples(graph)
    return write_page(folder / "page.html", graph, content(graph, module, samples, preparation_of(graph)))


@pytest.fixture(scope="module")
def thermometer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, str]:
    """The thermometer's graph, and the address of its page."""
    folder = tmp_path_factory.mktemp("thermometer")
    model = load_model(THERMOMETER)
    graph = compile_model(model, calibrate(model, model.samples), "thermometer").graph
    data = load("thermistor")
    return graph, page_of(graph, folder, data.x[data.test], None if data.y is None else data.y[data.test])


def test_fields_and_sliders_set_raw_inputs(browser: Any, thermometer: tuple[Graph, str]) -> None:
    graph, address = thermometer
    with visiting(browser, address) as visit:
        assert visit.text("golden") == "golden vectors: all 21 equal to the simulator, every layer"
        values = [900, 910, 2600, 1950, 1100]
        for index, value in enumerate(values):
            visit.page.fill(f"#feature-{index}", str(value))
        visit.settle()
        expected = simulate(graph, np.array([values], np.int32))
        value, decimals = int(expected["value"][0, 0]), int(graph.node("value").op.decimals[0])  # type: ignore[attr-defined]
        assert visit.text("answer") == f"temperature {value / 10**decimals:.{decimals}f}"
        assert visit.page.inner_text("#answer-rows .strong") == f"{value / 10**decimals:.{decimals}f}"
        slider = visit.page.locator(".feature input[type=range]").first
        slider.focus()
        visit.page.keyboard.press("ArrowRight")
        visit.settle()
        assert visit.page.input_value("#feature-0") == "901"
        moved = simulate(graph, np.array([[901, *values[1:]]], np.int32))
        assert visit.page.inner_text("#answer-rows tr td:last-child") == str(int(moved["value"][0, 0]))
        visit.page.fill("#feature-0", "4000")
        assert visit.page.inner_text(".feature .warning") == "saturates"


def test_the_curve_is_the_network_over_one_input(browser: Any, thermometer: tuple[Graph, str]) -> None:
    graph, address = thermometer
    with visiting(browser, address) as visit:
        visit.page.select_option("#curve-input", label="supply")
        drawn = visit.page.evaluate(
            """() => {
                const {curve, sliders} = qnn.playground;
                const points = document.querySelector('#curve .line').getAttribute('points').split(' ');
                const {low, span, floor, tall} = curve.frame;
                const heights = points.map(point => Number(point.split(',')[1]));
                return {values: sliders.values, low, span, floor, tall, heights};
            }"""
        )
        count = len(drawn["heights"])
        assert count > 100
        x = np.array([drawn["values"]] * count, np.int32)
        steps = drawn["low"] + np.floor(np.arange(count) * drawn["span"] / (count - 1) + 0.5)
        x[:, 2] = steps
        heights = simulate(graph, x)["value"][:, 0] / 10.0 ** graph.node("value").op.decimals[0]  # type: ignore[attr-defined]
        pixels = 280 - 34 - (heights - drawn["floor"]) / drawn["tall"] * (280 - 12 - 34)
        assert np.abs(pixels - drawn["heights"]).max() <= 0.051
        before = visit.page.get_attribute("#curve", "aria-label")
        visit.page.select_option("#curve-input", label="bridge")
        assert visit.page.get_attribute("#curve", "aria-label") != before


def test_samples_set_every_input(browser: Any, thermometer: tuple[Graph, str]) -> None:
    _, address = thermometer
    data = load("thermistor")
    rows = data.x[data.test]
    with visiting(browser, address, viewport=PHONE) as visit:
        visit.page.locator(".sample").nth(4).click()
        shown = [visit.page.input_value(f"#feature-{index}") for index in range(5)]
        assert shown == [str(value) for value in rows[-1].tolist()]
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("example", [READINGS, BINARY, BYTES], ids=lambda example: example.name)
def test_other_models(example: Example, browser: Any, tmp_path: Path) -> None:
    """Two targets; one output for two classes; bytes with logits: page and simulator agree on every value."""
    graph = load_graph(write_example(example, tmp_path / "build") / "model.qnn")
    x = samples_of(example, 40, 5)
    address = page_of(graph, tmp_path / "page", x, None)
    expected = simulate(graph, x)
    with visiting(browser, address) as visit:
        assert visit.text("golden").startswith("golden vectors: all 21 equal")
        found = visit.run(x)
        assert np.array_equal(found["outputs"], expected[graph.output])
        for head in graph.heads:
            assert np.array_equal(found[head.name], expected[head.name])
        visit.page.locator(".sample").nth(2).click()
        names = graph.schema.classes or graph.schema.targets
        assert visit.page.locator("#answer-rows tr").count() == len(names)
        assert visit.text("answer") == (str(expected["class"][20, 0]) if graph.schema.classes else visit.text("spoken"))


@pytest.mark.parametrize("bits", ["16", "w8a16", "w16a8"])
def test_other_widths(bits: str, browser: Any, tmp_path: Path) -> None:
    model = model_of(READINGS)
    build = compile_model(model, calibrate(model, model.samples), "readings", widths=widths_named(bits))
    x = samples_of(READINGS, 20, 6)
    address = page_of(build.graph, tmp_path, x, None)
    expected = simulate(build.graph, x)
    with visiting(browser, address) as visit:
        assert visit.text("golden").startswith("golden vectors: all 21 equal")
        found = visit.run(x)
        assert np.array_equal(found["outputs"], expected[build.graph.output])
        assert np.array_equal(found["value"], expected["value"])


def test_a_value_with_decimals_is_typed_in_its_unit(browser: Any, tmp_path: Path) -> None:
    graph = load_graph(write_example(READINGS, tmp_path / "build") / "model.qnn")
    features = tuple(Feature(f"f{index}", index) for index in range(5))
    graph = replace(graph, schema=replace(graph.schema, features=features))
    address = page_of(graph, tmp_path / "page", samples_of(READINGS, 3, 1), None)
    with visiting(browser, address) as visit:
        visit.page.fill("#feature-2", "-1.25")
        visit.settle()
        assert visit.page.evaluate("qnn.playground.sliders.values[2]") == -125
        assert visit.page.locator(".feature").nth(2).locator(".note").inner_text() == "raw -125"
        visit.page.fill("#feature-2", "99999999999999")
        assert visit.page.evaluate("qnn.playground.sliders.values[2]") == 2**31 - 1
