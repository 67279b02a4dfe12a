# SPDX-License-Identifier: MIT
"""Operators of TensorFlow Lite files that move values and compute none: reshape, concatenate, pad, slice, transpose."""

from __future__ import annotations

import math

import numpy as np

from qnn.importing.conversion import Conversion, Converted, Source, activation_type, offset_of
from qnn.ops.concat import Concat
from qnn.ops.gather import AXES, Gather
from qnn.ops.op import TensorType
from qnn.ops.pad import Pad

INDEX = ("int32", "int64")


def reshape(at: Conversion) -> Converted:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: values stay where they are."""
    source, output = at.source(0), at.output
    if output.elements != source.type.elements:
        raise at.refused(f"has an output of shape {output.shape}", "export the model for a batch of 1")
    return Converted((), source, "values stay where they are")


def concatenation(at: Conversion) -> Converted:
    """CONCATENATION of tensors of one scale, along any axis that has nothing but 1 or itself before it."""
    output = at.output
    kind = activation_type(output, at)
    axis = int(at.option("Axis", 0))
    axis += len(output.shape) if axis < 0 else 0
    if at.option("FusedActivationFunction", 0) != 0 or not 0 <= axis < len(output.shape):
        raise at.refused("has an activation within it, or an impossible axis", "use an activation of its own")
    pixels = math.prod(output.shape[:axis])
    sources = [at.source(position) for position in range(len(at.op.inputs))]
    if any(source.type.elements % pixels for source in sources):
        raise at.refused("has inputs of different shapes", "export the model again")
    if any((s.type.scale, s.type.zero_point) != (kind.scale, kind.zero_point) for s in sources):
        raise at.refused("has inputs of different scales", "quantize the model again")
    nodes = []
    last = sources[0]
    for position, source in enumerate(sources[1:]):
        op = Concat(last.type.elements // pixels, source.type.elements // pixels)
        low, high = min(last.type.low, source.type.low), max(last.type.high, source.type.high)
        joined = TensorType(kind.shape, kind.dtype, low, high, kind.scale, kind.zero_point)
        nodes.append(at.made(op, (last, source), joined, f"_{position}" if position < len(sources) - 2 else ""))
        last = Source(nodes[-1].name, nodes[-1].type)
    return Converted(tuple(nodes), None if nodes else last)


def pad(at: Conversion) -> Converted:
    """PAD and PADV2 with constant amounts on up to two neighbouring axes."""
    source, x = at.source(0), at.tensor(0)
    amounts = at.constant(1, INDEX).astype(np.int64)
    if amounts.shape != (len(x.shape), 2) or amounts.min() < 0 or amounts.max() > 1 << 20:
        raise at.refused("has impossible amounts", "export the model again")
    padded = [axis for axis in range(len(x.shape)) if amounts[axis].any()]
    if not padded:
        return Converted((), source, "pads by nothing")
    if len(padded) > 1 and (padded[-1] - padded[0] > 1 or math.prod(x.shape[: padded[0]]) != 1):
        raise at.refused("pads more than two neighbouring axes", "pad rows and columns only")
    value = int(at.output.zero_points[0])
    if at.has(2):
        value = int(at.constant(2, (at.output.dtype,)).reshape(-1)[0])
    value += offset_of(at.output)
    first, last = padded[0], padded[0] + 1 if len(padded) == 2 else padded[0]
    height, width = x.shape[first] if last > first else math.prod(x.shape[:first]), x.shape[last]
    above, below = amounts[first].tolist() if last > first else (0, 0)
    left, right = amounts[last].tolist()
    op = Pad(height, width, math.prod(x.shape[last + 1 :]), above, below, left, right, value)
    kind = activation_type(at.output, at)
    low, high = min(source.type.low, value), max(source.type.high, value)
    source_type = TensorType(source.type.shape, kind.dtype, low, high, source.type.scale, source.type.zero_point)
    typed = TensorType(kind.shape, kind.dtype, low, high, kind.scale, kind.zero_point)
    return Converted((at.made(op, (Source(source.name, source_type),), typed),))


def strided_slice(at: Conversion) -> Converted:
    """STRIDED_SLICE with constant begin, end and steps, without new axes or ellipsis."""
    x = at.tensor(0)
    begin, end, steps = (at.constant(position, INDEX).astype(np.int64).reshape(-1) for position in (1, 2, 3))
    masks = {name: int(at.option(name, 0)) for name in ("BeginMask", "EndMask", "ShrinkAxisMask")}
    rest = (at.option("EllipsisMask", 0), at.option("NewAxisMask", 0))
    if any(rest) or not len(begin) == len(end) == len(steps) <= len(x.shape) or (steps == 0).any():
        raise at.refused("slices with an ellipsis or a new axis", "write every axis out")
    chosen = []
    for axis, size in enumerate(x.shape):
        if axis >= len(begin):
            chosen.append(range(size))
            continue
        step = int(steps[axis])
        shrinks = masks["ShrinkAxisMask"] >> axis & 1
        first = None if masks["BeginMask"] >> axis & 1 and not shrinks else int(begin[axis])
        last = None if masks["EndMask"] >> axis & 1 else int(end[axis])
        if shrinks:
            start = int(begin[axis]) + (size if begin[axis] < 0 else 0)
            chosen.append(range(start, start + 1) if 0 <= start < size else range(0))
            continue
        chosen.append(range(size)[slice(first, last, step)])
    if any(len(indices) == 0 for indices in chosen):
        raise at.refused("slices nothing", "export the model again")
    strides = _strides(x.shape)
    start = sum(indices[0] * stride for indices, stride in zip(chosen, strides, strict=True))
    steps_ = [indices.step * stride for indices, stride in zip(chosen, strides, strict=True)]
    return _gather(at, start, [len(indices) for indices in chosen], steps_)


def transpose(at: Conversion) -> Converted:
    """TRANSPOSE with a constant order of axes."""
    x, order = at.tensor(0), at.constant(1, INDEX).reshape(-1).tolist()
    if sorted(order) != list(range(len(x.shape))):
        raise at.refused("has an impossible order of axes", "export the model again")
    strides = _strides(x.shape)
    return _gather(at, 0, [x.shape[axis] for axis in order], [strides[axis] for axis in order])


def _strides(shape: tuple[int, ...]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _gather(at: Conversion, start: int, sizes: list[int], steps: list[int]) -> Converted:
    """The gather, over axes of 1 left out and neighbours joined; nothing where all stays in place."""
    source, kind = at.source(0), activation_type(at.output, at)
    if math.prod(sizes) != at.output.elements:
        raise at.refused(f"has an output of shape {at.output.shape}", "export the model again")
    joined: list[tuple[int, int]] = []
    for size, step in zip(sizes, steps, strict=True):
        if size == 1:
            continue
        if joined and joined[-1][1] == step * size:
            joined[-1] = (joined[-1][0] * size, step)
        else:
            joined.append((size, step))
    if start == 0 and (not joined or joined == [(source.type.elements, 1)]):
        return Converted((), source, "values stay where they are")
    if len(joined) > AXES:
        raise at.refused("moves more than four axes", "move fewer at once")
    padded = [(1, 0)] * (AXES - len(joined)) + joined
    op = Gather(start, np.array([s for s, _ in padded], np.int32), np.array([s for _, s in padded], np.int32))
    typed = TensorType(kind.shape, kind.dtype, source.type.low, source.type.high, kind.scale, kind.zero_point)
    return Converted((at.made(op, (source,), typed),))
