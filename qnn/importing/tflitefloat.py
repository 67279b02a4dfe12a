# SPDX-License-Identifier: MIT
"""A float TensorFlow Lite file as a float model, to be calibrated and quantized here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qnn.errors import QnnError
from qnn.importing.conversion import ACTIVATIONS, Conversion, sample_shape
from qnn.importing.explain import FOLDED, KEPT, Fate
from qnn.importing.floatgraph import FloatBuilder
from qnn.importing.onnxfloat import FloatNetwork
from qnn.importing.tflitefile import NO_TENSOR, TfliteModel, TfliteOperator
from qnn.importing.tflitemoves import INDEX
from qnn.layers.add import Add
from qnn.layers.average_pool import AveragePool, GlobalAveragePool
from qnn.layers.clamp import Clamp, Relu6
from qnn.layers.concat import Concat
from qnn.layers.conv2d import Conv2d
from qnn.layers.dense import Dense
from qnn.layers.depthwise_conv2d import DepthwiseConv2d
from qnn.layers.flatten import Flatten
from qnn.layers.layer import Layer, Shape
from qnn.layers.leaky_relu import LeakyRelu
from qnn.layers.max_pool import MaxPool
from qnn.layers.mul import Mul
from qnn.layers.pad import Pad
from qnn.layers.relu import Relu
from qnn.layers.reshape import Reshape
from qnn.layers.sigmoid import Sigmoid
from qnn.layers.tanh import Tanh
from qnn.model import INPUT
from qnn.names import comment_text

FLOAT = ("float32",)
PADDINGS = ("same", "valid")


@dataclass(frozen=True, eq=False)
class FloatConversion:
    """The operator about to be converted; `names` are the float nodes of the tensors so far, by index."""

    at: Conversion
    builder: FloatBuilder
    names: dict[int, str]

    def source(self, position: int = 0) -> str:
        """The node that gives the input at `position`."""
        tensor = self.at.tensor(position)
        found = self.names.get(self.at.op.inputs[position])
        if found is None:
            raise self.at.refused(f"reads {tensor.name}, which nothing computes", "fold constants when exporting")
        return found

    def shape(self, position: int = 0) -> Shape:
        """One sample's shape of the input at `position`."""
        return self.builder.shape(self.source(position))

    def added(self, layer: Layer, inputs: tuple[str, ...], parameters: tuple[np.ndarray, ...] = ()) -> str:
        """A new node, and one for the activation within the operator."""
        try:
            name = self.builder.add(layer, inputs, parameters)
            chosen = (
                self.at.option("FusedActivationFunction", 0)
                if hasattr(self.at.op.options, "FusedActivationFunction")
                else 0
            )
            bounds = next((row[1:] for row in ACTIVATIONS if row[0] == chosen), None)
            if bounds is None:
                raise QnnError(layer.kind, f"has the activation {chosen} within it", "use one of its own")
            return name if bounds == (-math.inf, math.inf) else self.builder.add(_clamp(*bounds), (name,))
        except QnnError as error:
            raise self.at.refused(error.problem, error.remedy) from None

    def geometry(self, kernel: tuple[int, ...]) -> tuple[int, int, int, int, str]:
        """Kernel, strides and padding of a layer."""
        if any(self.at.option(name, 1) != 1 for name in ("DilationHFactor", "DilationWFactor") if self.has(name)):
            raise self.at.refused("is dilated", "export it without dilation, or as ONNX")
        strides = int(self.at.option("StrideH", 1)), int(self.at.option("StrideW", 1))
        padding = int(self.at.option("Padding", 0))
        if padding not in (0, 1):
            raise self.at.refused("has an unknown padding", "export the model again")
        return int(kernel[0]), int(kernel[1]), *strides, PADDINGS[padding]

    def has(self, option: str) -> bool:
        """Do the operator's options have that one?"""
        return hasattr(self.at.op.options, option)

    def bias(self, filters: int) -> np.ndarray:
        """The bias (O,), zeros where there is none."""
        return self.at.constant(2, FLOAT).reshape(-1) if self.at.has(2) else np.zeros(filters, np.float32)


def _clamp(low: float, high: float) -> Layer:
    if (low, high) == (0.0, 6.0):
        return Relu6()
    return Relu() if (low, high) == (0.0, math.inf) else Clamp(low, high)


def _conv(c: FloatConversion) -> str:
    weights = c.at.constant(1, FLOAT)
    kh, kw, sh, sw, padding = c.geometry(weights.shape[1:3])
    return c.added(Conv2d(len(weights), kh, kw, sh, sw, padding), (c.source(),), (weights, c.bias(len(weights))))


def _depthwise(c: FloatConversion) -> str:
    stored, channels = c.at.constant(1, FLOAT), c.shape()[-1]
    if stored.ndim != 4 or stored.shape[0] != 1 or stored.shape[3] % channels:
        raise c.at.refused(f"has weights of shape {stored.shape}", "export the model again")
    weights = stored[0].transpose(2, 0, 1)
    kh, kw, sh, sw, padding = c.geometry(weights.shape[1:])
    layer = DepthwiseConv2d(kh, kw, len(weights) // channels, sh, sw, padding)
    return c.added(layer, (c.source(),), (weights, c.bias(len(weights))))


def _dense(c: FloatConversion) -> str:
    weights, source = c.at.constant(1, FLOAT), c.source()
    if len(c.builder.shape(source)) != 1:
        source = c.builder.add(Flatten(), (source,))
    return c.added(Dense(len(weights)), (source,), (weights, c.bias(len(weights))))


def _pool(layer: type[MaxPool] | type[AveragePool]) -> Callable[[FloatConversion], str]:
    def convert(c: FloatConversion) -> str:
        kh, kw, sh, sw, padding = c.geometry((c.at.option("FilterHeight", 1), c.at.option("FilterWidth", 1)))
        return c.added(layer(kh, kw, sh, sw, padding), (c.source(),))

    return convert


def _mean(c: FloatConversion) -> str:
    axes = sorted(int(axis) % 4 for axis in c.at.constant(1, INDEX).reshape(-1))
    if axes != [1, 2] or len(c.at.tensor(0).shape) != 4:
        raise c.at.refused(f"averages over the axes {axes}", "average over the pixels")
    return c.added(GlobalAveragePool(), (c.source(),))


def _pair(layer: Layer) -> Callable[[FloatConversion], str]:
    return lambda c: c.added(layer, (c.source(0), c.source(1)))


def _concat(c: FloatConversion) -> str:
    rank = len(c.at.output.shape)
    if int(c.at.option("Axis", 0)) % rank != rank - 1:
        raise c.at.refused("joins along another axis than the channels", "join channels")
    last = c.source(0)
    for position in range(1, len(c.at.op.inputs)):
        last = c.added(Concat(), (last, c.source(position)))
    return last


def _pad(c: FloatConversion) -> str:
    amounts = c.at.constant(1, INDEX).astype(np.int64)
    if amounts.shape != (4, 2) or amounts[0].any() or amounts[3].any():
        raise c.at.refused("pads the batch or the channels", "pad rows and columns")
    return c.added(Pad(*(int(n) for n in amounts[1:3].reshape(-1))), (c.source(),))


def _reshape(c: FloatConversion) -> str:
    shape = sample_shape(c.at.output.shape)
    bare = tuple(size for size in shape if size != 1)
    if len(bare) <= 1 or len(shape) == 1:
        return c.source() if len(c.shape()) == 1 else c.added(Flatten(), (c.source(),))
    if len(shape) == 3:
        return c.source() if c.shape() == shape else c.added(Reshape(*shape), (c.source(),))
    raise c.at.refused(f"makes {shape}", "use maps or flat values")


def _single(layer: Layer) -> Callable[[FloatConversion], str]:
    return lambda c: c.added(layer, (c.source(),))


def _leaky(c: FloatConversion) -> str:
    return c.added(LeakyRelu(float(c.at.option("Alpha", 0.0))), (c.source(),))


CONVERTERS: tuple[tuple[str, Callable[[FloatConversion], str]], ...] = (
    ("CONV_2D", _conv),
    ("DEPTHWISE_CONV_2D", _depthwise),
    ("FULLY_CONNECTED", _dense),
    ("AVERAGE_POOL_2D", _pool(AveragePool)),
    ("MAX_POOL_2D", _pool(MaxPool)),
    ("MEAN", _mean),
    ("ADD", _pair(Add())),
    ("MUL", _pair(Mul())),
    ("CONCATENATION", _concat),
    ("PAD", _pad),
    ("RESHAPE", _reshape),
    ("SQUEEZE", _reshape),
    ("EXPAND_DIMS", _reshape),
    ("LOGISTIC", _single(Sigmoid())),
    ("TANH", _single(Tanh())),
    ("RELU", _single(Relu())),
    ("RELU6", _single(Relu6())),
    ("LEAKY_RELU", _leaky),
)


def tflite_network(model: TfliteModel, path: Path) -> FloatNetwork:
    """The float network of a float file. Raises QnnError naming the operator that has no layer here."""
    if len(model.inputs) != 1 or len(model.outputs) != 1 or not model.operators:
        raise QnnError(path, f"has {len(model.inputs)} inputs and {len(model.outputs)} outputs", "export one of each")
    builder, fates, ending = FloatBuilder(), [], ""
    shape = sample_shape(model.tensors[model.inputs[0]].shape)
    builder.start((*shape, 1) if len(shape) == 2 else shape)
    names = {model.inputs[0]: INPUT}
    for op in model.operators:
        at = Conversion(path, model, op, "")
        before = len(builder.nodes)
        last = op.outputs == model.outputs
        if last and (op.kind == "SOFTMAX" or (op.kind == "LOGISTIC" and at.output.elements == 1)):
            names[op.outputs[0]], ending = FloatConversion(at, builder, names).source(), op.kind
        else:
            converter = dict(CONVERTERS).get(op.kind)
            if converter is None:
                raise at.refused("is not supported", f"build the model of {', '.join(kind for kind, _ in CONVERTERS)}")
            names[op.outputs[0]] = converter(FloatConversion(at, builder, names))
        fates.append(_fate(model, op, tuple(node.name for node in builder.nodes[before:])))
    output = names.get(model.outputs[0])
    if output is None or not builder.nodes or builder.nodes[-1].name != output:
        raise QnnError(path, "its output is not its last layer's", "export the model again")
    if len(builder.shape(output)) != 1:
        output = builder.add(Flatten(), (output,))
    return FloatNetwork(tuple(builder.nodes), builder.shape(INPUT), ending, tuple(fates), builder.shape(output)[0])


def _fate(model: TfliteModel, op: TfliteOperator, made: tuple[str, ...]) -> Fate:
    result = ", ".join(model.tensors[index].name for index in op.outputs if index != NO_TENSOR)
    note = "" if made else "no value is computed, or probabilities that are made from the logits"
    return Fate(op.index, op.kind, comment_text(result)[:60], KEPT if made else FOLDED, made, note)
