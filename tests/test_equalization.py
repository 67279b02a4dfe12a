# SPDX-License-Identifier: MIT
"""Cross-layer equalization: the same function, channels of one size, and where it is chosen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from networks import Example
from networks import model_of as fresh_model

from qnn.balancing import AUTO, LEAST_GAIN, OFF, ON, candidates, choose
from qnn.calibration import calibrate
from qnn.equalization import divided, equalized, multiplied, pairs, prepared
from qnn.errors import QnnError
from qnn.forward import forward, node_shapes
from qnn.layers import LAYERS
from qnn.model import Model, Node
from qnn.modelfile import save_model
from qnn.prepare import prepare
from qnn.quantization import quantize
from qnn.scales import load_scales, save_scales, scales_bytes
from qnn.simulator import simulate
from qnn.widths import widths_named

DENSE = Example("net", "dense 12 relu, dense 9 leaky_relu 0.1, dense 5 tanh, dense", (6,), "int32", 3)
MAPS = Example(
    "maps",
    "conv 3x3 6 same bn relu, maxpool 2, depthwise 3x3 mult 2 relu, pad 1, conv 3x3 5 relu, avgpool 2, flatten, dense",
    (12, 12, 3),
    "uint8",
    4,
)
BOUNDED = Example("six", "conv 3x3 4 relu6, conv 3x3 4 sigmoid, conv 3x3 4 clamp -1 1, gap, dense", (9, 9, 2))
SEQUENCE = Example("line", "reshape 8x3, conv1d 3 4 relu, conv1d 3 6, flatten, dense 4 relu, dense", (24,), "int32", 2)


def model_of(example: Example) -> Model:
    """The example with random weights, and with biases, which fresh networks lack."""
    model, rng = fresh_model(example), np.random.default_rng(8)
    nodes = [
        replace(n, parameters=(n.parameters[0], rng.normal(0, 0.3, n.parameters[1].shape).astype(np.float32)))
        if n.layer.has_weights
        else n
        for n in model.nodes
    ]
    return replace(model, nodes=tuple(nodes))


def uneven(model: Model, seed: int = 0) -> Model:
    """The same function with channels whose sizes lie far apart."""
    rng = np.random.default_rng(seed)
    model = prepare(model)
    nodes = {node.name: node for node in model.nodes}
    for pair in pairs(model):
        first = nodes[pair.first]
        scales = 10.0 ** rng.uniform(-2, 2, len(first.parameters[1]))
        nodes[pair.first] = divided(first, scales)
        nodes[pair.second] = multiplied(nodes[pair.second], np.tile(scales, pair.repeat))
    return replace(model, nodes=tuple(nodes[node.name] for node in model.nodes))


@pytest.mark.parametrize("example", [DENSE, MAPS, SEQUENCE], ids=lambda example: example.name)
def test_the_function_stays(example: Example) -> None:
    model = prepare(model_of(example))
    wanted = forward(model, model.samples)
    for changed in (equalized(model), uneven(model), equalized(uneven(model))):
        weights = zip(changed.nodes, model.nodes, strict=True)
        assert any(not np.array_equal(a.parameters[0], b.parameters[0]) for a, b in weights if a.parameters)
        assert np.allclose(forward(changed, model.samples), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("part", ["weights", "bias", "inputs"])
def test_half_of_it_changes_the_function(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """What divides the weights must divide the bias as well, and be multiplied by the next layer."""

    def half(node: Node, scales: np.ndarray) -> Node:
        changed = divided(node, scales)
        kept = {
            "weights": (node.parameters[0], changed.parameters[1]),
            "bias": (changed.parameters[0], node.parameters[1]),
        }
        return replace(changed, parameters=kept.get(part, changed.parameters))

    model = prepare(model_of(MAPS))
    monkeypatch.setattr("qnn.equalization.divided", half)
    if part == "inputs":
        monkeypatch.setattr("qnn.equalization.multiplied", lambda node, scales: node)
    assert not np.allclose(forward(equalized(model), model.samples), forward(model, model.samples), rtol=1e-3)


def test_the_pairs() -> None:
    assert [(p.first, p.second, p.repeat) for p in pairs(prepare(model_of(DENSE)))] == [
        ("dense1", "dense2", 1),
        ("dense2", "dense3", 1),
    ]
    assert [(p.first, p.second, p.repeat) for p in pairs(prepare(model_of(MAPS)))] == [
        ("conv2d1", "depthwise_conv2d1", 1),
        ("depthwise_conv2d1", "conv2d2", 1),
        ("conv2d2", "dense1", 4),
    ]
    assert [p.repeat for p in pairs(prepare(model_of(SEQUENCE)))] == [1, 4, 1]


def test_bounded_layers_are_left_alone() -> None:
    """Only gap joins: clamp, sigmoid and ReLU6 do not commute with a scale."""
    assert pairs(prepare(model_of(BOUNDED))) == ()
    net = "conv 3x3 4 same relu, residual(conv 3x3 4 relu, conv 3x3 4), gap, dense"
    branches = Example("sum", net, (6, 6, 1), "uint8", 3)
    assert [(p.first, p.second) for p in pairs(prepare(model_of(branches)))] == [("conv2d2", "conv2d3")]


def test_what_is_called_homogeneous_is(rng: np.random.Generator) -> None:
    net = MAPS.net.replace(", flatten", ", leaky_relu 0.2, reshape 4x5, flatten")
    model = model_of(replace(MAPS, net=net))
    shapes, seen = node_shapes(model.nodes, model.schema.shape), set()
    for node in model.nodes:
        if not node.layer.homogeneous:
            continue
        x, scales = rng.normal(size=(3, *shapes[node.inputs[0]])), 10.0 ** rng.uniform(-2, 2, 20)
        scales = scales[: x.shape[-1]]
        plain, scaled = (node.layer.forward((values,), (), None)[0] for values in (x, x * scales))
        assert np.allclose(scaled, plain * np.tile(scales, plain.shape[-1] // len(scales)), rtol=1e-12)
        seen.add(node.layer.kind)
    assert seen == {"relu", "leaky_relu", "max_pool", "average_pool", "pad", "flatten", "reshape"}
    assert not any(layer.homogeneous for layer in LAYERS if layer.kind not in seen)


@pytest.mark.parametrize("example", [DENSE, MAPS, SEQUENCE], ids=lambda example: example.name)
def test_channels_of_one_size_survive_8_bits(example: Example) -> None:
    """Random weights are even already: there it brings little. Uneven channels are lost without it."""
    model = model_of(example)
    _, even = choose(model, candidates(model, model.samples), AUTO)
    broken = uneven(model)
    found = candidates(broken, model.samples)
    scales, effect = choose(broken, found, AUTO)
    assert even is not None
    assert effect is not None
    assert effect.chosen
    assert scales is found.equalized
    assert effect.plain_db < even.plain_db - 10
    assert effect.equalized_db > even.plain_db - 3
    assert choose(broken, found, OFF)[0] is found.plain
    assert not even.chosen or even.equalized_db >= even.plain_db + LEAST_GAIN


def test_the_choice_goes_by_the_width() -> None:
    model = uneven(model_of(DENSE))
    found = candidates(model, model.samples)
    at = {bits: choose(model, found, AUTO, widths_named(bits))[1] for bits in ("8", "16")}
    assert at["8"] is not None
    assert at["16"] is not None
    assert at["16"].plain_db > at["8"].plain_db


def test_nothing_to_equalize() -> None:
    model = model_of(BOUNDED)
    found = candidates(model, model.samples, choice=ON)
    assert found.equalized is None
    assert choose(model, found, ON) == (found.plain, None)
    with pytest.raises(QnnError, match="use one of auto, on, off"):
        candidates(model, model.samples, choice="yes")


def test_the_scales_say_whose_ranges_they_are(tmp_path: Path) -> None:
    """Ranges of equalized weights lead to equalized weights, also from a file; others have no word of it."""
    model = uneven(model_of(DENSE))
    plain, equal = (calibrate(model, model.samples, equalize=wanted) for wanted in (False, True))
    assert b"equalized" not in scales_bytes(plain)
    save_scales(equal, tmp_path / "scales.json")
    assert load_scales(tmp_path / "scales.json") == equal
    direct = quantize(prepared(model, True), replace(equal, equalized=False), "net")
    again = quantize(model, load_scales(tmp_path / "scales.json"), "net")
    assert str(direct) == str(again)
    x = model.samples
    assert np.array_equal(simulate(direct, x)[direct.output], simulate(again, x)[again.output])


def test_commands(tmp_path: Path, qnn: Run) -> None:
    path, scales, build = tmp_path / "net.qnn", tmp_path / "scales.json", tmp_path / "build"
    model = uneven(model_of(DENSE))
    nodes = [replace(n, parameters=tuple(array.astype(np.float32) for array in n.parameters)) for n in model.nodes]
    save_model(replace(model, nodes=tuple(nodes)), path)
    code, out, _ = qnn("compile", str(path), "-o", str(build), "--json")
    document = json.loads(out)
    assert code == 0
    assert document["equalization"]["chosen"]
    assert document["equalization"]["pairs"] == 2
    assert json.loads((build / "scales.json").read_text())["equalized"]
    assert document["fidelity"]["sqnr_db"] > 25
    header = (build / "net.h").read_bytes()
    _, out, _ = qnn("compile", str(path), "-o", str(tmp_path / "off"), "--equalize", "off")
    assert "equalization" not in out
    assert (tmp_path / "off" / "net.h").read_bytes() != header
    code, out, _ = qnn("calibrate", str(path), "-o", str(scales))
    assert code == 0
    assert "equalization of 2 pairs of layers chosen" in out
    assert qnn("compile", str(path), "-o", str(tmp_path / "again"), "--scales", str(scales))[0] == 0
    assert (tmp_path / "again" / "net.h").read_bytes() == header
    code, _, err = qnn("compile", str(path), "-o", str(build), "--scales", str(scales), "--equalize", "off")
    assert code == 2
    assert "has the ranges of weights that are equalized; leave --equalize off out" in err
    assert qnn("compile", str(path), "-o", str(build), "--equalize", "perhaps")[0] == 2
