# SPDX-License-Identifier: MIT
"""What converting one ONNX node needs: its tensors, its constants, its padding; with layers or with integers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qnn.errors import QnnError
from qnn.importing.floatgraph import FloatBuilder
from qnn.importing.layout import Shaper, Stored, as_map
from qnn.importing.onnxfile import OnnxModel, OnnxNode
from qnn.layers.concat import Concat
from qnn.layers.layer import Layer
from qnn.layers.pad import Pad
from qnn.names import comment_text


@dataclass(frozen=True, eq=False)
class OnnxPlace(ABC):
    """The node about to be converted; `tensors` are those converted so far."""

    path: Path
    model: OnnxModel
    node: OnnxNode
    tensors: Mapping[str, Stored]

    @property
    @abstractmethod
    def shaper(self) -> Shaper:
        """The network in the making."""

    @abstractmethod
    def padded(self, source: Stored, pads: tuple[int, int, int, int]) -> Stored:
        """The map with a frame of zeros."""

    @abstractmethod
    def beside(self, one: Stored, other: Stored) -> str:
        """The name of a node that gives the channels of both."""

    def refused(self, problem: str, remedy: str) -> QnnError:
        """The error that names the file and the node."""
        name = comment_text(self.node.name or ", ".join(self.node.outputs))[:80]
        where = f"node {self.node.index} {comment_text(self.node.kind)[:60]} ({name})"
        return QnnError(self.path, f"{where} {comment_text(problem)}", remedy)

    def has(self, position: int) -> bool:
        """Is there an input at `position`?"""
        return position < len(self.node.inputs) and self.node.inputs[position] != ""

    def constant(self, position: int) -> np.ndarray:
        """The constant at `position`, as float64 or int64. Raises QnnError where it is computed or missing."""
        if not self.has(position):
            raise self.refused(f"lacks its input {position}", "export the model again")
        found = self.model.constants.get(self.node.inputs[position])
        if found is None:
            raise self.refused(f"computes its input {self.node.inputs[position]}", "make it a constant")
        if found.dtype.kind not in "iufb":
            raise self.refused(f"has a constant of {found.dtype}", "export the model in float32")
        return found.astype(np.float64 if found.dtype.kind == "f" else np.int64)

    def is_constant(self, position: int) -> bool:
        """Is the input at `position` a constant?"""
        return self.has(position) and self.node.inputs[position] in self.model.constants

    def tensor(self, position: int = 0) -> Stored:
        """The tensor at `position`."""
        name = self.node.inputs[position] if self.has(position) else ""
        found = self.tensors.get(name)
        if found is None:
            raise self.refused(f"reads {name or 'nothing'}, which is no tensor here", "export the model again")
        return found

    def map(self) -> Stored:
        """The first input as a map whose channels the file stores first."""
        found = as_map(self.shaper, self.tensor())
        if found is None:
            raise self.refused("reads no map with its channels first", "export the model as PyTorch and ONNX have it")
        return found

    def read_once(self, position: int) -> bool:
        """Is this node the only reader of the input at `position`, which is no output of the model?"""
        name = self.node.inputs[position]
        readers = sum(node.inputs.count(name) for node in self.model.nodes)
        return readers == 1 and name not in self.model.outputs

    def numbers(self, name: str, count: int, default: int) -> tuple[int, ...]:
        """The attribute `name`: `count` whole numbers from 0 to 2**16, all `default` where it is left out."""
        found = self.node.attribute(name, [default] * count)
        values = tuple(int(value) for value in found)
        if len(values) != count or not all(0 <= value <= 1 << 16 for value in values):
            raise self.refused(f"has {name} {found}", "export the model for maps of two dimensions")
        return values

    def padding(self, source: Stored, kernel: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, int, int, int]:
        """top, bottom, left, right, of maps with one or two stored dimensions."""
        spatial = len(kernel)
        auto = self.node.attribute("auto_pad", "NOTSET")
        if auto == "VALID":
            return 0, 0, 0, 0
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            sizes = source.stored[1:]
            pairs = []
            for size, taps, stride in zip(sizes, kernel, strides, strict=True):
                total = max((-(-size // stride) - 1) * stride + taps - size, 0)
                low, high = total // 2, total - total // 2
                pairs.append((low, high) if auto == "SAME_UPPER" else (high, low))
        elif auto == "NOTSET":
            pads = self.numbers("pads", 2 * spatial, 0)
            pairs = list(zip(pads[:spatial], pads[spatial:], strict=True))
        else:
            raise self.refused(f"has auto_pad {auto}", "use explicit pads")
        (top, bottom), (left, right) = pairs if spatial == 2 else ((0, 0), pairs[0])
        return top, bottom, left, right


@dataclass(frozen=True, eq=False)
class OnnxConversion(OnnxPlace):
    """A node about to become float layers."""

    builder: FloatBuilder

    @property
    def shaper(self) -> Shaper:
        """The float model in the making."""
        return self.builder

    def added(self, layer: Layer, inputs: tuple[str, ...], parameters: tuple[Any, ...] = ()) -> str:
        """A new node; what does not fit is told with the file and this node."""
        try:
            return self.builder.add(layer, inputs, parameters)
        except QnnError as error:
            raise self.refused(error.problem, error.remedy) from None

    def alike(
        self, source: Stored, layer: Layer, inputs: tuple[str, ...] = (), parameters: tuple[Any, ...] = ()
    ) -> Stored:
        """The result of a layer that keeps the shape and order of `source`."""
        node = self.added(layer, inputs or (source.node,), parameters)
        return Stored(node, source.shape, source.stored, source.axes, source.order)

    def padded(self, source: Stored, pads: tuple[int, int, int, int]) -> Stored:
        """The map with a frame of zeros."""
        if not any(pads):
            return source
        node = self.added(Pad(*pads), (source.node,))
        shape = self.builder.shape(node)
        stored = (source.stored[0], *(shape[axis] for axis in source.axes[1:]))
        return Stored(node, shape, stored, source.axes)

    def beside(self, one: Stored, other: Stored) -> str:
        """The node that gives the channels of both."""
        return self.added(Concat(), (one.node, other.node))

    def slid(self, source: Stored, node: str) -> Stored:
        """The result `node` of a window that slid over `source`."""
        shape = self.builder.shape(node)
        return Stored(node, shape, tuple(shape[axis] for axis in source.axes), source.axes)


def per_channel(at: OnnxPlace, value: np.ndarray, source: Stored) -> np.ndarray:
    """A constant as one value, or one for each channel here. Raises QnnError for one per pixel."""
    if value.size == 1:
        return value.reshape(1)
    stored = (1,) * (1 + len(source.stored) - value.ndim) + value.shape
    wanted = [1] * len(stored)
    position = source.axes.index(len(source.shape) - 1) if source.axes else len(source.stored) - 1
    wanted[1 + position] = source.shape[-1]
    if list(stored) != wanted or value.size != source.shape[-1]:
        raise at.refused(f"has a constant of shape {value.shape}", "use one value, or one a channel")
    return in_order(value.reshape(-1), source)


def in_order(values: np.ndarray, source: Stored) -> np.ndarray:
    """Values (..., C), one for each channel of `source` in the file's order, in the order here."""
    order = None if source.axes else source.order
    if order is None:
        return values
    here = np.empty_like(values)
    here[..., order] = values
    return here
