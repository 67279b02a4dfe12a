# SPDX-License-Identifier: MIT
"""Quantization-aware training: what it trains is what the integer graph computes, with the steps that were learned."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from learnable import pictures, readings, same
from test_train_helper import helped
from test_train_maps import EVERY, NET
from test_train_resume import stop_after

from qnn.data import LoadOptions, load
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.evaluation import evaluate
from qnn.forward import forward
from qnn.graph import Graph
from qnn.headroom import WEIGHTS, layers_with_headroom
from qnn.layers.dense import Dense
from qnn.learned import learned_document
from qnn.metrics import score
from qnn.model import Model
from qnn.modelfile import load_model, model_bytes, save_model
from qnn.ops.conv2d import Conv2d as Conv2dOp
from qnn.ops.dense import Dense as DenseOp
from qnn.precision import TERNARY, weight_limits
from qnn.process import Companion
from qnn.quantization import quantize
from qnn.simulator import simulate
from qnn.training import TrainOptions, train
from qnn.training.fake import FakeWeights
from qnn.training.fakenodes import training_nodes
from qnn.training.fakerange import FakeRange, LearnedRange, Step, steps_of
from qnn.training.qat import begin, trained

# The mean of six falls between two steps where 1/6 is rounded down: means of 1, 2 and 4 are exact.
EVEN = EVERY.replace("avgpool 3 stride 1", "avgpool 2 stride 1")
QUICK = TrainOptions(epochs=4, batch=32, rate=0.02)
AWARE = TrainOptions(epochs=3, batch=32, qat="4")
Run = Callable[..., tuple[int, str, str]]
__all__ = ["helped"]


@cache
def begun(net: str) -> Model:
    """A float network trained on pictures for a moment."""
    model = train(pictures(), net, QUICK).model
    assert model is not None
    return model


def graph_of(model: Model) -> Graph:
    assert model.learned is not None
    return quantize(model, model.learned.scales, "net", (), model.learned.widths)


def as_trained(model: Model, x: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """The outputs (N, outputs) of the network as it is trained."""
    return forward(replace(model, nodes=training_nodes(model)), x, dtype)


def in_steps(model: Model, x: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """(N,): how far the integer graph's outputs are from those of the trained network, in steps of its output."""
    graph = graph_of(model)
    kind = graph.type_of(graph.output)
    integers = simulate(graph, x, keep=(graph.output,))[graph.output].reshape(len(x), -1)
    return np.abs(integers - as_trained(model, x, dtype) / kind.scale).max(axis=1)


def close(model: Model, x: np.ndarray) -> bool:
    """Are nearly all outputs equal, but for the rounding of the last step?"""
    return float(np.mean(in_steps(model, x) > 0.51)) < 0.02


@pytest.mark.parametrize(
    ("net", "bits"),
    [
        (NET, "4"),
        (NET, "2"),
        (NET, "first=8,last=6,3"),
        (NET, "w3a5"),
        (EVEN, "ternary"),
        (EVEN, "first=7,5"),
        (EVEN, "w4a4"),
        (EVEN, "first=w8a8,w4a6"),
    ],
)
def test_the_integer_graph_computes_what_was_trained(net: str, bits: str) -> None:
    data = pictures()
    model = train(data, None, replace(AWARE, qat=bits), start=begun(net)).model
    assert model is not None
    assert close(model, data.x[data.test])


@pytest.mark.parametrize("bits", ["4", "w4a4"])
@pytest.mark.parametrize(
    "net",
    [
        "conv 3x3 4 bn relu, residual(conv 3x3 4 bn relu, conv 3x3 4 bn) relu, dense",
        "conv 3x3 4 bn relu, depthwise 3x3 bn relu, conv 1x1 6 bn relu6, gap, dense",
        "reshape 12x3, conv1d 3 6 bn relu, maxpool 2, conv1d 3 6 bn tanh, dense",
        "conv 3x3 4 bn relu, concat(conv 1x1 3 bn relu; conv 3x3 3 bn; linear), maxpool 2, dense",
    ],
    ids=["residual", "depthwise", "conv1d", "concat"],
)
def test_each_structure_computes_what_was_trained(net: str, bits: str) -> None:
    """Not one class differs, and no output by more than the rounding of its last step."""
    data = pictures()
    model = train(data, None, replace(AWARE, qat=bits), start=begun(net)).model
    assert model is not None
    steps = in_steps(model, data.x)
    found = evaluate(graph_of(model), data.x, np.asarray(data.y)).score.value
    assert found == score(replace(model, nodes=training_nodes(model)), data, np.arange(len(data.x))).value
    assert steps.max() < 1


@pytest.mark.parametrize("net", ["dense 8 tanh, dense 6 leaky_relu 0.1, dense", "dense 9 relu, dense"])
def test_readings_with_scales_of_their_own(net: str) -> None:
    data = readings()
    start = train(data, net, replace(QUICK, epochs=8)).model
    assert start is not None
    model = train(data, None, AWARE, start=start).model
    assert model is not None
    assert close(model, data.x[data.test])


def test_segments_and_constant_columns() -> None:
    """A column of which nearly all is in one place has a line of segments; one that never changes counts nothing."""
    rng = np.random.default_rng(0)
    data = readings()
    x = np.stack([np.exp(rng.normal(0, 3, len(data.x))) * 100, np.full(len(data.x), 7), data.x[:, 0]], axis=1)
    schema = replace(data.schema, shape=(3,), features=data.schema.features[:1] * 3)
    skewed = replace(data, x=x.clip(0, 1e8).astype(np.int32), schema=schema)
    start = train(skewed, "dense 8 relu, dense", replace(QUICK, normalize="auto")).model
    assert start is not None
    assert len(start.normalization.segments)
    model = train(skewed, None, AWARE, start=start).model
    assert model is not None
    assert close(model, skewed.x[skewed.test])


@pytest.mark.parametrize("bits", ["4", "first=7,4", "w4a4"])
def test_accuracy_of_training_is_that_of_the_integer_graph(bits: str) -> None:
    """Within 0.02 points on the digits: no image of the test part differs."""
    data = load("digits", LoadOptions())
    assert data.y is not None
    start = train(data, "conv 3x3 8 bn relu, maxpool 2, dense", TrainOptions(epochs=6)).model
    assert start is not None
    result = train(data, None, TrainOptions(epochs=3, qat=bits), start=start)
    model = result.model
    assert model is not None
    assert result.best is not None
    found = evaluate(graph_of(model), data.x[data.validation], data.y[data.validation]).score.value
    assert abs(result.best.metric - found) <= 0.0002
    told = score(replace(model, nodes=training_nodes(model)), data, data.test).value
    assert abs(told - evaluate(graph_of(model), data.x[data.test], data.y[data.test]).score.value) <= 0.0002


def test_learned_steps_become_the_weights() -> None:
    model = train(pictures(), None, AWARE, start=begun(NET)).model
    assert model is not None
    assert model.learned is not None
    graph = graph_of(model)
    for node in model.nodes:
        if node.layer.has_weights:
            op, steps = graph.node(node.name).op, np.array(model.learned.widths.of(node.name).steps)
            assert isinstance(op, (Conv2dOp, DenseOp))
            column = steps.reshape(-1, *(1,) * (node.parameters[0].ndim - 1))
            expected = np.clip(np.floor(node.parameters[0].astype(np.float64) / column + 0.5), -8, 7)
            assert np.array_equal(op.weights, expected)


def test_learned_steps_become_the_scales() -> None:
    """Every activation of the integer graph has just the step that was trained; what was calibrated, it had before."""
    first = begin(begun(EVEN), pictures(), "first=w4a8,w4a5")
    model = train(pictures(), None, replace(AWARE, qat="first=w4a8,w4a5"), start=begun(EVEN)).model
    assert model is not None
    assert first.learned is not None
    steps = {node.name: node for node in training_nodes(model) if isinstance(node.layer, Step)}
    before, after = graph_of(first), graph_of(model)
    found = {}
    for node in after.nodes:
        kind, old = node.type, before.node(node.name).type
        assert kind.zero_point == old.zero_point
        if kind.dtype == "uint8":
            assert kind.high <= (255 if node.name == "conv2d1" else 31)
            found[node.name] = (old.scale, kind.scale)
    assert {name for name, (old, new) in found.items() if old == new} == {"conv2d1"}
    assert len(steps) == len({new for _, new in found.values()}) - 1
    for node in steps.values():
        assert isinstance(node.layer, Step)
        low, high = node.layer.reals(node.parameters[0])
        assert any(math.isclose((high - low) / 31, new, rel_tol=1e-6) for _, new in found.values())


def test_what_a_concat_joins_has_its_width() -> None:
    """Its tensors share a step, so that the first layer takes the width of the others."""
    data, net = pictures(), "concat(conv 3x3 3 bn relu; conv 3x3 3 bn), dense"
    model = train(data, None, replace(AWARE, qat="first=w8a8,w4a4"), start=begun(net)).model
    assert model is not None
    assert model.learned is not None
    assert model.learned.widths.of("conv2d1").weights == 8
    graph = graph_of(model)
    assert len({graph.node(name).type.scale for name in ("conv2d1", "conv2d2", "concat1")}) == 1
    assert graph.node("conv2d1").type.high == 15
    assert in_steps(model, data.x).max() < 1


def test_a_step_before_tanh_stops_where_it_is_useless() -> None:
    data = readings()
    start = train(data, "dense 8 tanh, dense", replace(QUICK, epochs=8)).model
    assert start is not None
    model = train(data, None, replace(AWARE, qat="w4a4", rate=0.5), start=start).model
    assert model is not None
    assert close(model, data.x[data.test])
    kind = graph_of(model).node("dense1").type
    assert kind.scale * max(kind.zero_point, 15 - kind.zero_point) <= 4.0


def test_a_limited_step_only_shrinks() -> None:
    step = Step(0, 15, 0.25)
    for logarithm, gradient, passed in ((0.0, -1.0, 0.0), (0.0, 1.0, 0.25), (-3.0, -1.0, -math.exp(-3))):
        parameters = (np.array([logarithm], np.float32),)
        y, saved = step.forward((np.zeros((2, 3), np.float32),), parameters, None)
        assert float(y) == pytest.approx(min(math.exp(logarithm), 0.25))
        _, (by,) = step.backward(np.array(gradient, np.float32), saved, parameters)
        assert by[0] == pytest.approx(passed)


def test_training_helps_where_rounding_hurts() -> None:
    data = pictures()
    assert data.y is not None
    x, y = data.x[data.test], data.y[data.test]
    untrained = begin(begun(NET), data, "2")
    model = train(data, None, replace(AWARE, qat="2", epochs=8), start=begun(NET)).model
    assert model is not None
    before, after = (evaluate(graph_of(found), x, y).score.value for found in (untrained, model))
    assert after > before + 0.02


def test_the_gradient_of_a_step_is_that_of_the_paper() -> None:
    """Of every weight round(v) - v inside, the limit beyond it, times 1 / sqrt(weights * highest)."""
    rng = np.random.default_rng(3)
    weights, bias = rng.normal(size=(3, 5)).astype(np.float32), np.zeros(3, np.float32)
    steps = np.array([0.1, 0.3, 0.05], np.float32)
    fake = FakeWeights(Dense(3), 4, 0.02, np.ones(()), np.zeros(()))
    x, gradient = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=(7, 3)).astype(np.float32)
    parameters = (weights, bias, np.log(steps))
    _, saved = fake.forward((x,), parameters, None)
    _, (by_weights, by_bias, by_logarithms) = fake.backward(gradient, saved, parameters)
    upstream, (low, high) = gradient.T @ x, weight_limits(4)
    for o in range(3):
        total = 0.0
        for i in range(5):
            v = float(weights[o, i]) / float(steps_of(np.log(steps))[o])
            slope = low if v < low else high if v > high else math.floor(v + 0.5) - v
            total += float(upstream[o, i]) * slope
            assert by_weights[o, i] == pytest.approx(upstream[o, i] if low <= v <= high else 0.0, rel=1e-5)
        assert by_logarithms[o] == pytest.approx(total * float(steps[o]) / math.sqrt(5 * high), rel=1e-4)
    np.testing.assert_allclose(by_bias, gradient.sum(axis=0), rtol=1e-5)


@pytest.mark.parametrize("clamp", [(-math.inf, math.inf), (-0.3, 0.8), (0.0, 6.0)])
def test_the_gradient_of_an_activations_step_is_that_of_the_paper(clamp: tuple[float, float]) -> None:
    """Of every value round(v) - v inside, the limit beyond it, times 1 / sqrt(values of a sample * highest).

    The bounds of a clamp do not follow the step.
    """
    rng = np.random.default_rng(4)
    x, gradient = (rng.normal(size=(3, 4, 2, 2)).astype(np.float32) for _ in range(2))
    fake, step = LearnedRange(5, 15, *clamp), np.array(0.125, np.float32)
    y, saved = fake.forward((x, step), (), None)
    (by_x, by_step), _ = fake.backward(gradient, saved, ())
    bounds = [min(max(math.floor(min(max(c, -9), 9) / 0.125 + 0.5), -5), 10) for c in clamp]
    total = 0.0
    for index in np.ndindex(x.shape):
        v = float(x[index]) / 0.125
        q = min(max(math.floor(v + 0.5), bounds[0]), bounds[1])
        inside = math.floor(v + 0.5) == q
        assert y[index] == pytest.approx(0.125 * q)
        assert by_x[index] == (gradient[index] if inside else 0.0)
        slope = q - v if inside else q if q in (-5, 10) else 0
        total += float(gradient[index]) * slope
    assert float(by_step) == pytest.approx(total / math.sqrt(16 * 10), rel=1e-4)


def test_training_rounds_as_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nodes with what they have learned give the outputs of those that are made anew from the model."""
    data, kept = pictures(), []
    monkeypatch.setattr(
        "qnn.training.loop.trained", lambda model, nodes, reached: kept.append(nodes) or trained(model, nodes)
    )
    model = train(data, None, replace(AWARE, qat="w4a4", rate=0.05), start=begun(EVEN)).model
    assert model is not None
    x = data.x[data.test]
    during, after = forward(replace(model, nodes=kept[-1]), x), as_trained(model, x)
    assert np.mean(np.abs(during - after).max(axis=1) > 1e-3) < 0.02


def test_ranges_round_half_up_and_stop_gradients_outside() -> None:
    fake = FakeRange(np.array(0.5), np.array(-1.0), np.array(-1.0), 0, 7)
    x = np.array([[-1.3, -1.25, -0.76, 0.0, 2.5, 2.8, 9.0]], np.float32)
    y, saved = fake.forward((x,), (), None)
    assert y.tolist() == [[-1.0, -1.0, -1.0, 0.0, 2.5, 2.5, 2.5]]
    by, _ = fake.backward(np.ones_like(x), saved, ())
    assert by[0][0].tolist() == [0, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("bits", "broken"),
    [
        ("4", (FakeRange, "low", 3)),
        ("4", (FakeWeights, "bits", TERNARY)),
        ("4", (FakeWeights, "scale", 40.0)),
        ("w4a4", (LearnedRange, "most", 14)),
        ("w4a4", (LearnedRange, "highest", 0.1)),
        ("w4a4", (LearnedRange, "zero_point", 1)),
        ("w4a4", (Step, "limit", 0.01)),
    ],
)
def test_a_forward_pass_that_differs_is_noticed(
    bits: str, broken: tuple[type, str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, (layer, field, value) = pictures(), broken
    model = begin(begun(NET), data, bits)
    assert close(model, data.x[data.test])

    right = training_nodes

    def spoiled(found: Model) -> tuple[object, ...]:
        nodes = right(found)
        return tuple(
            replace(node, layer=replace(node.layer, **{field: value})) if isinstance(node.layer, layer) else node
            for node in nodes
        )

    monkeypatch.setitem(globals(), "training_nodes", spoiled)
    assert not close(model, data.x[data.test])


@pytest.mark.parametrize("bits", ["4", "w4a5"])
def test_training_goes_on_bit_for_bit(bits: str, tmp_path: Path) -> None:
    data, path, start, how = pictures(), tmp_path / "m.qnn", begun(NET), replace(AWARE, qat=bits)
    whole = train(data, None, how, start=start)
    assert train(data, None, how, path, start=start, should_stop=stop_after(9)).stopped
    with pytest.raises(QnnError, match="was trained from another model; name the same with --from"):
        train(data, None, how, path, start=replace(start, samples=start.samples[:9], labels=None), resume=True)
    assert same(train(data, None, how, path, start=start, resume=True), whole)


def test_two_processes_give_the_same(helped: list[Companion], monkeypatch: pytest.MonkeyPatch) -> None:
    how, start = replace(AWARE, qat="first=w7a8,w4a5"), begun(NET)
    helped.clear()  # of the float training, where this test is the first to want it
    together = train(pictures(), None, how, start=start)
    assert len(helped) == 1
    monkeypatch.setattr("qnn.training.loop.processors", lambda: 1)
    assert same(train(pictures(), None, how, start=begun(NET)), together)


def test_models_keep_what_they_learned(tmp_path: Path) -> None:
    model = begin(begun(NET), pictures(), "first=8,3")
    save_model(model, tmp_path / "m.qnn")
    again = load_model(tmp_path / "m.qnn")
    assert again.learned == model.learned
    assert model_bytes(again) == model_bytes(model)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found["layers"][0]["steps"].pop(), "its learned steps of 'conv2d1' do not fit"),
        (lambda found: found["layers"][0].update(steps=[-1.0] * 4), "do not fit"),
        (lambda found: found["layers"][0].update(steps=[0.1] * 4), "do not fit"),
        (lambda found: found["layers"][0].update(name="other"), "its learned steps of 'other' do not fit"),
        (lambda found: found["layers"][0].update(weights=9), "its learned widths are out of range"),
        (lambda found: found.update(input=7), "its learned widths contradict themselves"),
        (lambda found: found["scales"].update(version=9), "has version 9; this qnn reads version 1"),
        (lambda found: found.update(reached={"metric": "accuracy"}), "'value'"),
    ],
)
def test_damaged_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict], object], said: str
) -> None:
    model = begin(begun(NET), pictures(), "4")
    assert model.learned is not None
    document = learned_document(model.learned)
    change(document)
    monkeypatch.setattr("qnn.modelfile.learned_document", lambda _: document)
    save_model(model, tmp_path / "m.qnn")
    with pytest.raises(QnnError, match=said):
        load_model(tmp_path / "m.qnn")


def test_what_cannot_be_trained_so() -> None:
    data = pictures()
    loose = train(data, "conv 3x3 4 relu bn, dense", replace(QUICK, epochs=1)).model
    assert loose is not None
    with pytest.raises(QnnError, match="has a batch norm, batch_norm1, that no layer before it takes in"):
        begin(loose, data, "4")
    with pytest.raises(QnnError, match="names no width of weights"):
        begin(begun(NET), data, "40")
    other = replace(begun(NET), record=replace(data.record, seed=data.record.seed + 1))
    with pytest.raises(QnnError, match=r"--from: was trained with --seed 1 on .* rows that are held out here"):
        begin(other, data, "4")


def test_learned_steps_leave_no_headroom() -> None:
    model = begin(begun(NET), pictures(), "first=8,4")
    assert model.learned is not None
    assert layers_with_headroom(model, model.learned.scales, WEIGHTS, model.learned.widths) == ()


def words(data: Dataset, folder: Path) -> tuple[str, ...]:
    np.savez(folder / "data.npz", x=data.x, y=data.y)
    return ("train", str(folder / "data.npz"), "--epochs", "2", "-o", str(folder / "m.qnn"))


def test_the_command(tmp_path: Path, qnn: Run) -> None:
    order = words(pictures(), tmp_path)
    code, out, err = qnn(*order, "--net", NET, "--qat", "first=7,w4a5")
    assert code == 0, err
    assert "as quantized" in out
    assert "recipe of the float network: --epochs 2 --batch 16 --rate 0.01 " in out
    assert "recipe with rounding: --epochs 2 --batch 16 --rate 0.0025 " in out
    assert load_model(tmp_path / "m-float.qnn").learned is None
    code, out, err = qnn("compile", str(tmp_path / "m.qnn"), "-o", str(tmp_path / "b"), "--json")
    assert code == 0, err
    assert "narrow" in (tmp_path / "b" / "m.h").read_text()
    assert qnn("verify", str(tmp_path / "b"), "-q")[0] == 0
    trained = json.loads(out)["flash"]["weights"]
    code, out, _ = qnn("compile", str(tmp_path / "m.qnn"), "--bits", "8", "-o", str(tmp_path / "b"), "--json")
    assert json.loads(out)["flash"]["weights"] > trained
    code, _, err = qnn(*order[:-1], str(tmp_path / "n.qnn"), "--from", str(tmp_path / "m-float.qnn"), "--qat", "4")
    assert code == 0, err


def test_what_inspect_tells(tmp_path: Path, qnn: Run) -> None:
    model = train(pictures(), None, replace(AWARE, qat="first=7,w4a5"), start=begun(NET)).model
    assert model is not None
    save_model(model, tmp_path / "m.qnn")
    code, out, err = qnn("inspect", str(tmp_path / "m.qnn"))
    assert code == 0, err
    assert model.learned is not None
    assert model.learned.reached is not None
    assert f"as rounded: accuracy {100 * model.learned.reached.value:.2f} % on 30 validation samples" in out
    graph = graph_of(model)
    found = json.loads(qnn("inspect", str(tmp_path / "m.qnn"), "--json")[1])["learned"]["tensors"]
    told = {row["tensor"]: (row["weights"], row["activations"], row["step"], row["zero_point"]) for row in found}
    kinds = {name: graph.type_of(name) for name in told}
    assert told["conv2d1"] == ("7", 5, kinds["conv2d1"].scale, 0)
    assert told["conv2d2"] == ("4", 5, kinds["conv2d2"].scale, 0)
    assert told["dense1"] == ("4", 16, kinds["dense1"].scale, 0)
    assert told["input"][:2] == (None, 8)


def test_a_model_of_other_data_is_named(tmp_path: Path, qnn: Run) -> None:
    save_model(begun(NET), tmp_path / "f.qnn")
    code, _, err = qnn(
        "train", "digits", "--from", str(tmp_path / "f.qnn"), "--qat", "4", "-o", str(tmp_path / "m.qnn")
    )
    assert code == 2
    said = "--from: was trained on made-up for 6x6x1 uint8 (classification); digits is 8x8x1 uint8 (classification)"
    assert said in " ".join(err.split())
    with pytest.raises(QnnError, match="was trained on made-up for"):
        train(readings(), None, AWARE, start=begun(NET))
    other = replace(pictures(), schema=replace(pictures().schema, classes=("a", "b", "c", "d")))
    with pytest.raises(QnnError, match="was trained on made-up, which has other classes or targets than this data"):
        train(other, None, AWARE, start=begun(NET))


def test_wrong_commands(tmp_path: Path, qnn: Run) -> None:
    order = words(pictures(), tmp_path)
    assert qnn(*order[:-1], str(tmp_path / "f.qnn"), "--net", NET, "-q")[0] == 0
    start = ("--from", str(tmp_path / "f.qnn"))
    for more, said in (
        (start, "--from: says nothing without --qat"),
        ((*start, "--qat", "4", "--net", NET), "--net: is that of the model that --from names"),
        ((*start, "--qat", "9"), "--qat 9: '9' names no width of weights; use one of 2, 3, 4, 5, 6, 7, 8, ternary;"),
        (("--qat", "9", "--net", NET), "--qat 9: '9' names no width of weights"),
        (("--qat", "first=16,4", "--net", NET), "names weights of more than 8 bits"),
        (("--qat", "w4a16", "--net", NET), "names activations of more than 8 bits"),
        (("--qat", "w4a3", "--net", NET), "'w4a3' names no width of activations"),
        (("--qat", "w9a4", "--net", NET), "'w9a4' names no width of weights"),
        (("--qat", "4", "--from", "none.qnn"), "none.qnn"),
        (("--qat", ""), "--qat: names no widths"),
        ((*start, "--qat", "4", "-o", start[1]), "f.qnn: is what --from reads, and would be written over"),
        ((*start, "--qat", "4", "--teacher", order[-1]), "is what --teacher reads, and would be written over"),
    ):
        code, _, err = qnn(*order, *more)
        assert (code, said in err) == (2, True), err
    assert qnn("compile", str(tmp_path / "f.qnn"), "--bits", "", "-o", str(tmp_path / "b"))[0] == 2
    code, _, err = qnn("compile", str(tmp_path / "f.qnn"), "--bits", "trained", "-o", str(tmp_path / "b"))
    assert (code, "was not trained for few bits" in err) == (2, True)


def test_reports_and_files_of_ranges(tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qnn.report.measure.targets_here", lambda: ("host",))
    order = words(pictures(), tmp_path)
    assert qnn(*order, "--net", NET, "--qat", "4", "-q")[0] == 0
    model = str(tmp_path / "m.qnn")
    code, out, err = qnn("compile", model, "-o", str(tmp_path / "b"))
    assert (code, err) == (0, "")
    said = " ".join(out.split())
    assert "against the network as it was trained, on " in said
    assert "samples: 0.00 % of the classes change, no difference at the output" in said
    assert "training reported accuracy " in said
    for option, value in (("--method", "minmax"), ("--data", "digits"), ("--clipping", "off")):
        code, _, err = qnn("compile", model, option, value, "-o", str(tmp_path / "b"))
        assert (code, f"{option} cannot change its steps and ranges" in " ".join(err.split())) == (2, True), err
    code, out, err = qnn("report", model, "--json")
    assert code == 0, err
    alone = json.loads(out)["rows"]
    assert [row["bits"] for row in alone] == ["trained"]
    code, out, _ = qnn("report", model, "--bits", "trained,w4a8", "--json", "-j1")
    assert [row["bits"] for row in json.loads(out)["rows"]] == ["trained", "w4a8"]
    assert json.loads(out)["rows"][0]["accuracy"] == alone[0]["accuracy"]
    left = (
        "was trained for few bits: --weight-bits leaves its learned steps and ranges out; --bits trained, the default"
    )
    for order in (("compile", model, "-o", str(tmp_path / "b")), ("report", model, "-j1")):
        code, _, err = qnn(*order, "--weight-bits", "4")
        assert (code, left in " ".join(err.split())) == (0, True), err
    code, _, err = qnn("compile", model, "--equalize", "on", "-o", str(tmp_path / "b"))
    assert (code, "changes weights whose steps were trained" in err) == (2, True)
    code, _, err = qnn("compile", model, "--weight-bits", "4", "--bits", "trained", "-o", str(tmp_path / "b"))
    assert (code, "--weight-bits: says what --bits trained has in the model" in err) == (2, True)
    assert qnn("calibrate", model, "-o", str(tmp_path / "s.json"), "-q")[0] == 0
    assert qnn("compile", model, "--scales", str(tmp_path / "s.json"), "-o", str(tmp_path / "b"), "-q")[0] == 0
