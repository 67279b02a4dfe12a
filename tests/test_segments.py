# SPDX-License-Identifier: MIT
"""Skewed columns: what 256 steps lose, the lines of segments that lose least, and how they reach the chip."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import oracle
import pytest
from graphs import random_line
from learnable import dataset, pictures, readings

from qnn.calibration import calibrate
from qnn.compiler import compile_model
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.fixedpoint import INT32_MAX, INT32_MIN
from qnn.forward import forward
from qnn.graphfile import graph_bytes, load_graph
from qnn.inputs import quantize_op
from qnn.model import Model, no_segments
from qnn.modelfile import load_model, model_bytes, save_model
from qnn.normalize import normalize
from qnn.ops.compand import Compand, heights
from qnn.ops.op import TensorType
from qnn.quantization import quantize
from qnn.resolution import fit_segments, linear_steps, lost, sample_of, segment_steps
from qnn.schema import Feature, Schema
from qnn.segments import COUNTS, NONE, SEGMENTS, are_lines, filled, position, segment_bits, span
from qnn.simulator import define, simulate
from qnn.training import TrainOptions, train
from qnn.training.normalization import fit_normalization
from qnn.widths import widths_named

NAMES = ("flat", "skewed", "glitch", "still")


def columns(count: int = 3000) -> np.ndarray:
    """int32 (count, 4): evenly spread; nearly all in the first thousandth of its range; one outlier; constant."""
    rng = np.random.default_rng(5)
    flat = rng.integers(-4000, 4000, count)
    skewed = np.where(rng.random(count) < 0.97, rng.integers(0, 900, count), rng.integers(0, 1_000_000, count))
    glitch = rng.integers(100, 900, count)
    glitch[7] = INT32_MAX
    return np.column_stack([flat, skewed, glitch, np.full(count, 12)]).astype(np.int32)


def table(x: np.ndarray) -> Dataset:
    schema = Schema((4,), "int32", tuple(Feature(n) for n in NAMES), "classification", ("a", "b"), (), ())
    return dataset(schema, x, (x[:, 1] > 400).astype(np.int64))


@pytest.fixture(scope="module")
def model() -> Model:
    """A small network on the table, whose second column has segments."""
    result = train(table(columns()), "dense 6 relu, dense 1", TrainOptions(epochs=6, batch=64))
    assert result.model is not None
    return result.model


def test_what_is_lost() -> None:
    even = sample_of(np.arange(100_000))
    assert lost(even, linear_steps(even, 0, 99_999)) == pytest.approx(2**0.5 / 256, rel=0.02)
    assert lost(even, np.zeros_like(even.values)) == pytest.approx(2**0.5)
    few = sample_of(np.array([5, 5, 9, 9, 9]))
    assert lost(few, linear_steps(few, 5, 9)) == 0
    assert len(even.values) <= 2048
    assert (even.values[0], even.values[-1]) == (0, 99_999)


def test_segments_tell_apart_what_one_step_does_not() -> None:
    sample = sample_of(columns()[:, 1])
    plain = lost(sample, linear_steps(sample, sample.low, int(sample.values[-1])))
    losses = []
    for count in COUNTS:
        line = fit_segments(sample, count)
        assert line.dtype == np.int8
        assert are_lines(filled(line)[None])
        losses.append(lost(sample, segment_steps(sample, sample.low, line)))
    assert plain > 0.9
    assert max(losses) < 0.05


def test_the_choice_by_column_and_by_hand() -> None:
    data = table(columns())
    kinds = [choice.kind for choice in fit_normalization(data).choices]
    assert kinds == ["standard", "piecewise", "robust", "constant"]
    assert [c.kind for c in fit_normalization(data, segments=False).choices] == [
        "standard",
        "standard",
        "robust",
        "constant",
    ]
    mixed = fit_normalization(data, "minmax, glitch=robust, skewed=piecewise")
    assert [choice.kind for choice in mixed.choices] == ["minmax", "piecewise", "robust", "constant"]
    z = normalize(mixed.normalization, data.x[data.train])
    assert (z[:, 0].min(), z[:, 0].max()) == (0, 1)
    assert abs(z[:, 1].mean()) < 1e-9
    assert z[:, 1].std() == pytest.approx(1)
    assert np.median(z[:, 2]) == 0
    assert z[:, 2].max() < 9  # the glitch is cut off
    assert (z[:, 3] == 0).all()
    assert len(fit_normalization(data, "standard").normalization.segments) == 0


@pytest.mark.parametrize(
    ("data", "wanted", "text"),
    [
        (readings(), "gauss", "is no normalization"),
        (readings(), "f9=robust", "there is no column 'f9'"),
        (pictures(), "standard", "maps have one scale"),
    ],
)
def test_choices_that_cannot_be(data: Dataset, wanted: str, text: str) -> None:
    with pytest.raises(QnnError, match=text):
        fit_normalization(data, wanted)


def test_segments_need_a_network_that_begins_with_dense() -> None:
    data = table(columns(300))
    with pytest.raises(QnnError, match="begins with dense"):
        train(data, "relu, dense", TrainOptions(epochs=1, normalize="piecewise"))
    result = train(data, "relu, dense", TrainOptions(epochs=1))
    assert result.model is not None
    assert len(result.model.normalization.segments) == 0


def test_heights_are_those_of_the_line(rng: np.random.Generator) -> None:
    for _ in range(60):
        line = random_line(rng)
        ends = np.cumsum([0, *(1 << int(e) for e in line)])
        near = (ends[:, None] + np.arange(-2, 3)).reshape(-1)
        distance = np.concatenate([near, rng.integers(0, span(line) + 1, 300)]).clip(0, span(line))
        exact = position(distance, line) * (256 // len(line))
        found = heights(distance, line)
        assert np.abs(found - exact).max() <= 0.5
        assert (np.diff(heights(np.sort(distance), line)) >= 0).all()
        assert heights(np.array([0, span(line)]), line).tolist() == [0, 256]


@pytest.mark.parametrize(("dtype", "first", "last"), [("uint8", 0, 255), ("int16", -32768, 32767)])
def test_the_operator_is_the_oracle(rng: np.random.Generator, dtype: str, first: int, last: int) -> None:
    for _ in range(40):
        lines = np.stack([filled(random_line(rng)) if rng.integers(3) else np.full(SEGMENTS, NONE) for _ in range(5)])
        low = rng.choice([INT32_MIN, -7, 0, INT32_MAX - 500], 5).astype(np.int64)
        high = np.minimum(low + [span(row[row != NONE]) or 1000 for row in lines], INT32_MAX)
        op = Compand(quantize_op(low, high, (first, last)), lines.astype(np.int8))
        kind = TensorType((5,), "int32", INT32_MIN, INT32_MAX)
        op.check("it", (kind,), TensorType((5,), dtype, first, last))
        x = rng.integers(INT32_MIN, INT32_MAX, (40, 5), endpoint=True)
        x[:20] = low + rng.integers(-3, 1 << 12, (20, 5))
        x = x.clip(INT32_MIN, INT32_MAX)
        x[20], x[21] = INT32_MIN, INT32_MAX
        for row, found in zip(x, op.reference((x,)), strict=True):
            assert found.tolist() == oracle.compand(op, row.tolist())


BROKEN: tuple[tuple[Callable[[Compand], Compand], str], ...] = (
    (lambda op: replace(op, exponents=op.exponents[:3]), "out of range"),
    (lambda op: replace(op, exponents=op.exponents.astype(np.int16)), "out of range"),
    (lambda op: replace(op, exponents=np.where(op.exponents == NONE, 9, op.exponents).astype(np.int8)), "not that of"),
    (lambda op: replace(op, exponents=np.roll(op.exponents, 1, axis=1)), "out of range"),
    (lambda op: replace(op, exponents=np.minimum(op.exponents, 4)), "out of range"),
    (lambda op: replace(op, straight=replace(op.straight, high=op.straight.high + 1)), "not that of its segments"),
    (
        lambda op: replace(
            op,
            straight=replace(
                op.straight, requantization=replace(op.straight.requantization, zero_point=np.ones(1, np.int32))
            ),
        ),
        "no kernel",
    ),
)


@pytest.mark.parametrize(("damage", "text"), BROKEN)
def test_damaged_operators_are_refused(damage: Callable[[Compand], Compand], text: str) -> None:
    lines = np.full((4, SEGMENTS), NONE, np.int8)
    lines[1, :2] = 10, 12
    low, high = np.zeros(4, np.int64), np.array([100, 1024 + 4096, 100, 100])
    op = damage(Compand(quantize_op(low, high), lines))
    with pytest.raises(QnnError, match=text):
        op.check("it", (TensorType((4,), "int32", INT32_MIN, INT32_MAX),), TensorType((4,), "uint8", 0, 255))


def test_through_files_to_the_header(model: Model, tmp_path: Path) -> None:
    assert model.kinds == ("standard", "piecewise", "robust", "constant")
    save_model(model, tmp_path / "m.qnn")
    again = load_model(tmp_path / "m.qnn")
    assert model_bytes(again) == model_bytes(model)
    build = compile_model(again, calibrate(again, again.samples), "net")
    header = dict(build.files)["net.h"].decode()
    assert "[1] skewed, 0.." in header
    assert "by a line of" in header
    (tmp_path / "g.qnn").write_bytes(graph_bytes(build.graph))
    x = columns(64)
    x[0], x[1] = INT32_MAX, INT32_MIN
    for name, values in define(load_graph(tmp_path / "g.qnn"), x).items():
        if name != "input":
            assert np.array_equal(values, simulate(build.graph, x, keep=(name,))[name])


@pytest.mark.parametrize(("width", "error"), [("8", 0.05), ("16", 0.0005)])
def test_the_integer_network_follows_the_float_one(model: Model, width: str, error: float) -> None:
    x = columns()
    graph = compile_model(model, calibrate(model, x), "net", widths=widths_named(width)).graph
    assert graph.nodes[0].op.kind == "compand"
    output = simulate(graph, x)[graph.output] * graph.type_of(graph.output).scale
    wanted = forward(model, x)
    assert np.sqrt(np.mean((output - wanted) ** 2)) < error * wanted.std()


def test_older_models_have_no_segments(model: Model, tmp_path: Path) -> None:
    plain = replace(model, normalization=replace(model.normalization, segments=no_segments()), kinds=())
    save_model(plain, tmp_path / "m.qnn")
    assert load_model(tmp_path / "m.qnn").normalization.segments.shape == (0, SEGMENTS)


@pytest.mark.parametrize("value", [4, 32, -2])
def test_hostile_exponents_are_refused(model: Model, tmp_path: Path, value: int) -> None:
    segments = model.normalization.segments.copy()
    segments[1, 0] = value
    bad = replace(model, normalization=replace(model.normalization, segments=segments))
    save_model(bad, tmp_path / "m.qnn")
    with pytest.raises(QnnError, match="segments are out of range"):
        load_model(tmp_path / "m.qnn")


def test_a_scales_file_cannot_move_segments(model: Model) -> None:
    scales = calibrate(model, model.samples)
    moved = dataclasses.replace(scales, input_high=tuple(high + 1 for high in scales.input_high))
    with pytest.raises(QnnError, match="that of its segments") as caught:
        quantize(model, moved, "net")
    assert "--normalize skewed=standard" in str(caught.value)


def test_bits_of_a_step() -> None:
    assert [segment_bits(count) for count in COUNTS] == [7, 6, 5]
