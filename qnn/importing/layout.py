# SPDX-License-Identifier: MIT
"""How a file stores its tensors: (N, C, H, W), flat, or in any order, while samples here are (H, W, C) or flat.

Each tensor remembers how the file stores it, so that transposes vanish and the weights behind a flattened map are put
in this tool's order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from qnn.layers.layer import Shape

CHANNELS_FIRST, SEQUENCE_FIRST = (2, 0, 1), (2, 1)


class Shaper(Protocol):
    """A network in the making, as far as shapes go: each gives the name of a tensor of the same values."""

    def flat(self, node: str) -> str:
        """As one row."""

    def mapped(self, node: str, height: int, width: int, channels: int) -> str:
        """As a map."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A tensor: the node that gives it, one sample's shape here, and how the file stores that sample.

    stored: the file's shape, without the batch. axes: of a map (H, W, C), which of its axes each stored axis is; one of
    size 1 may be missing; () of flat tensors. order: int64, the index here of each value in the file's order, of flat
    tensors; None where they agree.
    """

    node: str
    shape: Shape
    stored: Shape
    axes: tuple[int, ...] = ()
    order: np.ndarray | None = None


def flat_order(tensor: Stored) -> np.ndarray | None:
    """The index here of each value of a tensor in the file's order; None where they agree."""
    if not tensor.axes:
        return tensor.order
    missing = tuple(axis for axis in range(len(tensor.shape)) if axis not in tensor.axes)
    places = np.arange(math.prod(tensor.shape), dtype=np.int64).reshape(tensor.shape)
    order = places.transpose(*tensor.axes, *missing).reshape(-1)
    return None if np.array_equal(order, np.arange(len(order))) else order


def flattened(builder: Shaper, tensor: Stored) -> Stored:
    """The tensor as one row of values."""
    if len(tensor.shape) == 1:
        return replace(tensor, stored=tensor.shape)
    shape = (math.prod(tensor.shape),)
    return Stored(builder.flat(tensor.node), shape, shape, (), flat_order(tensor))


def reshaped(builder: Shaper, tensor: Stored, stored: Shape) -> Stored | None:
    """The tensor with the file's shape `stored`, where that is possible without moving values; else None."""
    if math.prod(stored) != math.prod(tensor.shape):
        return None
    bare = [size for size in stored if size != 1]
    if tensor.axes and bare == [size for size in tensor.stored if size != 1] and len(stored) == 3:
        return None if len(tensor.stored) == 3 and stored != tensor.stored else _as_map(builder, tensor, stored)
    flat = flattened(builder, tensor)
    if len(bare) <= 1 and len(stored) != 3:
        return replace(flat, stored=stored)
    if len(stored) == 1 or len(bare) <= 1:
        return replace(flat, stored=stored)
    if len(stored) not in (2, 3) or flat.order is not None:
        return None
    channels, pixels = stored[0], math.prod(stored[1:])
    if channels != 1 and pixels != 1:
        return None
    return _as_map(builder, flat, stored)


def _as_map(builder: Shaper, tensor: Stored, stored: Shape) -> Stored:
    height, width = (1, stored[1]) if len(stored) == 2 else stored[1:]
    node = builder.mapped(tensor.node, height, width, stored[0])
    axes = SEQUENCE_FIRST if len(stored) == 2 else CHANNELS_FIRST
    return Stored(node, (height, width, stored[0]), stored, axes)


def as_map(builder: Shaper, tensor: Stored) -> Stored | None:
    """The tensor as a map whose channels the file stores first; None where it is none."""
    if tensor.axes and tensor.axes[0] == 2 and list(tensor.axes[1:]) == sorted(tensor.axes[1:]):
        return tensor
    single = not tensor.axes and tensor.order is None and len(tensor.stored) in (2, 3)
    if single and (tensor.stored[0] == 1 or math.prod(tensor.stored[1:]) == 1):
        return _as_map(builder, tensor, tensor.stored)
    return None
