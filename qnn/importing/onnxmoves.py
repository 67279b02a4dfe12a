# SPDX-License-Identifier: MIT
"""Float ONNX nodes that move values and compute none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from qnn.importing.layout import Stored, flattened, reshaped
from qnn.importing.onnxconversion import OnnxPlace


def flatten(at: OnnxPlace) -> Stored:
    """Flatten from the first axis behind the batch."""
    source = at.tensor()
    axis = int(at.node.attribute("axis", 1))
    if axis not in (1, -len(source.stored)):
        raise at.refused(f"flattens from axis {axis}", "flatten from axis 1")
    return flattened(at.shaper, source)


def reshape(at: OnnxPlace) -> Stored:
    """Reshape, Squeeze and Unsqueeze that keep the batch and move nothing."""
    source, stored = at.tensor(), at.model.shapes.get(at.node.outputs[0], ())[1:]
    if at.node.kind != "Reshape" and (not stored or 0 in stored):
        stored = _squeezed(at, source)
    elif not stored or 0 in stored:
        target = [int(size) for size in at.constant(1).reshape(-1)][1:]
        known = math.prod(size for size in target if size > 0)
        whole = math.prod(source.stored)
        stored = tuple(whole // max(known, 1) if size == -1 else size for size in target)
    if 0 in stored or math.prod(stored) != math.prod(source.stored):
        raise at.refused(f"makes {stored} of {source.stored}", "keep the batch as it is, and fixed sizes")
    found = reshaped(at.shaper, source, stored)
    if found is None:
        raise at.refused(f"makes {stored} of {source.stored}", "flatten maps, or use maps of one channel")
    return found


def _squeezed(at: OnnxPlace, source: Stored) -> tuple[int, ...]:
    """What Squeeze or Unsqueeze gives, without the batch, from their axes alone."""
    shape = [1, *source.stored]
    if at.node.kind == "Squeeze":
        dropped = at.constant(1).reshape(-1) % len(shape) if at.has(1) else [i for i, n in enumerate(shape) if n == 1]
        return tuple(size for i, size in enumerate(shape) if i not in dropped and i > 0)
    added = at.constant(1).reshape(-1)
    for axis in sorted(int(axis) % (len(shape) + len(added)) for axis in added):
        shape.insert(axis, 1)
    return tuple(shape[1:])


def transpose(at: OnnxPlace) -> Stored:
    """Transpose of a map's axes: nothing moves here."""
    source = at.tensor()
    order = [int(axis) for axis in at.node.attribute("perm", [])]
    if not order or order[0] != 0 or sorted(order) != list(range(len(source.stored) + 1)):
        raise at.refused(f"has the order {order}", "keep the batch in front")
    if not source.axes and len(source.stored) > 1:
        raise at.refused("transposes what is no map", "export the model again")
    moved = [axis - 1 for axis in order[1:]]
    axes = tuple(source.axes[axis] for axis in moved) if source.axes else ()
    return replace(source, stored=tuple(source.stored[axis] for axis in moved), axes=axes)


def concat(at: OnnxPlace) -> Stored:
    """Concat of channels, or of flat tensors."""
    sources = [at.tensor(position) for position in range(len(at.node.inputs))]
    first = sources[0]
    axis = int(at.node.attribute("axis", 1))
    axis += len(first.stored) + 1 if axis < 0 else 0
    channels = first.axes.index(len(first.shape) - 1) + 1 if first.axes else 1
    if axis != channels or any(source.axes != first.axes for source in sources):
        raise at.refused(f"joins along axis {axis}", "join channels")
    last = first
    for source in sources[1:]:
        node, stored = at.beside(last, source), list(last.stored)
        shape = (*last.shape[:-1], last.shape[-1] + source.shape[-1])
        stored[axis - 1] += source.stored[axis - 1]
        last = Stored(node, shape, tuple(stored), first.axes, _joined(last, source))
    return last


def _joined(one: Stored, other: Stored) -> np.ndarray | None:
    if one.axes or (one.order is None and other.order is None):
        return None
    orders = [np.arange(s.shape[-1]) if s.order is None else s.order for s in (one, other)]
    return np.concatenate([orders[0], orders[1] + one.shape[-1]])


def pad(at: OnnxPlace) -> Stored:
    """Pad of rows and columns with zeros."""
    source, pads = at.map(), [int(n) for n in at.constant(1).reshape(-1)]
    rank = len(source.stored) + 1
    value = float(at.constant(2).reshape(-1)[0]) if at.has(2) else 0.0
    if at.node.attribute("mode", "constant") != "constant" or value != 0 or len(pads) != 2 * rank or at.has(3):
        raise at.refused("pads with something else than zeros", "pad with zeros")
    before, after = pads[:rank], pads[rank:]
    if any((*before[:2], *after[:2])) or min(pads) < 0:
        raise at.refused("pads the batch or the channels", "pad rows and columns")
    if rank == 3:
        return at.padded(source, (0, 0, before[2], after[2]))
    return at.padded(source, (before[2], after[2], before[3], after[3]))


def identity(at: OnnxPlace) -> Stored:
    """Identity, Dropout, Cast between float types."""
    return at.tensor()
