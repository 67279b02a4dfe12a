# SPDX-License-Identifier: MIT
"""NET: what it means, what is filled in, and what it says about mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learnable import curve, pictures, readings

from qnn.errors import QnnError
from qnn.forward import node_shapes
from qnn.layers.dense import Dense
from qnn.layers.dropout import Dropout
from qnn.layers.flatten import Flatten
from qnn.layers.leaky_relu import LeakyRelu
from qnn.layers.relu import Relu
from qnn.model import INPUT
from qnn.net import PRESETS, WORDS, build_nodes, default_net, net_text, parse_net
from qnn.schema import Schema

THREE, BINARY = readings(classes=3).schema, readings(classes=2).schema
IMAGES, VALUES, DIGITS = pictures().schema, curve(targets=2).schema, pictures(side=28, classes=10, count=10).schema


@pytest.mark.parametrize(
    ("text", "schema", "layers"),
    [
        ("dense 64 relu, dense 3", THREE, (Dense(64), Relu(), Dense(3))),
        ("dense 64 relu dense", THREE, (Dense(64), Relu(), Dense(3))),
        ("DENSE 64, Relu, dense 3", THREE, (Dense(64), Relu(), Dense(3))),
        ("dense 8 relu, dropout 0.2, dense", THREE, (Dense(8), Relu(), Dropout(0.2), Dense(3))),
        ("dense 16 leaky_relu, dense 3 linear", THREE, (Dense(16), LeakyRelu(0.1), Dense(3))),
        ("dense 16 leaky_relu 0.012345678, dense 3 softmax", THREE, (Dense(16), LeakyRelu(0.012345678), Dense(3))),
        ("dense", THREE, (Dense(3),)),
        ("dense", BINARY, (Dense(1),)),
        ("dense 2", BINARY, (Dense(2),)),
        ("dense 1 sigmoid", BINARY, (Dense(1),)),
        ("dense sigmoid", BINARY, (Dense(1),)),
        ("dense 5 relu, dense", VALUES, (Dense(5), Relu(), Dense(2))),
        ("dense 5 relu, dense", IMAGES, (Flatten(), Dense(5), Relu(), Dense(4))),
        ("flatten, dense 5 relu, dense 4", IMAGES, (Flatten(), Dense(5), Relu(), Dense(4))),
        ("relu, dropout 0.1, dense", IMAGES, (Relu(), Dropout(0.1), Flatten(), Dense(4))),
        ("flatten, dense 3", THREE, (Dense(3),)),
        ("mlp-64", THREE, (Dense(64), Relu(), Dense(3))),
    ],
)
def test_meaning(text: str, schema: Schema, layers: tuple[object, ...]) -> None:
    found = parse_net(text, schema)
    assert found == layers
    assert parse_net(net_text(found), schema) == found


@pytest.mark.parametrize("schema", [THREE, BINARY, IMAGES, VALUES, DIGITS])
def test_presets_and_defaults_fit_any_data(schema: Schema) -> None:
    """Those of dense layers any, those of convolutions images of MNIST's size."""
    fitting = [preset.name for preset in PRESETS if schema is DIGITS or preset.name.startswith("mlp")]
    for text in (*fitting, default_net(schema)):
        layers = parse_net(text, schema)
        assert isinstance(layers[-1], Dense)
        assert layers[-1].units == (len(schema.targets) or (1 if len(schema.classes) == 2 else len(schema.classes)))


def test_nodes_are_a_chain_with_stable_names(rng) -> None:
    layers = parse_net("dense 7 relu, dropout 0.5, dense 6 tanh, dense", IMAGES)
    nodes = build_nodes(layers, IMAGES, rng, "he")
    assert [node.name for node in nodes] == ["flatten1", "dense1", "relu1", "dropout1", "dense2", "tanh1", "dense3"]
    assert [node.inputs for node in nodes] == [(name,) for name in (INPUT, *(node.name for node in nodes[:-1]))]
    assert [p.shape for p in nodes[1].parameters] == [(7, 36), (7,)]
    assert node_shapes(nodes, IMAGES.shape)["dense3"] == (4,)


@pytest.mark.parametrize(
    ("text", "schema", "said"),
    [
        ("dens 64 relu, dense 3", THREE, "did you mean 'dense'"),
        ("dense 64 rellu, dense 3", THREE, "did you mean 'relu'"),
        ("mlp-46", THREE, "did you mean 'mlp-"),
        ("xyzzy", THREE, "known words: dense"),
        ("dense 64 relu, dense 4", THREE, 'the data has 3 classes; end it with "dense 3"'),
        ("dense 3", BINARY, '"dense 1" or "dense 2"'),
        ("dense 1", VALUES, 'the data has 2 targets; end it with "dense 2"'),
        ("dense 8, dense 3 relu", THREE, "ends with relu"),
        ("dense 2 softmax", VALUES, "softmax where it is not the last word of a classifier"),
        ("dense 8 softmax, dense 3", THREE, "softmax where it is not the last word"),
        ("dense 3 sigmoid", THREE, "ends with sigmoid"),
        ("dense relu, dense 3", THREE, "only the last dense may leave out its width"),
        ("", THREE, "nothing between"),
        ("dense 3,", THREE, "nothing between"),
        ("linear", THREE, "names no layer"),
        ("64 dense", THREE, "'64' where a word should be"),
        ("dense 64, 3", THREE, "'3' where a word should be"),
        ("dense 64 3", THREE, "takes 0 or 1 numbers, not 2"),
        ("dropout, dense", THREE, "takes 1 numbers, not 0"),
        ("relu 3, dense", THREE, "takes 0 numbers, not 1"),
        ("softmax 3", THREE, "takes 0 numbers, not 1"),
        ("dense 0", THREE, "dense 0 is no width"),
        ("dense -4 relu, dense", THREE, "dense -4 is no width"),
        ("dense 2.5 relu, dense", THREE, "dense 2.5 is no width"),
        ("dense 999999999 relu, dense", THREE, "is no width"),
        ("dense 9999999999999 relu, dense", THREE, "where a word should be"),
        ("dense nan, dense", THREE, "unknown word 'nan'"),
        ("dropout 1.5, dense", THREE, "rate outside"),
        ("dense 8 leaky_relu 2, dense", THREE, "slope outside"),
        (", ".join(["dense 2 relu"] * 60), THREE, "more than the 64 allowed"),
        ("dense 2 relu " * 1000, THREE, "more than the 4096 allowed"),
        ("dense 8 \x1b[31mred, dense", THREE, "x1b"),
    ],
)
def test_mistakes(text: str, schema: Schema, said: str) -> None:
    with pytest.raises(QnnError) as caught:
        parse_net(text, schema)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_many_parameters_are_refused_before_they_are_made(rng) -> None:
    layers = parse_net("dense 8000 relu, dense 8000 relu, dense 8000 relu, dense", THREE)
    with pytest.raises(QnnError, match="parameters"):
        build_nodes(layers, THREE, rng, "he")


TOKENS = st.sampled_from([*(word.name for word in WORDS), "softmax", ",", "64", "0.5", "3", "-1", "1e9", "mlp-64", "x"])


@given(st.one_of(st.text(max_size=60), st.lists(TOKENS, max_size=9).map(" ".join)))
def test_any_text_is_layers_or_one_clear_error(text: str) -> None:
    try:
        layers = parse_net(text, IMAGES)
    except QnnError:
        return
    assert layers[-1] == Dense(4)
    assert parse_net(net_text(layers), IMAGES) == layers
