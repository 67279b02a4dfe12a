# SPDX-License-Identifier: MIT
"""Rounding by what weights multiply: never worse than to nearest on the samples, exact steps, biases that make good."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from golden import FOLDER
from networks import Example, model_of, samples_of
from test_lower_maps import NETS, quantized

from qnn.calibration import calibrate
from qnn.compiler import compile_model, write_build
from qnn.errors import QnnError
from qnn.forward import forward
from qnn.graph import Graph
from qnn.model import Model
from qnn.modelfile import load_model, save_model
from qnn.precision import CLIPPINGS, UNCLIPPED
from qnn.quantization import quantize
from qnn.rounding import BEST, GPTQ, NEAREST, PLAIN, Rounding, ldlq, moments, rounded, rounding_effect, unit_upper
from qnn.simulator import simulate
from qnn.verifier import verify
from qnn.widths import EIGHT, Width, Widths, widths_named

Run = Callable[..., tuple[int, str, str]]
FOUR = widths_named("w4a8")


def error(weights: np.ndarray, integers: np.ndarray, inputs: np.ndarray) -> float:
    return float(np.square((weights - integers) @ inputs.T).sum())


@pytest.mark.parametrize("seed", range(5))
def test_errors_that_are_passed_on_are_smaller(seed: int) -> None:
    """On inputs that go together; and close to the best of all roundings where these can be tried."""
    rng = np.random.default_rng(seed)
    inputs = (rng.integers(0, 200, (80, 3)) @ rng.integers(0, 3, (3, 7))).astype(np.int64)
    weights = rng.uniform(-7, 7, (4, 7))
    nearest = np.clip(np.floor(weights + 0.5), -8, 7)
    found = ldlq(weights, moments(inputs), (-8, 7))
    assert error(weights, found, inputs) < 0.5 * error(weights, nearest, inputs)
    floors = np.floor(weights[:1])
    every = [floors + np.array(up) for up in itertools.product((0, 1), repeat=7)]
    best = min(error(weights[:1], np.clip(integers, -8, 7), inputs) for integers in every)
    assert error(weights[:1], found[:1], inputs) <= 30 * best + 1e-9


def test_a_matrix_is_taken_apart() -> None:
    a = np.random.default_rng(1).normal(size=(6, 9))
    matrix = a @ a.T
    upper = unit_upper(matrix)
    diagonal = np.linalg.inv(upper) @ matrix @ np.linalg.inv(upper).T
    assert np.allclose(np.tril(upper), np.eye(6))
    assert np.allclose(diagonal, np.diag(np.diag(diagonal)))


def test_without_correlation_it_is_rounding_to_nearest() -> None:
    rng = np.random.default_rng(2)
    weights, inputs = rng.uniform(-9, 9, (5, 6)), np.diag([9, 3, 7, 1, 5, 2]).astype(np.int64)
    assert np.array_equal(ldlq(weights, moments(inputs), (-8, 7)), np.clip(np.floor(weights + 0.5), -8, 7))


@pytest.mark.parametrize("net", NETS)
def test_networks_come_closer_to_float(net: str) -> None:
    model, _, x = quantized(net)
    model = replace(model, samples=x[:128])
    scales = calibrate(model, x, "minmax")
    effect = dict(rounding_effect(model, scales, FOUR))
    assert list(effect) == ["nearest unclipped", "nearest", "gptq", "gptq and biases"]
    assert effect["gptq and biases"] > effect["nearest"]
    free = dict(rounding_effect(model, scales, FOUR, clipping=UNCLIPPED))
    assert list(free) == ["nearest", "gptq", "gptq and biases"]
    assert free["nearest"] == effect["nearest unclipped"]


def outputs(model: Model, how: Rounding, widths: Widths = FOUR) -> np.ndarray:
    scales = calibrate(model, model.samples)
    step = rounded(model, scales, widths, how)
    graph = quantize(step.model, step.scales, "n", (), step.widths)
    kind = graph.type_of(graph.output)
    return (
        simulate(graph, model.samples, keep=(graph.output,))[graph.output].reshape(len(model.samples), -1) * kind.scale
    )


@pytest.mark.parametrize("example", ["digits", "thermistor"])
def test_corrected_biases_have_no_mean_error(example: str) -> None:
    model = load_model(FOLDER / example / "model.qnn")
    model = replace(model, samples=model.samples[:512])
    real = forward(model, model.samples)
    spread = real.std(axis=0)
    means = {how.biases: np.abs((outputs(model, how) - real).mean(axis=0)) / spread for how in (PLAIN, BEST)}
    assert means[True].max() < 0.01 < means[False].max()


def test_only_narrow_layers_without_learned_steps_change() -> None:
    model = load_model(FOLDER / "digits" / "model.qnn")
    scales = calibrate(model, model.samples)
    first, last = (node.name for node in model.nodes if node.layer.has_weights)
    assert rounded(model, scales, EIGHT, BEST).model is model
    assert rounded(model, scales, FOUR, PLAIN).model is model
    assert rounded(replace(model, samples=model.samples[:0]), scales, FOUR, BEST).widths == FOUR
    widths = Widths(8, Width(8, 8), ((last, Width(4, 8)),))
    found = rounded(model, scales, widths, BEST)
    assert found.widths.of(first) == Width(8, 8)
    assert len(found.widths.of(last).steps) == 10
    again = rounded(found.model, found.scales, found.widths, BEST)
    assert again.model is found.model
    assert rounding_effect(model, scales, EIGHT) == ()


def largest(graph: Graph) -> list[np.ndarray]:
    """(O,) of each layer: the largest magnitude of every channel's weights."""
    weights = [np.asarray(vars(node.op)["weights"], int) for node in graph.body if "weights" in vars(node.op)]
    return [np.abs(array).reshape(len(array), -1).max(axis=1) for array in weights]


@pytest.mark.parametrize("how", [PLAIN, Rounding(NEAREST), Rounding(GPTQ, False), BEST])
def test_every_rounding_goes_by_the_clipping(how: Rounding, tmp_path: Path) -> None:
    """Where nothing else is done, too. Unclipped, the largest weight has seven steps, to which GPTQ may pass on one."""
    model, _, x = quantized("conv 3x3 4 bn relu, depthwise 3x3 relu, maxpool 2, dense")
    model, scales = replace(model, samples=x[:64]), calibrate(model, x)
    builds = [
        compile_model(model, scales, "n", widths=FOUR, rounding=replace(how, clipping=clipping), reduce_range="off")
        for clipping in CLIPPINGS
    ]
    clipped, free = (largest(build.graph) for build in builds)
    assert sum(int(np.sum(found == 8)) for found in clipped) > sum(int(np.sum(found == 8)) for found in free)
    if how.weights == NEAREST:
        assert all(np.all(found == 7) for found in free)
    write_build(builds[1], tmp_path)
    assert verify(tmp_path, x[:16], ("host",), layers=True).ok


def test_rounded_weights_are_those_of_the_graph() -> None:
    """Quantizing what was rounded changes nothing: every weight lies on its step."""
    model, _, x = quantized("conv 3x3 4 bn relu, depthwise 3x3 relu, dense")
    model = replace(model, samples=x[:64])
    step = rounded(model, calibrate(model, x), FOUR, BEST)
    graph = quantize(step.model, step.scales, "n", (), step.widths)
    for node in step.model.nodes:
        if node.layer.has_weights:
            steps = np.array(step.widths.of(node.name).steps)
            column = steps.reshape(-1, *(1,) * (node.parameters[0].ndim - 1))
            whole = np.asarray(vars(graph.node(node.name).op)["weights"], np.float64)
            assert np.allclose(node.parameters[0], whole * column, rtol=1e-9, atol=0)


def test_builds_are_the_same_each_time() -> None:
    example = Example("net", "conv 3x3 6 relu, dense 9 relu, dense", (8, 8, 2), "uint8", 4)
    model = replace(model_of(example), samples=samples_of(example, 80))
    scales = calibrate(model, model.samples)
    builds = [compile_model(model, scales, "n", widths=FOUR).files for _ in range(2)]
    assert builds[0] == builds[1]
    assert builds[0] != compile_model(model, scales, "n", widths=FOUR, rounding=PLAIN).files


def test_the_command(tmp_path: Path, qnn: Run) -> None:
    path = tmp_path / "d.qnn"
    save_model(load_model(FOLDER / "digits" / "model.qnn"), path)
    order = ("compile", str(path), "--weight-bits", "3", "-o", str(tmp_path / "b"))
    code, out, err = qnn(*order)
    assert code == 0, err
    assert "SQNR at the output by rounding: nearest" in out
    effect = {step["step"]: step["sqnr_db"] for step in json.loads(qnn(*order, "--json")[1])["rounding"]}
    assert effect["gptq and biases"] > effect["nearest"] + 1
    nearest = ("--rounding", NEAREST, "--no-bias-correction")
    found = {words: json.loads(qnn(*order, *words, "--json")[1])["fidelity"] for words in ((), nearest)}
    assert found[()] != found[nearest]
    assert qnn("verify", str(tmp_path / "b"), "--data", "digits", "-q")[0] == 0
    code, _, err = qnn(*order, "--rounding", "up")
    assert (code, "--rounding up: is not a choice; use one of gptq, nearest" in err) == (2, True)
    code, _, err = qnn(*order, "--clipping", "max")
    assert (code, "--clipping max: is not a choice; use one of mse, off" in err) == (2, True)
    document = json.loads(qnn(*order, "--clipping", "off", "--json")[1])
    assert [step["step"] for step in document["rounding"]] == ["nearest", "gptq", "gptq and biases"]
    assert document["rounding"][0]["sqnr_db"] == effect["nearest unclipped"] < effect["nearest"]


def test_unknown_choices_are_refused() -> None:
    model = load_model(FOLDER / "digits" / "model.qnn")
    with pytest.raises(QnnError, match="--rounding down: is not a choice; use one of gptq, nearest"):
        rounded(model, calibrate(model, model.samples), FOUR, Rounding("down"))
    with pytest.raises(QnnError, match="--clipping octav: is not a choice; use one of mse, off"):
        rounded(model, calibrate(model, model.samples), EIGHT, Rounding(clipping="octav"))
    assert Rounding().weights == GPTQ
