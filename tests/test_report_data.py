# SPDX-License-Identifier: MIT
"""What a row of a report tells beside its figures: wrong samples, the confusion matrix, histograms, what is clipped."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from networks import BYTES, IMAGE, READINGS, Example, model_of, samples_of

from qnn.calibration import calibrate
from qnn.graph import Graph
from qnn.ops.convolution import Convolution
from qnn.ops.dense import Dense
from qnn.quantization import lower_model, quantize
from qnn.report.histograms import BINS, histogram, integer_spread, spread, weight_steps
from qnn.report.mistakes import MOST_CLASSES, PICTURE_BYTES, SHOWN, mistakes
from qnn.report.png import png
from qnn.schema import Feature
from qnn.widths import widths_named

MAPS = Example("maps", "conv 3x3 4 bn relu, depthwise 3x3 relu6, maxpool 2, dense 10", (8, 8, 1), "uint8", 10)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_read_by_others_as_it_was_written(channels: int) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    found = np.asarray(image.open(io.BytesIO(png(pixels))))
    assert found.reshape(pixels.shape).tolist() == pixels.tolist()


@pytest.mark.parametrize("bits", ["8", "16", "w8a16"])
@pytest.mark.parametrize("example", [IMAGE, READINGS, MAPS], ids=lambda example: example.name)
def test_steps_of_weights_are_those_that_they_were_rounded_by(example: Example, bits: str) -> None:
    """Float weights in these steps lie within half a step of the integers; a grid of the input's features included."""
    model = model_of(example)
    lowered = lower_model(model, calibrate(model, model.samples), "net", (), widths_named(bits))
    layers = [node for node in lowered.source.nodes if node.layer.has_weights]
    assert len(layers) >= 2
    for node in layers:
        integer = lowered.graph.node(node.name)
        assert isinstance(integer.op, (Dense, Convolution))
        kind = lowered.graph.types_of(integer)[0]
        steps = weight_steps(integer.op.requantization, integer.op.rounding_shift, kind, integer.type)
        first = lowered.grid is not None and lowered.graph.quantized_input in integer.inputs
        real = node.parameters[0].astype(np.float64) * (lowered.grid.scale if first and lowered.grid else 1.0)
        rows = (real.reshape(len(steps), -1), integer.op.weights.reshape(len(steps), -1))
        assert np.abs(rows[0] / steps[:, None] - rows[1]).max() <= 0.5 + 1e-3


def test_a_histogram_counts_each_value_once() -> None:
    values = np.array([0.0, 0.0, -2.0, -1.0, 0.4, 1.0, 1.4, 1.6, 9.0])
    found = histogram("t", values, (-1.0, 1.0), 3, 0.5)
    assert (found.low, found.high, found.clip) == (-2.0, 9.0, (-1.0, 1.0))
    assert (found.zeros, found.total, found.outside) == (2, 9, 3)
    assert sum(found.counts) == 7
    assert len(found.counts) == BINS
    for constant in (np.zeros(4), np.full(4, 2.5)):
        found = histogram("t", constant, (0.0, 0.0), 1, 0.5)
        assert found.high > found.low
        assert sum(found.counts) + found.zeros == 4


def test_narrow_weights_are_clipped_and_wide_ones_are_not() -> None:
    model = model_of(IMAGE)
    scales = calibrate(model, model.samples, "minmax")
    clipped = {}
    for bits in ("w3a8", "8", "16"):
        widths = widths_named(bits)
        found = spread(model, scales, quantize(model, scales, "net", (), widths), widths)
        assert [one.name for one in found.weights] == ["dense1", "dense2"]
        assert [one.name for one in found.activations] == ["input", "dense1", "dense2"]
        clipped[bits] = sum(one.outside for one in found.weights)
        assert sum(one.outside for one in found.activations) == 0
    assert clipped["w3a8"] > 0
    assert clipped["8"] == clipped["16"] == 0


def test_graphs_from_elsewhere_show_their_integers() -> None:
    model, widths = model_of(MAPS), widths_named("w4a8")
    graph = quantize(model, calibrate(model, model.samples), "net", (), widths)
    found = integer_spread(graph, samples_of(MAPS, 30))
    assert [one.name for one in found.weights] == ["conv2d1", "depthwise_conv2d1", "dense1"]
    assert {one.clip for one in found.weights} == {(-8.0, 7.0)}
    assert [one.name for one in found.activations] == [node.name for node in graph.body]
    assert not any(one.outside for one in (*found.weights, *found.activations))
    assert integer_spread(graph, samples_of(MAPS, 0)).activations == ()
    op = graph.body[0].op
    lowest = replace(op, weights=np.full_like(op.weights, -128))  # imported int8 weights use all of their type
    other = replace(graph, nodes=(replace(graph.body[0], op=lowest), *graph.nodes[1:]))
    assert integer_spread(other, samples_of(MAPS, 0)).weights[0].clip == (-128.0, 127.0)


def graph_of(example: Example, classes: int = 0) -> Graph:
    """The integer graph of an example; classes: how many its schema names instead."""
    model = model_of(example)
    graph = quantize(model, calibrate(model, model.samples), "net")
    return replace(graph, schema=replace(graph.schema, classes=("c",) * classes)) if classes else graph


def test_wrong_pictures_are_bounded_and_the_matrix_counts_every_sample() -> None:
    x, rng = samples_of(IMAGE, 500), np.random.default_rng(3)
    answers, y = rng.integers(0, 10, (2, 500))
    found = mistakes(graph_of(IMAGE), model_of(IMAGE), answers, x, y)
    counts = np.array(found["confusion"])
    assert counts.sum() == 500
    assert found["wrong"]["count"] == 500 - np.trace(counts) == np.count_nonzero(answers != y)
    shown = found["wrong"]["shown"]
    assert len(shown) == SHOWN
    assert sum(len(one["picture"]) for one in shown) <= PICTURE_BYTES
    image = pytest.importorskip("PIL.Image")
    for one in (shown[0], shown[-1]):
        assert (one["right"], one["given"]) == (y[one["sample"]], answers[one["sample"]])
        pixels = np.asarray(image.open(io.BytesIO(base64.b64decode(one["picture"]))))
        assert pixels.tolist() == x[one["sample"], :, :, 0].tolist()


def test_large_pictures_are_thinned_out_until_they_fit() -> None:
    graph = graph_of(IMAGE)
    shape = (160, 120, 3)
    graph = replace(graph, input=replace(graph.input, shape=shape, dtype="int8"))
    x = np.random.default_rng(0).integers(-128, 128, (40, *shape)).astype(np.int8)
    found = mistakes(graph, None, np.zeros(40, np.int64), x, np.ones(40, np.int64))["wrong"]
    assert found["count"] == 40
    assert 0 < len(found["shown"]) < SHOWN
    assert sum(len(one["picture"]) for one in found["shown"]) <= PICTURE_BYTES
    assert found["shown"][0]["float"] is None


def test_wrong_rows_tell_their_readings_in_the_datas_unit() -> None:
    graph, x = graph_of(BYTES), samples_of(BYTES, 20)
    features = (*(replace(feature, decimals=2) for feature in graph.schema.features[:-1]), Feature("last", -1))
    graph = replace(graph, schema=replace(graph.schema, features=features))
    y = np.zeros(20, np.int64)
    found = mistakes(graph, None, y + 3, x, y)["wrong"]
    assert found["features"][-1] == "last"
    assert found["shown"][0]["values"][0] == f"{x[0, 0] / 100:.2f}"
    assert found["shown"][0]["values"][-1] == str(10 * int(x[0, -1]))
    assert mistakes(graph, None, y, x, y)["wrong"] == {"count": 0, "features": found["features"], "shown": []}


def test_many_classes_have_no_matrix_and_regressions_have_none_of_it() -> None:
    y = np.arange(MOST_CLASSES + 1)
    x = samples_of(IMAGE, len(y))
    assert "confusion" not in mistakes(graph_of(IMAGE, len(y)), None, y, x, y)
    assert mistakes(graph_of(READINGS), None, np.zeros((4, 2)), samples_of(READINGS, 4), np.zeros((4, 2))) == {}
