# SPDX-License-Identifier: MIT
"""The text of NET that makes a layer."""

from __future__ import annotations

from qnn.layers.average_pool import AveragePool
from qnn.layers.batch_norm import BatchNorm
from qnn.layers.clamp import Clamp, Relu6
from qnn.layers.conv1d import Conv1d
from qnn.layers.conv2d import Conv2d
from qnn.layers.depthwise_conv2d import DepthwiseConv2d
from qnn.layers.layer import Layer
from qnn.layers.leaky_relu import LeakyRelu
from qnn.layers.max_pool import MaxPool
from qnn.layers.relu import Relu
from qnn.layers.reshape import Reshape
from qnn.layers.sigmoid import Sigmoid
from qnn.layers.tanh import Tanh
from qnn.net.tokens import MULTIPLIER, PAD, SAME, STRIDE, VALID

TRAILING = (BatchNorm, Relu, Relu6, Clamp, LeakyRelu, Sigmoid, Tanh)  # written behind the layer before them


def layer_text(layer: Layer, padding: str) -> str:
    """NET for one layer where `padding` counts if none is said: "conv 3x3 8 stride 2"."""
    if isinstance(layer, Conv2d):
        return f"conv {_by(*_kernel(layer))} {layer.filters}{_slide_text(layer, (1, 1), padding)}"
    if isinstance(layer, DepthwiseConv2d):
        multiplier = f" {MULTIPLIER} {layer.multiplier}" if layer.multiplier > 1 else ""
        return f"depthwise {_by(*_kernel(layer))}{multiplier}{_slide_text(layer, (1, 1), padding)}"
    if isinstance(layer, Conv1d):
        stride = f" {STRIDE} {layer.stride}" if layer.stride > 1 else ""
        return f"conv1d {layer.kernel} {layer.filters}{stride}{_padding_text(layer.padding, padding)}"
    if isinstance(layer, (MaxPool, AveragePool)):
        kernel, name = _kernel(layer), "maxpool" if isinstance(layer, MaxPool) else "avgpool"
        size = str(kernel[0]) if kernel[0] == kernel[1] else _by(*kernel)
        return f"{name} {size}{_slide_text(layer, kernel, padding)}"
    if isinstance(layer, Reshape):
        return f"reshape {'x'.join(str(side) for side in layer.shape)}"
    names = {"batch_norm": "bn", "global_average_pool": "gap"}
    return names.get(layer.kind, layer.kind) + "".join(f" {_number_text(value)}" for value in vars(layer).values())


def _kernel(layer: Conv2d | DepthwiseConv2d | MaxPool | AveragePool) -> tuple[int, int]:
    return layer.kernel_height, layer.kernel_width


def _slide_text(layer: Conv2d | DepthwiseConv2d | MaxPool | AveragePool, usual: tuple[int, int], padding: str) -> str:
    stride = (layer.stride_height, layer.stride_width)
    said = "" if stride == usual else f" {STRIDE} {_by(*stride) if stride[0] != stride[1] else stride[0]}"
    return said + _padding_text(layer.padding, padding)


def _padding_text(padding: str, usual: str) -> str:
    if padding == usual:
        return ""
    return f" {padding}" if padding in (SAME, VALID) else f" {PAD} {padding}"


def _number_text(value: float) -> str:
    """The shortest text that gives the number again: 6, 0.1."""
    return str(value).removesuffix(".0")


def _by(height: int, width: int) -> str:
    return f"{height}x{width}"
