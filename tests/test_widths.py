# SPDX-License-Identifier: MIT
"""16 bits, and layers of different widths: close to the float model, exact in C, told apart by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from golden import FOLDER
from networks import Example, model_of, samples_of
from test_lower_maps import NETS, error_of, quantized

from qnn.calibration import calibrate
from qnn.compiler import compile_model, write_build
from qnn.data import LoadOptions, load, rows_for
from qnn.errors import QnnError
from qnn.evaluation import evaluate
from qnn.headroom import WEIGHTS, layers_with_headroom
from qnn.layers.add import Add
from qnn.lowering import Lowering
from qnn.metrics import score_samples
from qnn.modelfile import load_model
from qnn.ops.dense import Dense
from qnn.ops.op import TensorType
from qnn.quantization import quantize
from qnn.simulator import define, simulate, tensor_names
from qnn.verifier import verify
from qnn.widths import EIGHT, SIXTEEN, Width, Widths, check_bits, widths_named


@pytest.mark.parametrize("net", NETS)
def test_16_bits_follow_the_float_model_closely(net: str) -> None:
    model, _, x = quantized(net)
    graph = quantize(model, calibrate(model, x, "minmax"), "net", (), SIXTEEN)
    assert error_of(model, graph, x) < 0.0002
    assert all(node.type.dtype == "int16" for node in graph.body if node.op.kind not in ("max_pool", "pad", "concat"))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("net", NETS)
def test_every_layer_may_have_widths_of_its_own(net: str, seed: int) -> None:
    model, _, x = quantized(net)
    rng = np.random.default_rng(seed)
    layers = tuple((node.name, Width(*(int(rng.choice([8, 16])) for _ in range(2)))) for node in model.nodes)
    graph = quantize(model, calibrate(model, x, "minmax"), "net", (), Widths(8, EIGHT.default, layers))
    assert error_of(model, graph, x) < 0.02
    fast, plain = simulate(graph, x[:9], keep=tensor_names(graph)), define(graph, x[:9])
    assert all(np.array_equal(fast[name].reshape(9, -1), plain[name].reshape(9, -1)) for name in plain)


def test_tensors_that_meet_are_brought_to_one_width() -> None:
    model, _, x = quantized("concat(conv 1x1 2 relu; conv 1x1 3 tanh), flatten, dense")
    first = next(node.name for node in model.nodes if node.layer.kind == "conv2d")
    joined = next(node.name for node in model.nodes if node.layer.kind == "concat")
    scales, wide = calibrate(model, x, "minmax"), Width(8, 16)
    for names, retypes, dtype in (((), 0, "uint8"), ((first,), 1, "uint8"), ((joined,), 2, "int16")):
        graph = quantize(model, scales, "net", (), Widths(8, EIGHT.default, tuple((name, wide) for name in names)))
        assert [node.op.kind for node in graph.body].count("retype") == retypes
        assert graph.node(joined).type.dtype == dtype


@pytest.mark.parametrize("example", ["digits", "thermistor"])
def test_the_examples_lose_nothing_at_16_bits(example: str) -> None:
    """RMSE within 2 % of the float network's; the same accuracy."""
    model = load_model(FOLDER / example / "model.qnn")
    dataset = load(example, LoadOptions().like(model.record))
    rows = rows_for(dataset, model.record, None, "evaluate")
    assert dataset.y is not None
    x, y = dataset.x[rows], dataset.y[rows]
    real = score_samples(model, x, y).value
    graph = quantize(model, calibrate(model, model.samples), example, (), SIXTEEN)
    found = evaluate(graph, x, y).score.value
    assert found <= 1.02 * real if example == "thermistor" else found >= real


@pytest.mark.parametrize("bits", ["16", "w8a16", "w16a8"])
def test_builds_are_exact_at_every_raw_extreme(tmp_path: Path, bits: str) -> None:
    model = load_model(FOLDER / "thermistor" / "model.qnn")
    write_build(compile_model(model, calibrate(model, model.samples), "thermo", widths=widths_named(bits)), tmp_path)
    ends = np.iinfo(np.int32)
    corners = np.array(np.meshgrid(*[[ends.min, ends.max]] * 5)).reshape(5, -1).T.astype(np.int32)
    samples = np.concatenate([corners, model.samples[:40]])
    assert verify(tmp_path, samples, ("host",), layers=True).ok


def test_constant_features_and_all_of_int32_at_16_bits() -> None:
    model = model_of(Example("net", "dense 4 relu, dense", (3,), "int32", 2))
    x = samples_of(Example("net", "dense 4 relu, dense", (3,), "int32", 2), 16)
    scales = calibrate(model, x)
    ends = np.iinfo(np.int32)
    wide = replace(scales, input_low=(ends.min, 5, 0), input_high=(ends.max, 5, 65535))
    graph = quantize(model, wide, "net", (), SIXTEEN)
    raw = np.array([[ends.min, 5, 0], [ends.max, 9, 65535], [0, -7, 32768]], np.int32)
    q = simulate(graph, raw, keep=("quantized",))["quantized"]
    assert q.tolist() == [[-32768, -32768, -32768], [32767, -32768, 32767], [0, -32768, 0]]


def test_headroom_is_for_layers_of_8_bits_alone() -> None:
    model = load_model(FOLDER / "digits" / "model.qnn")
    scales = calibrate(model, model.samples)
    first, last = (node.name for node in model.nodes if node.layer.has_weights)
    assert layers_with_headroom(model, scales, WEIGHTS) == (first, last)
    assert layers_with_headroom(model, scales, WEIGHTS, SIXTEEN) == ()
    assert layers_with_headroom(model, scales, WEIGHTS, widths_named("w8a16")) == (first,)
    assert layers_with_headroom(model, scales, WEIGHTS, Widths(8, EIGHT.default, ((first, Width(16, 8)),))) == (last,)


def test_weights_of_16_bits_have_32_bit_sums_where_they_are_proven() -> None:
    model = load_model(FOLDER / "digits" / "model.qnn")
    ops = [node.op for node in quantize(model, calibrate(model, model.samples), "n", (), SIXTEEN).body]
    assert all(isinstance(op, Dense) and op.weights.dtype == np.int16 for op in ops)
    assert [op.rounding_shift > 0 for op in ops if isinstance(op, Dense)] == [False, True]


def test_names_of_widths() -> None:
    assert (widths_named("8"), widths_named("16")) == (EIGHT, SIXTEEN)
    assert widths_named("w8a16") == Widths(16, Width(8, 16))
    assert widths_named("w16a8").of("any") == Width(16, 8)
    check_bits("mixed")


@pytest.mark.parametrize(
    "bits",
    ["", "3", "9", "32", "w8", "w1a8", "w8a3", "a8w8", "w8a32", "w9a8", "-8", "8.0", "٨", "w8a16 ", "100"],
)
def test_other_widths_are_refused(bits: str) -> None:
    with pytest.raises(QnnError, match="is not a width that this version makes; use 4 to 8, 16, a pair"):
        check_bits(bits)


@pytest.mark.parametrize(
    ("bits", "hint"),
    [
        ("3", "; w3a8 has weights of 3 bits"),
        ("W4A8", "; did you mean w4a8?"),
        ("Mixed", "; did you mean mixed?"),
        ("wternarya8", "; --weight-bits has ternary"),
    ],
)
def test_what_may_be_meant_is_named(bits: str, hint: str) -> None:
    with pytest.raises(QnnError) as caught:
        check_bits(bits)
    assert str(caught.value).endswith(hint)


def test_bytes_and_16_bits_are_added_exactly() -> None:
    """The byte's factor may be 2**22, so that the other's, a two-hundredth of it, is still fine enough."""
    x = TensorType((64,), "uint8", 0, 255, 0.02, 100)
    z = TensorType((64,), "int16", -32768, 32767, 0.0001)
    y = TensorType((64,), "int16", -32768, 32767, 0.0003)
    (node,) = Add().lower(Lowering("add", ("a", "b"), (x, z), (), y, None, ((64,), (64,))))
    node.op.check("add", (x, z), y)
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 256, (50, 64)), rng.integers(-32768, 32768, (50, 64))
    reals = 0.02 * (a - 100) + 0.0001 * b
    assert np.abs(0.0003 * node.op.reference((a, b)) - reals).max() < 0.8 * 0.0003
