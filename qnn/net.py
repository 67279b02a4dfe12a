# SPDX-License-Identifier: MIT
"""NET, the line of text that describes a network: "dense 64 relu, dropout 0.2, dense 10".

Words with their numbers, in order; commas are for the reader. A preset's name stands for its text. The width of the
last dense may be left out, images are flattened before the first dense, and the last activation of a classifier is
implied by the loss ("softmax", or "sigmoid" for one output, may be written).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from qnn.errors import QnnError
from qnn.forward import node_shapes
from qnn.layers.dense import MAX_UNITS, Dense
from qnn.layers.dropout import Dropout
from qnn.layers.flatten import Flatten
from qnn.layers.layer import Layer
from qnn.layers.leaky_relu import LeakyRelu
from qnn.layers.relu import Relu
from qnn.layers.sigmoid import Sigmoid
from qnn.layers.tanh import Tanh
from qnn.model import INPUT, Node
from qnn.schema import Schema

MAX_TEXT = 4096
MAX_LAYERS = 64
MAX_PARAMETERS = 1 << 26
SUBJECT = "--net"
NUMBER = re.compile(r"[-+]?[0-9]{0,9}(\.[0-9]{0,9})?(e[-+]?[0-9]{1,2})?\Z")


@dataclass(frozen=True)
class Preset:
    """A network that has a name."""

    name: str
    text: str


PRESETS: tuple[Preset, ...] = (
    Preset("mlp-16", "dense 16 relu, dense"),
    Preset("mlp-32", "dense 32 relu, dense"),
    Preset("mlp-64", "dense 64 relu, dense"),
    Preset("mlp-128", "dense 128 relu, dense"),
    Preset("mlp-32-32", "dense 32 relu, dense 32 relu, dense"),
    Preset("mlp-64-32", "dense 64 relu, dense 32 relu, dense"),
)


@dataclass(frozen=True)
class Word:
    """A word of the language: how many numbers may follow it, and the layer it makes (None: it makes none)."""

    name: str
    least: int
    most: int
    make: Callable[[tuple[float, ...]], Layer | None]


UNSET = 0  # the width of a dense that the data decides
WORDS: tuple[Word, ...] = (
    Word("dense", 0, 1, lambda numbers: Dense(_whole("dense", numbers[0]) if numbers else UNSET)),
    Word("relu", 0, 0, lambda _: Relu()),
    Word("leaky_relu", 0, 1, lambda numbers: LeakyRelu(*numbers)),
    Word("sigmoid", 0, 0, lambda _: Sigmoid()),
    Word("tanh", 0, 0, lambda _: Tanh()),
    Word("dropout", 1, 1, lambda numbers: Dropout(*numbers)),
    Word("flatten", 0, 0, lambda _: Flatten()),
    Word("linear", 0, 0, lambda _: None),
)
IMPLIED = "softmax"


def default_net(schema: Schema) -> str:
    """The NET text for data of `schema` when the user names none."""
    if schema.task == "regression":
        return "dense 32 relu, dense 32 relu, dense"
    return "dense 64 relu, dense" if len(schema.shape) > 1 else "dense 32 relu, dense"


def parse_net(text: str, schema: Schema) -> tuple[Layer, ...]:
    """The layers that `text` (a preset's name or NET) describes, complete for data of `schema`.

    Raises QnnError for anything that is not NET or does not fit the data, with the nearest word or the right width.
    """
    if len(text) > MAX_TEXT:
        raise QnnError(
            SUBJECT, f"has {len(text)} characters, more than the {MAX_TEXT} allowed", "use a smaller network"
        )
    text = next((preset.text for preset in PRESETS if preset.name == text.strip().lower()), text)
    layers = _layers(text, schema)
    if not layers:
        raise QnnError(SUBJECT, "names no layer", f'try "{default_net(schema)}"')
    for layer in layers[:-1]:
        if layer == Dense(UNSET):
            raise QnnError(SUBJECT, "only the last dense may leave out its width", 'write "dense 64"')
    layers = _flattened((*layers[:-1], _last(layers[-1], schema)), schema)
    for layer in layers:
        layer.check()
    return layers


def net_text(layers: tuple[Layer, ...]) -> str:
    """NET that gives `layers` again, in its usual form: "dense 64 relu, dense 10"."""
    parts: list[str] = []
    for index, layer in enumerate(layers):
        if isinstance(layer, Flatten) and isinstance(layers[index + 1], Dense):
            continue
        numbers = "".join(f" {value}" for value in vars(layer).values())
        text = f"{layer.kind}{numbers}"
        if parts and isinstance(layer, (Relu, LeakyRelu, Sigmoid, Tanh)):
            parts[-1] += f" {text}"
        else:
            parts.append(text)
    return ", ".join(parts)


def build_nodes(layers: tuple[Layer, ...], schema: Schema, rng: np.random.Generator, init: str) -> tuple[Node, ...]:
    """The layers as a chain of nodes (dense1, relu1, dense2 ...) with fresh parameters from `rng`."""
    names = [
        f"{layer.kind}{1 + sum(other.kind == layer.kind for other in layers[:i])}" for i, layer in enumerate(layers)
    ]
    nodes = tuple(
        Node(name, layer, (before,), ()) for name, layer, before in zip(names, layers, (INPUT, *names), strict=False)
    )
    shapes = node_shapes(nodes, schema.shape)
    count = sum(
        int(np.prod(shape)) for node in nodes for shape in node.layer.parameter_shapes((shapes[node.inputs[0]],))
    )
    if count > MAX_PARAMETERS:
        raise QnnError(SUBJECT, f"has {count} parameters, more than the {MAX_PARAMETERS} allowed", "make it smaller")
    return tuple(
        replace(node, parameters=node.layer.initialize((shapes[node.inputs[0]],), rng, init)) for node in nodes
    )


def output_widths(schema: Schema) -> tuple[int, ...]:
    """How many outputs a network for `schema` may have, the default first."""
    if schema.task == "regression":
        return (len(schema.targets),)
    return (1, 2) if len(schema.classes) == 2 else (len(schema.classes),)


def _layers(text: str, schema: Schema) -> tuple[Layer, ...]:
    """The layers of NET in order, without the implied last activation."""
    words = _words(text)
    while words and words[-1][0] in ("linear", *_implied(words, schema)):
        words.pop()
    layers: list[Layer] = []
    for name, numbers in words:
        layer = _word(name).make(numbers)
        if layer is not None:
            layers.append(layer)
    if len(layers) > MAX_LAYERS:
        raise QnnError(SUBJECT, f"has {len(layers)} layers, more than the {MAX_LAYERS} allowed", "use fewer")
    return tuple(layers)


def _flattened(layers: tuple[Layer, ...], schema: Schema) -> tuple[Layer, ...]:
    """The layers with a Flatten where images meet the first dense, and no other that changes nothing."""
    result: list[Layer] = []
    flat = len(schema.shape) == 1
    for layer in layers:
        if isinstance(layer, Dense) and not flat:
            result.append(Flatten())
        if not (isinstance(layer, Flatten) and flat):
            result.append(layer)
        flat = flat or isinstance(layer, (Dense, Flatten))
    return tuple(result)


def _implied(words: list[tuple[str, tuple[float, ...]]], schema: Schema) -> tuple[str, ...]:
    """Which words at the end of NET the loss implies."""
    if schema.task != "classification":
        return ()
    one_output = len(words) > 1 and words[-2] in (("dense", (1.0,)), ("dense", ())) and 1 in output_widths(schema)
    return (IMPLIED, "sigmoid") if one_output else (IMPLIED,)


def _words(text: str) -> list[tuple[str, tuple[float, ...]]]:
    """NET as words with their numbers."""
    words: list[tuple[str, tuple[float, ...]]] = []
    for part in text.lower().split(","):
        tokens = part.split()
        if not tokens:
            raise QnnError(SUBJECT, "has nothing between two commas or at an end", 'write "dense 64 relu, dense 10"')
        for token in tokens:
            if token[0].isalpha():
                words.append((token, ()))
            elif words and NUMBER.match(token) and any(c.isdigit() for c in token) and token is not tokens[0]:
                words[-1] = (words[-1][0], (*words[-1][1], float(token)))
            else:
                raise QnnError(SUBJECT, f"has {token!r} where a word should be", 'write "dense 64 relu, dense 10"')
    for name, numbers in words:
        _check_numbers(name, numbers)
    return words


def _check_numbers(name: str, numbers: tuple[float, ...]) -> None:
    if name == IMPLIED:
        most = least = 0
    else:
        least, most = _word(name).least, _word(name).most
    if not least <= len(numbers) <= most:
        wanted = str(most) if least == most else f"{least} or {most}"
        raise QnnError(SUBJECT, f"{name!r} takes {wanted} numbers, not {len(numbers)}", "see qnn train --help")


def _word(name: str) -> Word:
    found = next((word for word in WORDS if word.name == name), None)
    if found is not None:
        return found
    if name == IMPLIED:
        raise QnnError(SUBJECT, "has softmax where it is not the last word of a classifier", "remove it")
    known = [*(word.name for word in WORDS), IMPLIED, *(preset.name for preset in PRESETS)]
    near = difflib.get_close_matches(name, known, 1, 0.5)
    remedy = f"did you mean {near[0]!r}?" if near else f"known words: {', '.join(known)}"
    raise QnnError(SUBJECT, f"has the unknown word {name[:40]!r}", remedy)


def _whole(name: str, number: float) -> int:
    if number != int(number) or not 1 <= number <= MAX_UNITS:
        raise QnnError(SUBJECT, f"{name} {number:g} is no width (1 to {MAX_UNITS})", 'write "dense 64"')
    return int(number)


def _last(layer: Layer, schema: Schema) -> Layer:
    """The last layer with its width filled in. Raises QnnError unless it gives what the data needs."""
    widths = output_widths(schema)
    if not isinstance(layer, Dense):
        raise QnnError(
            SUBJECT, f"ends with {layer.kind}; a network ends with a dense layer", f"append dense {widths[0]}"
        )
    if layer.units == UNSET:
        return Dense(widths[0])
    if layer.units in widths:
        return layer
    names = "targets" if schema.task == "regression" else "classes"
    count = len(schema.targets or schema.classes)
    right = " or ".join(f'"dense {width}"' for width in widths)
    raise QnnError(SUBJECT, f"gives {layer.units} outputs, but the data has {count} {names}", f"end it with {right}")
