# SPDX-License-Identifier: MIT
"""NET, the text that describes a network: "conv 3x3 8 bn relu, maxpool 2, dense 10".

Words with their numbers, in order; commas are for the reader, brackets hold the branches of residual(...) and
concat(...; ...). A preset's name stands for its text. The width of the last dense may be left out, maps are flattened
before a dense, and the last activation of a classifier is implied by the loss ("softmax", or "sigmoid" for one output,
may be written).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from qnn.errors import QnnError
from qnn.forward import node_shapes
from qnn.layers.add import Add
from qnn.layers.average_pool import GlobalAveragePool
from qnn.layers.concat import Concat
from qnn.layers.conv2d import Conv2d
from qnn.layers.dense import Dense
from qnn.layers.depthwise_conv2d import DepthwiseConv2d
from qnn.layers.flatten import Flatten
from qnn.layers.layer import Layer, Shape
from qnn.model import INPUT, Node
from qnn.net.presets import PRESETS, Preset
from qnn.net.tokens import SUBJECT, Call, Syntax, read_syntax
from qnn.net.tree import Branches, Item, Residual, fitted, layers_of, made, shape_text, tree_text
from qnn.net.words import IMPLIED, OPTIONS, UNSET, WORDS
from qnn.schema import Schema

__all__ = ["PRESETS", "WORDS", "Branches", "Item", "Preset", "Residual", "Schema", "build_nodes", "convolves"]
__all__ += ["default_net", "net_text", "output_widths", "parse_net", "sketch_net", "wired_nodes"]

MAX_LAYERS = 64
MAX_PARAMETERS = 1 << 26
MAX_VALUES = 1 << 24  # of all tensors of one sample


def default_net(schema: Schema) -> str:
    """The NET text for data of `schema` when the user names none."""
    if schema.task == "regression":
        return "dense 32 relu, dense 32 relu, dense"
    return "dense 64 relu, dense" if len(schema.shape) > 1 else "dense 32 relu, dense"


def parse_net(text: str, schema: Schema) -> tuple[Item, ...]:
    """The layers and blocks that `text` (a preset's name or NET) describes, complete for data of `schema`.

    Raises QnnError for anything that is not NET or does not fit the data, with the nearest word, the shapes or the
    right width.
    """
    syntax = _read(text)
    while syntax and isinstance(syntax[-1], Call) and syntax[-1] in _implied(syntax, schema):
        syntax.pop()
    items, shape = _complete(syntax, schema.shape, output_widths(schema)[0], default_net(schema))
    _check_outputs(shape, schema)
    return items


def sketch_net(text: str, shape: Shape, outputs: int) -> tuple[Item, ...]:
    """As parse_net, for samples of `shape` before there is data: any number of outputs, `outputs` where it is open."""
    syntax = _read(text)
    while syntax and isinstance(syntax[-1], Call) and syntax[-1].name in ("linear", "sigmoid", IMPLIED):
        syntax.pop()
    return _complete(syntax, shape, outputs, "dense 64 relu, dense 10")[0]


def _read(text: str) -> list[Syntax]:
    text = next((preset.text for preset in PRESETS if preset.name == text.strip().lower()), text)
    return list(read_syntax(text, OPTIONS))


def _complete(syntax: list[Syntax], shape: Shape, width: int, example: str) -> tuple[tuple[Item, ...], Shape]:
    """The items that fit samples of `shape`, the last width filled in, and the shape they give."""
    items = made(tuple(syntax))
    if not items:
        raise QnnError(SUBJECT, "names no layer", f'try "{example}"')
    count = len(layers_of(items))
    if count > MAX_LAYERS:
        raise QnnError(SUBJECT, f"has {count} layers, more than the {MAX_LAYERS} allowed", "use fewer")
    return fitted((*items[:-1], _last(items[-1], width)), shape)


def net_text(items: tuple[Item, ...]) -> str:
    """NET that gives `items` again, in its usual form: "dense 64 relu, dense 10"."""
    return tree_text(items)


def convolves(items: tuple[Item, ...]) -> bool:
    """Is there a convolution over maps?"""
    return any(isinstance(layer, (Conv2d, DepthwiseConv2d)) for layer in layers_of(items))


def build_nodes(items: tuple[Item, ...], schema: Schema, rng: np.random.Generator, init: str) -> tuple[Node, ...]:
    """The items as nodes (conv2d1, relu1, conv2d2 ...) with fresh parameters from `rng`."""
    nodes = wired_nodes(items)
    shapes = node_shapes(nodes, schema.shape)
    inputs = [tuple(shapes[name] for name in node.inputs) for node in nodes]
    count = sum(
        math.prod(shape)
        for node, sizes in zip(nodes, inputs, strict=True)
        for shape in node.layer.parameter_shapes(sizes)
    )
    if count > MAX_PARAMETERS:
        raise QnnError(SUBJECT, f"has {count} parameters, more than the {MAX_PARAMETERS} allowed", "make it smaller")
    values = sum(math.prod(shape) for shape in shapes.values())
    if values > MAX_VALUES:
        raise QnnError(SUBJECT, f"has {values} values a sample, more than the {MAX_VALUES} allowed", "make it smaller")
    return tuple(
        replace(node, parameters=node.layer.initialize(sizes, rng, init))
        for node, sizes in zip(nodes, inputs, strict=True)
    )


def wired_nodes(items: tuple[Item, ...]) -> tuple[Node, ...]:
    """The items as nodes in execution order, without parameters."""
    nodes: list[Node] = []
    _wire(items, INPUT, nodes)
    return tuple(nodes)


def output_widths(schema: Schema) -> tuple[int, ...]:
    """How many outputs a network for `schema` may have, the default first."""
    if schema.task == "regression":
        return (len(schema.targets),)
    return (1, 2) if len(schema.classes) == 2 else (len(schema.classes),)


def _wire(items: tuple[Item, ...], source: str, nodes: list[Node]) -> str:
    """Append the nodes of `items`, which read the tensor `source`; the name of the tensor they give."""
    for item in items:
        if isinstance(item, Residual):
            body = _wire(item.body, source, nodes)
            source = _append(Add(), (body, _wire(item.shortcut, source, nodes)), nodes)
        elif isinstance(item, Branches):
            joined, *others = [_wire(branch, source, nodes) for branch in item.branches]
            for other in others:
                joined = _append(Concat(), (joined, other), nodes)
            source = joined
        else:
            source = _append(item, (source,), nodes)
    return source


def _append(layer: Layer, inputs: tuple[str, ...], nodes: list[Node]) -> str:
    name = f"{layer.kind}{1 + sum(node.layer.kind == layer.kind for node in nodes)}"
    nodes.append(Node(name, layer, inputs, ()))
    return name


def _implied(syntax: list[Syntax], schema: Schema) -> tuple[Call, ...]:
    """Which words at the end of NET say nothing, or only what the loss implies."""
    if schema.task != "classification":
        return (Call("linear"),)
    before = syntax[-2] if len(syntax) > 1 else None
    one_output = before in (Call("dense"), Call("dense", ("1",))) and 1 in output_widths(schema)
    return (Call("linear"), Call(IMPLIED), *((Call("sigmoid"),) if one_output else ()))


def _last(item: Item, width: int) -> Item:
    """The last item, its width filled in. Raises QnnError unless it is one that a network may end with."""
    if item == Dense(UNSET):
        return Dense(width)
    if isinstance(item, (Dense, GlobalAveragePool, Flatten)):
        return item
    name = "a block" if isinstance(item, (Residual, Branches)) else item.kind
    problem = f"ends with {name}; a network ends with dense, gap or flatten"
    raise QnnError(SUBJECT, problem, f"append dense {width}")


def _check_outputs(shape: Shape, schema: Schema) -> None:
    """Raises QnnError unless `shape` is what the data needs."""
    widths = output_widths(schema)
    if shape in [(width,) for width in widths]:
        return
    names = "targets" if schema.task == "regression" else "classes"
    count = len(schema.targets or schema.classes)
    right = " or ".join(f'"dense {width}"' for width in widths)
    raise QnnError(
        SUBJECT, f"gives {shape_text(shape)} outputs, but the data has {count} {names}", f"end it with {right}"
    )
