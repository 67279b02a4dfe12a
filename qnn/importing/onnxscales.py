# SPDX-License-Identifier: MIT
"""Scales and zero points of a quantized ONNX file: what its tensors and constants mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from qnn.errors import QnnError
from qnn.importing.explain import FOLDED, Fate
from qnn.importing.onnxfile import OnnxModel, OnnxNode
from qnn.names import comment_text
from qnn.ops.op import BYTES, MAX_ELEMENTS

SCALED = ("int8", "uint8", "int32", "int16", "uint16")


@dataclass(frozen=True)
class Meaning:
    """What the integers of an activation mean: real = scale * (q - zero_point); dtype: uint8 or int8."""

    scale: float
    zero_point: int
    dtype: str


@dataclass(frozen=True, eq=False)
class QuantizedConstant:
    """Integers of a constant, their scales and zero points, (1,) or one for each index along `axis`."""

    values: np.ndarray
    scales: np.ndarray
    zeros: np.ndarray
    axis: int

    def spread(self, per: np.ndarray) -> np.ndarray:
        """Scales or zero points so shaped that they meet the values."""
        if per.size == 1:
            return per.reshape((1,) * self.values.ndim)
        return per.reshape([-1 if axis == self.axis else 1 for axis in range(self.values.ndim)])

    @property
    def centred(self) -> np.ndarray:
        """int64: the values without their zero points."""
        return self.values - self.spread(self.zeros)

    @property
    def reals(self) -> np.ndarray:
        """float64: what the values mean."""
        return self.centred * self.spread(self.scales.astype(np.float64))


@dataclass
class Quantized:
    """Operators on reals, and the scales of their tensors.

    same: the quantized tensor that a dequantized or merely renamed one is. stored: the file's name of a tensor's
    integers. weights: the constants that are quantized. clamps: lowest and highest real of a tensor. constants: how
    many values those have.
    """

    path: Path
    model: OnnxModel
    nodes: list[OnnxNode] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    same: dict[str, str] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)
    meanings: dict[str, Meaning] = field(default_factory=dict)
    weights: dict[str, QuantizedConstant] = field(default_factory=dict)
    clamps: dict[str, tuple[float, float]] = field(default_factory=dict)
    constants: int = 0

    def refused(self, node: OnnxNode, problem: str, remedy: str) -> QnnError:
        """The error that names the file and the node."""
        name = comment_text(node.name or ", ".join(node.outputs))[:80]
        return QnnError(self.path, f"node {node.index} {comment_text(node.kind)[:60]} ({name}) {problem}", remedy)

    def folded(self, node: OnnxNode, note: str) -> None:
        """Tell that nothing is left of a node."""
        result = comment_text(node.outputs[0] if node.outputs else "")[:60]
        self.fates.append(Fate(node.index, comment_text(node.kind)[:40], result, FOLDED, (), note))

    def resolved(self, name: str) -> str:
        """The tensor that `name` is."""
        return self.same.get(name, name)


def array(found: Quantized, node: OnnxNode, position: int) -> np.ndarray:
    """The constant input at `position`."""
    name = node.inputs[position] if position < len(node.inputs) else ""
    value = found.model.constants.get(name)
    if value is None:
        raise found.refused(node, f"computes its input {position}", "quantize the model statically")
    return value


def parameters(found: Quantized, node: OnnxNode, at: int, default: str) -> tuple[np.ndarray, np.ndarray, str]:
    """(scales float32, zero points int64, type) from the inputs at `at` and behind it."""
    scales = array(found, node, at).astype(np.float32).reshape(-1)
    zeros, dtype = np.zeros(len(scales), np.int64), default
    if at + 1 < len(node.inputs) and node.inputs[at + 1]:
        given = array(found, node, at + 1)
        zeros, dtype = given.astype(np.int64).reshape(-1), str(given.dtype)
    zeros = np.broadcast_to(zeros, scales.shape) if zeros.size == 1 else zeros
    sound = scales.size and zeros.shape == scales.shape and np.isfinite(scales).all() and (scales > 0).all()
    if not sound or node.attribute("block_size", 0):
        raise found.refused(node, "has scales that cannot be", "use one scale a tensor, or one a channel")
    if dtype not in SCALED:
        raise found.refused(node, f"quantizes to {comment_text(dtype)[:20]}", "quantize to 8 bits")
    return scales, zeros, dtype


def meaning(found: Quantized, node: OnnxNode, at: int, default: str) -> Meaning:
    """Of an activation whose scale is the input at `at`. Raises QnnError unless it has 8 bits and one scale."""
    scales, zeros, dtype = parameters(found, node, at, default)
    low = 0 if dtype == "uint8" else -128
    if dtype not in BYTES or len(scales) != 1 or not low <= int(zeros[0]) <= low + 255:
        problem = f"has activations of {comment_text(dtype)[:20]} with {len(scales)} scales"
        raise found.refused(node, problem, "quantize activations to 8 bits, one scale a tensor")
    return Meaning(float(scales[0]), int(zeros[0]), dtype)


def constant(found: Quantized, node: OnnxNode, values: np.ndarray, at: int, axis: int) -> QuantizedConstant:
    """Of integers whose scales, along `axis`, are the input at `at`."""
    found.constants += values.size
    if found.constants > MAX_ELEMENTS:
        raise found.refused(node, f"brings constants to {found.constants:,} values", "use a smaller network")
    scales, zeros, _ = parameters(found, node, at, str(values.dtype))
    axis += values.ndim if axis < 0 else 0
    if len(scales) > 1 and not (0 <= axis < values.ndim and values.shape[axis] == len(scales)):
        raise found.refused(node, f"has {len(scales)} scales for a constant of shape {values.shape}", "export it again")
    return QuantizedConstant(values.astype(np.int64), scales, zeros, axis)
