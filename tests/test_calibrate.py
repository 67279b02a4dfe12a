# SPDX-License-Identifier: MIT
"""Ranges, scales files, and how they become types."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import IMAGE, READINGS, model_of, samples_of

from qnn.calibration import calibrate
from qnn.errors import QnnError
from qnn.forward import activations
from qnn.lowering import activation_type, output_type
from qnn.quantization import quantize
from qnn.ranges import METHODS, find_range
from qnn.scales import Scales, load_scales, save_scales, scales_bytes
from qnn.simulator import simulate
from qnn.widths import widths_named


@given(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False, width=32), min_size=1, max_size=60),
    st.sampled_from(METHODS),
)
def test_every_range_is_in_order_and_within_what_was_seen(values: list[float], method: str) -> None:
    found = find_range(np.array(values, dtype=np.float64), method)
    assert found.minimum <= found.maximum
    assert min(found.minimum, 0) <= found.low <= 0 <= found.high <= max(found.maximum, 0)
    for bound in (found.minimum, found.maximum, found.low, found.high):
        assert bound == float(np.float32(bound))


def squared_error(values: np.ndarray, bounds: tuple[float, float], bits: int) -> float:
    """The mean squared error of the steps of so many bits within the bounds."""
    (low, high), most = bounds, (1 << bits) - 1
    step = (high - low) / most
    return float(np.mean((values - np.clip(np.round((values - low) / step), 0, most) * step - low) ** 2))


def quantization_error(values: np.ndarray, method: str) -> float:
    """The mean squared error of 256 steps over the range that `method` finds."""
    return squared_error(values, find_range(values, method).of(8), 8)


def test_few_steps_have_a_range_of_their_own(rng: np.random.Generator) -> None:
    """Near the least squared error of any range; the more is clipped the fewer steps there are."""
    values = np.maximum(rng.standard_t(4, size=20_000), 0)
    found = find_range(values, "mse")
    ends = [found.of(bits)[1] for bits in (4, 5, 6, 7, 8)]
    assert ends == sorted(ends)
    for bits in (4, 5, 6, 7):
        least = min(squared_error(values, (0.0, high), bits) for high in np.linspace(0.02, 1, 200) * found.maximum)
        assert squared_error(values, found.of(bits), bits) <= 1.02 * least
        assert squared_error(values, found.of(bits), bits) < squared_error(values, (found.low, found.high), bits)
    assert find_range(values, "percentile").of(4) == find_range(values, "percentile").of(8)


def test_activations_of_few_bits_take_their_range() -> None:
    model = model_of(IMAGE)
    scales = calibrate(model, model.samples)
    name = next(node.name for node in model.nodes if node.layer.has_weights)
    seen = [quantize(model, scales, "net", (), widths_named(f"w8a{bits}")).node(name).type.scale for bits in (4, 8)]
    found = [bounds for t in scales.tensors if t.range.low == 0 < t.range.high for bounds in (t.range.of(4)[1] / 15,)]
    assert seen[0] in [float(np.float32(step)) for step in found]
    assert seen[1] < seen[0]


def test_mse_has_the_least_squared_error(rng: np.random.Generator) -> None:
    for values in (rng.standard_t(4, size=50_000), np.maximum(rng.standard_t(4, size=50_000), 0)):
        errors = {method: quantization_error(values, method) for method in METHODS}
        assert errors["mse"] <= min(errors.values()) * 1.01
        assert errors["mse"] < errors["minmax"]


def test_percentile_and_entropy_leave_outliers_out(rng: np.random.Generator) -> None:
    values = np.concatenate([rng.normal(size=50_000), [60.0]])
    assert find_range(values, "minmax").high == 60.0
    assert find_range(values, "percentile").high < 10
    assert find_range(values, "entropy").high < 20


@given(st.floats(-1e4, 0), st.floats(0, 1e4))
def test_zero_is_exact_and_the_range_is_covered(low: float, high: float) -> None:
    kind = activation_type((1,), low, high)
    assert 0 <= kind.zero_point <= 255
    smallest, largest = -kind.scale * kind.zero_point, kind.scale * (255 - kind.zero_point)
    if high > low and (high - low) / 255 > 1e-38:
        assert smallest <= low + 0.51 * kind.scale
        assert largest >= high - 0.51 * kind.scale


def test_output_range_is_widened_by_two() -> None:
    kind = output_type((1,), -3.0, 5.0)
    assert kind.scale == float(np.float32(10 / 32767))
    assert output_type((1,), 0.0, 0.0).scale == 1.0


def test_calibration_uses_float64_activations() -> None:
    model = model_of(IMAGE)
    scales = calibrate(model, model.samples, "minmax")
    (values,) = activations(model, model.samples)
    for node in (node for node in model.nodes if not node.layer.vanishes):
        found = scales.range_of(node.name)
        assert found.maximum == float(np.float32(values[node.name].max()))
        assert found.minimum == float(np.float32(values[node.name].min()))


def test_readings_saturate_at_the_edited_raw_range() -> None:
    model = model_of(READINGS)
    scales = calibrate(model, model.samples)
    assert scales.input_low == (-1000,) * 5
    narrow = Scales(scales.method, scales.samples, (-500,) * 5, (500,) * 5, scales.tensors)
    graph = quantize(model, narrow, "net")
    x = samples_of(READINGS, 50)
    beyond = simulate(graph, np.clip(x, -500, 500).astype(np.int32), keep=("quantized",))
    assert np.array_equal(simulate(graph, x, keep=("quantized",))["quantized"], beyond["quantized"])


def test_scales_file_round_trip(tmp_path: Path) -> None:
    model = model_of(READINGS)
    scales = calibrate(model, model.samples)
    save_scales(scales, tmp_path / "scales.json")
    again = load_scales(tmp_path / "scales.json")
    assert again == scales
    assert scales_bytes(again) == scales_bytes(scales)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda d: d.update(format="other"), "not a scales file"),
        (lambda d: d.update(version=9), "reads version 1"),
        (lambda d: d.update(tensors={}), "'tensors'"),
        (lambda d: d["tensors"][0].update(low=0.5), "not in order"),
        (lambda d: d["tensors"][0].update(minimum=9e9), "not in order"),
        (lambda d: d["tensors"][0].update(high="big"), "'high'"),
        (lambda d: d["tensors"][0].pop("name"), "'name'"),
        (lambda d: d["tensors"][0]["clips"][0].update(bits=8), "its clips are not of 4 to 7 bits"),
        (lambda d: d["tensors"][0]["clips"][0].update(bits=5), "its clips are not of 4 to 7 bits, each once"),
        (lambda d: d["tensors"][0]["clips"][0].update(low=0.5), "not in order"),
        (lambda d: d.update(samples=True), "'samples'"),
    ],
)
def test_broken_scales_files_are_refused(tmp_path: Path, edit: object, problem: str) -> None:
    model = model_of(READINGS)
    document = json.loads(scales_bytes(calibrate(model, model.samples)))
    edit(document)  # type: ignore[operator]
    path = tmp_path / "scales.json"
    path.write_text(json.dumps(document))
    with pytest.raises(QnnError, match=problem) as caught:
        load_scales(path)
    assert "scales.json" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": "qnn-scales"}', "[" * 100_000])
def test_files_that_are_no_scales_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "scales.json").write_text(text)
    with pytest.raises(QnnError, match=r"scales\.json"):
        load_scales(tmp_path / "scales.json")


def test_files_without_clips_are_read(tmp_path: Path) -> None:
    model = model_of(READINGS)
    document = json.loads(scales_bytes(calibrate(model, model.samples)))
    for tensor in document["tensors"]:
        tensor.pop("clips", None)
    (tmp_path / "scales.json").write_text(json.dumps(document))
    for tensor in load_scales(tmp_path / "scales.json").tensors:
        assert tensor.range.of(4) == (tensor.range.low, tensor.range.high)


def test_scales_of_another_model_are_refused() -> None:
    image, readings = model_of(IMAGE), model_of(READINGS)
    with pytest.raises(QnnError, match="raw range"):
        quantize(readings, calibrate(image, image.samples), "net")
    with pytest.raises(QnnError, match="no range for"):
        quantize(image, Scales("mse", 1, (), (), ()), "net")


def test_no_samples_and_unknown_methods_are_refused() -> None:
    model = model_of(IMAGE)
    with pytest.raises(QnnError, match="no samples"):
        calibrate(model, model.samples[:0])
    with pytest.raises(QnnError, match="use one of minmax"):
        calibrate(model, model.samples, "median")


@given(st.data())
def test_any_edited_scales_compile_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """No range that a file may hold makes float32 overflow on the way to the integers."""
    model = model_of(data.draw(st.sampled_from([IMAGE, READINGS])))
    document = json.loads(scales_bytes(calibrate(model, model.samples[:8], "minmax")))
    sizes = st.sampled_from([0.0, 5e-324, 1e-300, 1e-45, 1e-31, 1e-30, 1e-9, 1.0, 1e9, 1e30, 1.1e30, 3e38, 1e308])
    for tensor in document["tensors"]:
        if data.draw(st.booleans()):
            tensor |= {"low": -data.draw(sizes), "high": data.draw(sizes)}
    path = tmp_path_factory.getbasetemp() / "edited.json"
    path.write_text(json.dumps(document))
    try:
        scales = load_scales(path)
        graph = quantize(model, scales, "net")
    except QnnError:
        return
    assert all(node.type.scale > 0 and np.isfinite(node.type.scale) for node in graph.nodes)


def test_a_network_that_diverged_is_not_calibrated() -> None:
    model = model_of(READINGS)
    node = model.nodes[0]
    huge = tuple(np.full_like(array, 1e31) for array in node.parameters)
    diverged = replace(model, nodes=(replace(node, parameters=huge), *model.nodes[1:]))
    with pytest.raises(QnnError, match=r"dense1: its values reach .* has diverged"):
        calibrate(diverged, model.samples)


def test_values_too_small_for_a_scales_file_count_as_0(tmp_path: Path) -> None:
    model = model_of(READINGS)
    faint = tuple(np.full_like(array, 1e-36) for array in model.nodes[0].parameters)
    quiet = replace(model, nodes=(replace(model.nodes[0], parameters=faint), *model.nodes[1:]))
    scales = calibrate(quiet, model.samples)
    save_scales(scales, tmp_path / "scales.json")
    assert load_scales(tmp_path / "scales.json").range_of("dense1").high == 0.0
