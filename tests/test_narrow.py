# SPDX-License-Identifier: MIT
"""Weights of 2 to 7 bits and activations of 4 to 7: well clipped, packed, exact, named by layer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from golden import FOLDER
from networks import Example, model_of, samples_of
from test_lower_maps import error_of, quantized

from qnn.calibration import calibrate
from qnn.compiler import compile_model, write_build
from qnn.data import LoadOptions, load, rows_for
from qnn.errors import QnnError
from qnn.evaluation import evaluate
from qnn.modelfile import load_model
from qnn.ops.conv2d import Conv2d
from qnn.ops.dense import Dense
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.op import TensorType
from qnn.precision import TERNARY, UNCLIPPED, Precision, weight_limits
from qnn.quantization import quantize
from qnn.simulator import define, simulate, tensor_names
from qnn.verifier import verify
from qnn.weights import channel_scales, quantize_weights
from qnn.widths import EIGHT, Width, Widths, widths_named, with_weight_bits

NARROW = (TERNARY, 2, 3, 4, 5, 6, 7)
X = TensorType((300,), "uint8", 0, 255, 0.02, 5)
Y = TensorType((6,), "uint8", 0, 255, 0.05, 10)
Run = Callable[..., tuple[int, str, str]]


def squared_error(weights: np.ndarray, bits: int, steps: np.ndarray) -> np.ndarray:
    low, high = weight_limits(bits)
    rounded = np.clip(np.floor(weights / steps[:, None] + 0.5), low, high) * steps[:, None]
    return np.square(weights - rounded).sum(axis=1)


def test_limits_of_weights() -> None:
    assert [weight_limits(bits) for bits in NARROW[:4]] == [(-1, 1), (-2, 1), (-4, 3), (-8, 7)]
    assert (weight_limits(8), weight_limits(16)) == ((-127, 127), (-32767, 32767))


@pytest.mark.parametrize("bits", NARROW)
def test_clipping_is_the_best_of_many_steps(bits: int) -> None:
    """No step of a fine search leaves a notably smaller squared error, that of the largest weight none smaller."""
    rng = np.random.default_rng(bits)
    weights, zeros = rng.standard_normal((6, 300)) ** 3, np.zeros(6)
    steps = channel_scales(weights, zeros, X, Y, Precision(bits))
    found = squared_error(weights, bits, steps)
    largest = np.abs(weights).max(axis=1) / weight_limits(bits)[1]
    tried = np.array([squared_error(weights, bits, largest * share) for share in np.linspace(0.2, 1.0, 400)])
    assert np.all(found <= 1.05 * tried.min(axis=0))
    assert np.all(found <= squared_error(weights, bits, largest) * 1.0001)
    integers = quantize_weights(weights, zeros, X, Y, Precision(bits)).weights
    assert weight_limits(bits)[0] <= integers.min() <= integers.max() <= weight_limits(bits)[1]


@pytest.mark.parametrize("bits", [*NARROW, 8, 16])
def test_without_clipping_the_largest_weight_decides(bits: int) -> None:
    """It takes the largest number of steps, and none is cut off; from 8 bits on it always is so."""
    weights = np.random.default_rng(bits).standard_normal((6, 300)) ** 3
    plain, high = Precision(bits, clipping=UNCLIPPED), weight_limits(bits)[1]
    steps = channel_scales(weights, np.zeros(6), X, Y, plain)
    assert np.array_equal(steps, (np.abs(weights).max(axis=1) / high).astype(np.float32))
    integers = quantize_weights(weights, np.zeros(6), X, Y, plain).weights.astype(int)
    assert np.all(np.abs(integers).max(axis=1) == high)
    same = np.array_equal(steps, channel_scales(weights, np.zeros(6), X, Y, Precision(bits)))
    assert same == (bits >= 8)


def test_learned_steps_are_used_as_they_are() -> None:
    weights = np.random.default_rng(0).standard_normal((6, 300))
    steps = tuple(float(np.float32(step)) for step in np.linspace(0.1, 0.5, 6))
    found = quantize_weights(weights, np.ones(6), X, Y, Precision(4, steps=steps))
    expected = np.clip(np.floor(weights / np.array(steps)[:, None] + 0.5), -8, 7)
    assert np.array_equal(found.weights, expected)
    free = quantize_weights(weights, np.ones(6), X, Y, Precision(4, steps=steps, clipping=UNCLIPPED))
    assert np.array_equal(free.weights, expected)
    with pytest.raises(QnnError, match="have 5 learned steps for 6 outputs"):
        quantize_weights(weights, np.ones(6), X, Y, Precision(4, steps=steps[1:]))


def test_a_channel_of_zeros_stays_one() -> None:
    weights = np.zeros((6, 300))
    weights[1:] = 1e-30
    found = quantize_weights(weights, np.linspace(0, 3, 6), X, Y, Precision(4))
    assert np.all(found.weights[0] == 0)


@pytest.mark.parametrize(("bits", "activations"), list(zip(NARROW, (8, 4, 7, 5, 8, 6, 4), strict=True)))
def test_networks_of_every_width_are_exact(tmp_path: Path, bits: int, activations: int) -> None:
    model, _, x = quantized("conv 3x3 4 relu, depthwise 3x3 relu, maxpool 2, conv 2x2 6 relu, dense")
    widths = Widths(8, Width(bits, activations))
    build = compile_model(model, calibrate(model, x, "minmax"), "net", widths=widths)
    for node in build.graph.body:
        if isinstance(node.op, (Dense, Conv2d, DepthwiseConv2d)):
            low, high = weight_limits(bits)
            assert low <= node.op.weights.min() <= node.op.weights.max() <= high
        if node.type.dtype == "uint8":
            assert node.type.high < 1 << activations
    fast, plain = simulate(build.graph, x[:9], keep=tensor_names(build.graph)), define(build.graph, x[:9])
    assert all(np.array_equal(fast[name].reshape(9, -1), plain[name].reshape(9, -1)) for name in plain)
    write_build(build, tmp_path)
    assert verify(tmp_path, x[:24], ("host",), layers=True).ok


def test_more_bits_are_closer_to_float() -> None:
    model, _, x = quantized("conv 3x3 8 relu, conv 3x3 8 relu, dense")
    scales = calibrate(model, x, "minmax")
    errors = [error_of(model, quantize(model, scales, "n", (), Widths(8, Width(bits, 8))), x) for bits in (2, 4, 6, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 8


def test_four_bits_take_half_the_bytes() -> None:
    """Words of eight weights: rows are filled up, biases stay."""
    example = Example("net", "conv 3x3 16 relu, conv 3x3 16 relu, dense", (12, 12, 8), "uint8", 10)
    model = replace(model_of(example), samples=samples_of(example, 16))
    scales = calibrate(model, model.samples)
    builds = {bits: compile_model(model, scales, "n", widths=widths_named(f"w{bits}a8")) for bits in (4, 8)}
    weights = {bits: build.manifest["flash"]["weights"] for bits, build in builds.items()}
    biases = 4 * (16 + 16 + 10)
    assert weights[4] - biases <= 0.51 * (weights[8] - biases)
    assert [kernel.function for kernel in builds[4].graph.kernels][:3] == [
        "qnn_conv2d_pairs_u8_u8",
        "qnn_conv2d_pairs_u8_u8",
        "qnn_dense_narrow_u8_i16",
    ]


def test_digits_at_four_bits() -> None:
    model = load_model(FOLDER / "digits" / "model.qnn")
    dataset = load("digits", LoadOptions().like(model.record))
    rows = rows_for(dataset, model.record, None, "evaluate")
    assert dataset.y is not None
    scales, x, y = calibrate(model, model.samples), dataset.x[rows], dataset.y[rows]
    eight, four = (evaluate(quantize(model, scales, "d", (), widths), x, y).score.value for widths in (EIGHT, W4A8))
    assert eight - four < 0.02


W4A8 = widths_named("w4a8")


def test_bits_of_weights_layer_by_layer() -> None:
    layers = ("conv2d1", "conv2d2", "dense1")
    found = with_weight_bits(EIGHT, "first=8, last=6,4", layers)
    assert [found.of(name) for name in layers] == [Width(8, 8), Width(4, 8), Width(6, 8)]
    found = with_weight_bits(widths_named("w8a16"), "conv2d2=ternary", layers)
    assert [found.of(name) for name in layers] == [Width(8, 16), Width(TERNARY, 16), Width(8, 16)]
    assert with_weight_bits(EIGHT, "3", layers) == Widths(8, Width(3, 8))
    assert with_weight_bits(EIGHT, "last=2", ("dense1",)).of("dense1") == Width(2, 8)


@pytest.mark.parametrize("text", ["", "9", "x", "first=", "=4", "first=1", "4,,", "dense1=4=4", "٤", "-4"])
def test_other_bits_of_weights_are_refused(text: str) -> None:
    with pytest.raises(QnnError, match=r"names no width of weights; use one of 2, 3, 4|is no layer with weights"):
        with_weight_bits(EIGHT, text, ("dense1",))


def test_two_widths_for_all_layers_are_refused() -> None:
    with pytest.raises(QnnError, match="names two widths for all layers"):
        with_weight_bits(EIGHT, "4,first=8,8", ("dense1",))


def test_unknown_layers_are_named() -> None:
    with pytest.raises(QnnError, match="'dense9' is no layer with weights; use first, last, dense1"):
        with_weight_bits(EIGHT, "dense9=4", ("dense1",))


def test_the_command(tmp_path: Path, qnn: Run) -> None:
    path, out = FOLDER / "digits" / "model.qnn", tmp_path / "b"
    code, text, err = qnn("compile", str(path), "--weight-bits", "first=8,4", "-o", str(out), "--json")
    assert code == 0, err
    assert qnn("verify", str(out), "--data", "digits", "-q")[0] == 0
    full = json.loads(qnn("compile", str(path), "-o", str(out), "--json")[1])
    assert json.loads(text)["flash"]["weights"] < full["flash"]["weights"]
    code, _, err = qnn("compile", str(path), "--bits", "mixed", "--weight-bits", "4", "-o", str(out))
    assert (code, "--weight-bits: says what --bits mixed chooses" in err) == (2, True)
    integer = tmp_path / "i.qnn"
    integer.write_bytes((out / "model.qnn").read_bytes())
    code, _, err = qnn("compile", str(integer), "--weight-bits", "4", "-o", str(tmp_path / "c"))
    assert (code, "is quantized already; --weight-bits" in err) == (2, True)


def test_rounding_options_that_change_nothing_are_told(
    tmp_path: Path, qnn: Callable[..., tuple[int, str, str]]
) -> None:
    """Weights of 8 bits are always rounded to the nearest step; and the line on fidelity names the weights' bits."""
    model, out = str(FOLDER / "digits" / "model.qnn"), str(tmp_path / "b")
    code, _, err = qnn("compile", model, "--bits", "8", "--rounding", "nearest", "-o", out)
    assert code == 0
    assert "--rounding changes nothing: no layer's weights have less than 8 bits" in err
    code, text, err = qnn("compile", model, "--weight-bits", "4", "--rounding", "nearest", "-o", out)
    assert "changes nothing" not in err
    code, _, err = qnn("compile", model, "--clipping", "off", "--no-bias-correction", "-o", out)
    assert (code, "--bias-correction and --clipping change nothing" in err) == (0, True)
    assert "weights of 4 and activations of 8 bits against float on" in " ".join(text.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--bits", "8", "--pack", "on"), True),
        (("--weight-bits", "7", "--pack", "off"), True),
        (("--weight-bits", "3", "--pack", "on"), False),
        (("--weight-bits", "3", "--pack", "off"), False),
        (("--bits", "8", "--pack", "auto"), False),
    ],
)
def test_packing_that_changes_nothing_is_told(tmp_path: Path, qnn: Run, words: tuple[str, ...], told: bool) -> None:
    """Of a float model, and of the integer one that it became."""
    integer = tmp_path / "b" / "model.qnn"
    for model, order in ((FOLDER / "digits" / "model.qnn", words), (integer, words[2:])):
        code, _, err = qnn("compile", str(model), *order, "-o", str(tmp_path / ("c" if model == integer else "b")))
        assert code == 0, err
        line = f"--pack {words[-1]} changes nothing: no layer's weights would take fewer bytes packed"
        assert (line in " ".join(err.split())) == told
