# SPDX-License-Identifier: MIT
"""NET as a tree of layers and blocks that fits an input: shapes followed, what is implied filled in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qnn.errors import QnnError
from qnn.layers.average_pool import AveragePool
from qnn.layers.batch_norm import BatchNorm
from qnn.layers.concat import Concat
from qnn.layers.conv1d import Conv1d
from qnn.layers.conv2d import Conv2d
from qnn.layers.dense import Dense
from qnn.layers.depthwise_conv2d import DepthwiseConv2d
from qnn.layers.flatten import Flatten
from qnn.layers.layer import Layer, Shape
from qnn.layers.max_pool import MaxPool
from qnn.layers.window import MAX_KERNEL, SAME, VALID
from qnn.net.texts import TRAILING, layer_text
from qnn.net.tokens import SUBJECT, Block, Syntax
from qnn.net.words import UNSET, make_layer


@dataclass(frozen=True)
class Residual:
    """The sum of what `body` makes of the input and of the input itself, or of what `shortcut` makes of it."""

    body: tuple[Item, ...]
    shortcut: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class Branches:
    """The channels of what each branch makes of the input, side by side; an empty branch gives the input."""

    branches: tuple[tuple[Item, ...], ...]


Item = Layer | Residual | Branches


def made(syntax: tuple[Syntax, ...], inside: bool = False) -> tuple[Item, ...]:
    """The layers and blocks that words make. Inside blocks, windows are padded to keep the map unless they say not."""
    items: list[Item] = []
    for part in syntax:
        if isinstance(part, Block):
            branches = tuple(made(branch, True) for branch in part.branches)
            items.append(Residual(branches[0]) if part.name == "residual" else Branches(branches))
        else:
            layer = make_layer(part, SAME if inside else VALID)
            if layer is not None:
                items.append(layer)
    return tuple(items)


def fitted(items: tuple[Item, ...], shape: Shape) -> tuple[tuple[Item, ...], Shape]:
    """The items complete for samples of `shape`, and the shape they give.

    Maps are flattened before a dense, a residual whose shapes differ gets a 1x1 convolution (or a dense) beside it,
    square kernels of pools and depthwise convolutions get height 1 along sequences. Raises QnnError with the shapes
    where something does not fit.
    """
    result: list[Item] = []
    for item in items:
        if isinstance(item, Dense) and len(shape) > 1:
            result.append(Flatten())
            shape = Flatten().output_shape((shape,))
        if isinstance(item, Flatten) and len(shape) == 1:
            continue
        new, shape = _fitted(item, shape)
        result.append(new)
    return tuple(result), shape


def layers_of(items: tuple[Item, ...]) -> tuple[Layer, ...]:
    """Every layer of the tree, in order, without the sums and concatenations of blocks."""
    found: list[Layer] = []
    for item in items:
        if isinstance(item, Residual):
            found += [*layers_of(item.body), *item.shortcut]
        elif isinstance(item, Branches):
            found += [layer for branch in item.branches for layer in layers_of(branch)]
        else:
            found.append(item)
    return tuple(found)


def tree_text(items: tuple[Item, ...], padding: str = VALID) -> str:
    """NET that gives the items again; `padding` is what counts where none is said."""
    parts: list[str] = []
    for index, item in enumerate(items):
        if isinstance(item, Flatten) and index + 1 < len(items) and isinstance(items[index + 1], Dense):
            continue
        if isinstance(item, Residual):
            parts.append(f"residual({tree_text(item.body, SAME)})")
        elif isinstance(item, Branches):
            inner = "; ".join(tree_text(branch, SAME) or "linear" for branch in item.branches)
            parts.append(f"concat({inner})")
        elif parts and isinstance(item, TRAILING):
            parts[-1] += f" {layer_text(item, padding)}"
        else:
            parts.append(layer_text(item, padding))
    return ", ".join(parts)


def shape_text(shape: Shape) -> str:
    """28x28x1."""
    return "x".join(str(size) for size in shape)


def _fitted(item: Item, shape: Shape) -> tuple[Item, Shape]:
    if isinstance(item, Residual):
        return _residual(item, shape)
    if isinstance(item, Branches):
        return _branches(item, shape)
    if item == Dense(UNSET):
        raise QnnError(SUBJECT, "only the last dense may leave out its width", 'write "dense 64"')
    if isinstance(item, (MaxPool, AveragePool, DepthwiseConv2d)) and len(shape) == 2:
        item = _along(item)
    return item, item.output_shape((shape,))


def _along(item: MaxPool | AveragePool | DepthwiseConv2d) -> Layer:
    """A layer with a square kernel as it slides along a sequence: with height 1."""
    if item.kernel_height != item.kernel_width:
        return item
    padding = f"0 0 {item.padding} {item.padding}" if item.padding.isdigit() else item.padding
    return replace(item, kernel_height=1, stride_height=1, padding=padding)


def _residual(item: Residual, shape: Shape) -> tuple[Residual, Shape]:
    body, out = fitted(item.body, shape)
    if not body:
        raise QnnError(SUBJECT, "has a residual without a layer", 'write "residual(conv 3x3 8 bn relu, conv 3x3 8 bn)"')
    if out == shape:
        return Residual(body), out
    projection = _projection(shape, out)
    norm = any(isinstance(layer, BatchNorm) for layer in layers_of(body))
    return Residual(body, (projection, BatchNorm()) if norm else (projection,)), out


def _projection(shape: Shape, out: Shape) -> Layer:
    """The layer beside a residual's body that makes `out` of `shape`. Raises QnnError where there is none."""
    change = f"has a residual that changes {shape_text(shape)} to {shape_text(out)}"
    if len(shape) == len(out) == 1:
        return Dense(out[0])
    maps = (*shape, 1) if len(shape) == 1 else shape  # as conv1d counts flat samples
    if len(maps) != len(out):
        raise QnnError(SUBJECT, change, "end it with the shape that it began with")
    steps = [-(-size // wanted) for size, wanted in zip(maps[:-1], out[:-1], strict=True)]
    if max(steps) <= MAX_KERNEL:
        layer = Conv2d(out[2], 1, 1, steps[0], steps[1]) if len(out) == 3 else Conv1d(out[1], 1, steps[0])
        if layer.output_shape((shape,)) == out:
            return layer
    problem = f"{change}, which no 1x1 convolution does"
    raise QnnError(SUBJECT, problem, "let its windows keep the map (same), or use a stride")


def _branches(item: Branches, shape: Shape) -> tuple[Branches, Shape]:
    found = [fitted(branch, shape) for branch in item.branches]
    total = found[0][1]
    for _, other in found[1:]:
        if other[:-1] != total[:-1]:
            shapes = " and ".join(shape_text(out) for _, out in found)
            raise QnnError(SUBJECT, f"has a concat of {shapes}", "give its branches one height and width")
        total = Concat().output_shape((total, other))
    return Branches(tuple(branch for branch, _ in found)), total
