# SPDX-License-Identifier: MIT
"""NET: what it means, what is filled in, and what it says about mistakes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learnable import curve, pictures, readings

from qnn.errors import QnnError
from qnn.forward import node_shapes
from qnn.layers.average_pool import AveragePool, GlobalAveragePool
from qnn.layers.batch_norm import BatchNorm
from qnn.layers.clamp import Clamp, Relu6
from qnn.layers.conv1d import Conv1d
from qnn.layers.conv2d import Conv2d
from qnn.layers.dense import Dense
from qnn.layers.depthwise_conv2d import DepthwiseConv2d
from qnn.layers.dropout import Dropout
from qnn.layers.flatten import Flatten
from qnn.layers.leaky_relu import LeakyRelu
from qnn.layers.max_pool import MaxPool
from qnn.layers.pad import Pad
from qnn.layers.relu import Relu
from qnn.layers.reshape import Reshape
from qnn.model import INPUT
from qnn.net import (
    PRESETS,
    WORDS,
    Branches,
    Residual,
    build_nodes,
    default_net,
    net_text,
    parse_net,
    sketch_net,
    wired_nodes,
)
from qnn.schema import Schema

GAP, POOL = GlobalAveragePool(), MaxPool(2, 2, 2, 2)
THREE, BINARY = readings(classes=3).schema, readings(classes=2).schema
FLAT = readings(classes=3, features=60).schema
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


MAPS: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("conv 3x3 8 relu, flatten, dense 10", (Conv2d(8, 3, 3), Relu(), Flatten(), Dense(10))),
    ("conv 3 8 relu dense", (Conv2d(8, 3, 3), Relu(), Flatten(), Dense(10))),
    (
        "conv 3x5 8 stride 2 same bn relu6, gap, dense",
        (Conv2d(8, 3, 5, 2, 2, "same"), BatchNorm(), Relu6(), GAP, Dense(10)),
    ),
    ("conv 3x3 4 stride 1x3 pad 1, dense", (Conv2d(4, 3, 3, 1, 3, "1"), Flatten(), Dense(10))),
    ("conv 3x3 4, pad 1, dense", (Conv2d(4, 3, 3), Pad(1, 1, 1, 1), Flatten(), Dense(10))),
    ("pad 0 1 0 2, avgpool 2x3, dense", (Pad(0, 1, 0, 2), AveragePool(2, 3, 2, 3), Flatten(), Dense(10))),
    ("maxpool 2, maxpool 3 stride 2 same, dense", (POOL, MaxPool(3, 3, 2, 2, "same"), Flatten(), Dense(10))),
    (
        "depthwise 3x3 mult 2 stride 2 same, conv 1x1 10, gap",
        (DepthwiseConv2d(3, 3, 2, 2, 2, "same"), Conv2d(10, 1, 1), GAP),
    ),
    (
        "depthwise 3x3 same, clamp -1 1.5, dense",
        (DepthwiseConv2d(3, 3, 1, 1, 1, "same"), Clamp(-1, 1.5), Flatten(), Dense(10)),
    ),
    (
        "reshape 28x28, conv1d 5 4 stride 2 pad 1 2, maxpool 2, gap, dense",
        (Reshape(0, 28, 28), Conv1d(4, 5, 2, "1 2"), MaxPool(1, 2, 1, 2), GAP, Dense(10)),
    ),
    ("residual(conv 3x3 1 relu), dense", (Residual((Conv2d(1, 3, 3, 1, 1, "same"), Relu())), Flatten(), Dense(10))),
    (
        "residual(conv 3x3 4 stride 2 relu) relu, dense",
        (Residual((Conv2d(4, 3, 3, 2, 2, "same"), Relu()), (Conv2d(4, 1, 1, 2, 2),)), Relu(), Flatten(), Dense(10)),
    ),
    (
        "residual(conv 3x3 4 bn), dense",
        (Residual((Conv2d(4, 3, 3, 1, 1, "same"), BatchNorm()), (Conv2d(4, 1, 1), BatchNorm())), Flatten(), Dense(10)),
    ),
    (
        "concat(linear; conv 3x3 2; maxpool 3 stride 1), dense",
        (Branches(((), (Conv2d(2, 3, 3, 1, 1, "same"),), (MaxPool(3, 3, 1, 1, "same"),))), Flatten(), Dense(10)),
    ),
    (
        "concat(conv 3x3 2 valid, flatten; dense 4 relu), dense",
        (Branches(((Conv2d(2, 3, 3), Flatten()), (Flatten(), Dense(4), Relu()))), Dense(10)),
    ),
    ("conv 28x28 10, flatten", (Conv2d(10, 28, 28), Flatten())),
    (
        "cnn-7k",
        (
            Conv2d(7, 5, 5, 2, 2),
            BatchNorm(),
            Relu(),
            Conv2d(14, 3, 3),
            BatchNorm(),
            Relu(),
            POOL,
            Conv2d(28, 3, 3),
            BatchNorm(),
            Relu(),
            Flatten(),
            Dense(10),
        ),
    ),
)


SEQUENCES = (
    ("depthwise 3 bn relu, dense", (DepthwiseConv2d(1, 3), BatchNorm(), Relu(), Flatten(), Dense(3))),
    ("depthwise 1x5 stride 1x2 same, dense", (DepthwiseConv2d(1, 5, 1, 1, 2, "same"), Flatten(), Dense(3))),
    ("maxpool 3 stride 2 pad 1, dense", (MaxPool(1, 3, 1, 2, "0 0 1 1"), Flatten(), Dense(3))),
    ("avgpool 2 same, gap", (AveragePool(1, 2, 1, 2, "same"), GAP)),
    ("pad 0 0 1 2, pointwise 3 stride 1x2, gap", (Pad(0, 0, 1, 2), Conv2d(3, 1, 1, 1, 2), GAP)),
    (
        "residual(conv1d 3 4 stride 2 bn relu, conv1d 3 4 bn), dense",
        (
            Residual(
                (Conv1d(4, 3, 2, "same"), BatchNorm(), Relu(), Conv1d(4, 3, 1, "same"), BatchNorm()),
                (Conv1d(4, 1, 2), BatchNorm()),
            ),
            *(Flatten(), Dense(3)),
        ),
    ),
    ("gap, residual(dense 8 relu), dense", (GAP, Residual((Dense(8), Relu()), (Dense(8),)), Dense(3))),
)


@pytest.mark.parametrize(("text", "items"), SEQUENCES)
def test_meaning_along_sequences(text: str, items: tuple[object, ...]) -> None:
    """Samples are flat; reshape makes a sequence of them."""
    found = parse_net("reshape 20x3, " + text, FLAT)
    assert found == (Reshape(0, 20, 3), *items)
    assert parse_net(net_text(found), FLAT) == found


def test_a_residual_beside_flat_samples() -> None:
    found = parse_net("residual(conv1d 3 2 relu), gap, dense", FLAT)
    assert found[0] == Residual((Conv1d(2, 3, 1, "same"), Relu()), (Conv1d(2, 1, 1),))


@pytest.mark.parametrize(("text", "items"), MAPS)
def test_meaning_over_maps(text: str, items: tuple[object, ...]) -> None:
    found = parse_net(text, DIGITS)
    assert found == items
    assert parse_net(net_text(found), DIGITS) == found
    assert sketch_net(text, DIGITS.shape, 10) == found


def test_blocks_become_sums_and_concatenations(rng) -> None:
    text = "residual(conv 3x3 2 stride 2) relu, concat(linear; conv 1x1 3; conv 1x1 4), dense"
    nodes = build_nodes(parse_net(text, DIGITS), DIGITS, rng, "he")
    wiring = {node.name: node.inputs for node in nodes}
    assert wiring == {
        "conv2d1": (INPUT,),
        "conv2d2": (INPUT,),
        "add1": ("conv2d1", "conv2d2"),
        "relu1": ("add1",),
        "conv2d3": ("relu1",),
        "conv2d4": ("relu1",),
        "concat1": ("relu1", "conv2d3"),
        "concat2": ("concat1", "conv2d4"),
        "flatten1": ("concat2",),
        "dense1": ("flatten1",),
    }
    assert node_shapes(nodes, DIGITS.shape)["concat2"] == (14, 14, 9)


@pytest.mark.parametrize(
    ("net", "parameters", "macs"),
    [("cnn-1k", 1066, 9696), ("cnn-5k", 5770, 111888), ("cnn-7k", 7360, 147672), ("mlp-64", 50890, 50816)],
)
def test_presets_weigh_what_they_promise(net: str, parameters: int, macs: int) -> None:
    nodes = wired_nodes(sketch_net(net, (28, 28, 1), 10))
    shapes = node_shapes(nodes, (28, 28, 1))
    inputs = [tuple(shapes[name] for name in node.inputs) for node in nodes]
    sizes = [np.prod(p) for node, x in zip(nodes, inputs, strict=True) for p in node.layer.parameter_shapes(x)]
    assert sum(sizes) == parameters
    assert sum(node.layer.macs(x) for node, x in zip(nodes, inputs, strict=True)) == macs


def test_a_sketch_takes_any_outputs() -> None:
    assert sketch_net("dense 7 softmax", (4,), 10) == (Dense(7),)
    assert sketch_net("dense 7 relu, dense sigmoid", (4,), 3) == (Dense(7), Relu(), Dense(3))
    with pytest.raises(QnnError, match="names no layer"):
        sketch_net("linear", (4,), 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("conv 3x3 8 strid 2, dense", "did you mean 'stride'"),
        ("convv 3x3 8, dense", "did you mean 'conv'"),
        ("residul(conv 3x3 8), dense", "did you mean 'residual'"),
        ("conv 3x3, dense", "'conv' takes 2 numbers, not 1; write \"conv 3x3 8"),
        ("conv 3x3 8 2, dense", "'conv' takes 2 numbers, not 3"),
        ("conv 3x3x3 8, dense", "'3x3x3' after 'conv' where HEIGHTxWIDTH"),
        ("conv 3.5 8, dense", "'3.5' after 'conv' where a whole number"),
        ("conv 3x3 -8, dense", "'-8' after 'conv' where a whole number"),
        ("conv 3x3 0, dense", "filters"),
        ("conv 0x3 8, dense", "kernel or stride of 0"),
        ("conv 3x3 8 stride, dense", "'stride' takes 1 number, not 0"),
        ("conv 3x3 8 stride 2 2, dense", "'stride' takes 1 number, not 2"),
        ("conv 3x3 8 stride 2 stride 2, dense", "says 'stride' twice"),
        ("conv 3x3 8 same valid, dense", "says same and valid"),
        ("conv 3x3 8 same 2, dense", "'2' where a word should be"),
        ("conv 3x3 8 pad, dense", "has the padding ''"),
        ("conv 3x3 8 pad 1 2, dense", "has the padding '1 2'"),
        ("conv 3x3 8 pad 3, dense", "not less than its kernel"),
        ("conv 1x1 4 stride 1x3 pad 0 valid, dense", "says valid and pad"),
        ("stride 2, dense", "'stride' where no layer can take it"),
        ("conv 3x3 8, same, dense", "'same' where no layer can take it"),
        ("pad 1 2, dense", "takes 1 or 4 numbers, not 2"),
        ("clamp 1, dense", "takes 2 numbers, not 1"),
        ("clamp 1x2 3, dense", "'1x2' after 'clamp' where a number"),
        ("clamp 1 2, dense", "do not contain 0"),
        ("conv 30x30 8, dense", "30x30 kernel on a map of 28x28"),
        ("gap, conv 1x1 4, dense", "needs maps"),
        ("conv1d 3 8, dense", 'conv1d 3 8: cannot take samples of shape (28, 28, 1); use conv, or put "reshape 784x1"'),
        ("reshape 392x2, conv1d 400 8, dense", "conv1d 400 8: has a kernel or stride of 400"),
        ("reshape 14x56, conv1d 15 8, dense", "conv1d 15 8: has a 1x15 kernel on a map of 1x14"),
        ("flatten, conv 3x3 8, dense", 'put "reshape HEIGHTxWIDTHxCHANNELS" before it, or use conv1d'),
        ("flatten, residual(conv1d 3 8 valid), dense", "changes 784 to 782x8, which no 1x1 convolution does"),
        ("residual(reshape 392x2), dense", "changes 28x28x1 to 392x2; end it with the shape"),
        ("reshape 784, dense", "is no shape"),
        ("reshape 28x27, dense", "784 values, not 756"),
        ("residual(conv 3x3 8 valid), dense", "changes 28x28x1 to 26x26x8"),
        ("residual(conv 3x3 8 stride 2 valid, conv 3x3 8), dense", "changes 28x28x1 to 13x13x8"),
        ("residual(flatten, dense 3), dense", "changes 28x28x1 to 3"),
        ("pointwise 3x3, dense", "'3x3' after 'pointwise' where a whole number"),
        ("residual(linear), dense", "residual without a layer"),
        ("residual(dense), dense", "only the last dense may leave out its width"),
        ("concat(conv 3x3 2; conv 3x3 2 valid), dense", "concat of 28x28x2 and 26x26x2"),
        ("concat(conv 3x3 2), dense", "concat of 1 branches"),
        ("residual(conv 3x3 1; linear), dense", "residual of 2 branches"),
        ("concat(; conv 3x3 2), dense", "nothing between"),
        ("residual conv 3x3 8, dense", "'residual' without a bracket"),
        ("residual(conv 3x3 8, dense", "residual( that is not closed"),
        ("conv 3x3 8), dense", "')' that belongs to no"),
        ("conv 3x3 8; dense", "';' that belongs to no"),
        ("(conv 3x3 8), dense", "'(' where a word should be"),
        ("residual(" * 9 + ")" * 9, "more than 8 brackets"),
        ("residual(conv 3x3 8)", "ends with a block"),
        ("conv 3x3 8", "ends with conv2d"),
        ("conv 3x3 8, gap", 'gives 8 outputs, but the data has 10 classes; end it with "dense 10"'),
        ("conv 3x3 8, flatten", "gives 5408 outputs"),
        ("concat(" + "; ".join(["bn"] * 65) + "), dense", "66 layers, more than the 64"),
    ],
)
def test_mistakes_over_maps(text: str, said: str) -> None:
    with pytest.raises(QnnError) as caught:
        parse_net(text, DIGITS)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_enormous_maps_are_refused_before_they_are_made(rng) -> None:
    with pytest.raises(QnnError, match="values a sample"):
        build_nodes(
            parse_net("reshape 16x49x1, conv 1x1 16384, bn, conv 1x1 8, bn, gap, dense", DIGITS), DIGITS, rng, "he"
        )


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
        ("dropout, dense", THREE, "takes 1 number, not 0"),
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


TOKENS = st.sampled_from(
    [
        *(word.name for word in WORDS),
        "softmax",
        "residual(",
        "concat(",
        ")",
        ";",
        "stride",
        "same",
        "pad",
        "mult",
        ",",
        ",",
        "64",
        "0.5",
        "3",
        "3x3",
        "2x1",
        "-1",
        "1e9",
        "mlp-64",
        "x",
    ]
)


PARTS = st.sampled_from(
    [
        "conv 3x3 2",
        "conv 2x1 3 stride 2 same",
        "bn relu",
        "maxpool 2",
        "avgpool 2 same",
        "depthwise 2 mult 2",
        "pad 1",
        "residual(conv 3x3 2 bn)",
        "concat(linear; conv 1x1 2)",
        "relu6",
        "clamp -1 1",
        "flatten",
        "reshape 6x6x1",
        "dense 4",
        "gap",
        "dropout 0.1",
        "conv1d 2 3",
        "reshape 12x3",
    ]
)


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(TOKENS, max_size=9).map(" ".join),
        st.lists(PARTS, max_size=5).map(lambda parts: ", ".join([*parts, "dense"])),
    )
)
def test_any_text_is_layers_or_one_clear_error(text: str) -> None:
    try:
        layers = parse_net(text, IMAGES)
    except QnnError:
        return
    assert layers[-1] in (Dense(4), GAP, Flatten())
    assert parse_net(net_text(layers), IMAGES) == layers
    nodes = wired_nodes(layers)
    assert node_shapes(nodes, IMAGES.shape)[nodes[-1].name] == (4,)
