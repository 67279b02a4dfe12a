# SPDX-License-Identifier: MIT
"""The float layers: forward, backward and lowering to integer operators, one file each."""

from __future__ import annotations

from qnn.layers.add import Add
from qnn.layers.average_pool import AveragePool, GlobalAveragePool
from qnn.layers.batch_norm import BatchNorm
from qnn.layers.clamp import Clamp, Relu6
from qnn.layers.concat import Concat
from qnn.layers.conv1d import Conv1d
from qnn.layers.conv2d import Conv2d
from qnn.layers.dense import Dense
from qnn.layers.depthwise_conv2d import DepthwiseConv2d
from qnn.layers.dropout import Dropout
from qnn.layers.flatten import Flatten
from qnn.layers.layer import Layer
from qnn.layers.leaky_relu import LeakyRelu
from qnn.layers.max_pool import MaxPool
from qnn.layers.mul import Mul
from qnn.layers.pad import Pad
from qnn.layers.relu import Relu
from qnn.layers.reshape import Reshape
from qnn.layers.sigmoid import Sigmoid
from qnn.layers.tanh import Tanh

LAYERS: tuple[type[Layer], ...] = (
    *(Dense, Conv2d, DepthwiseConv2d, Conv1d, BatchNorm),
    *(Relu, Relu6, Clamp, LeakyRelu, Sigmoid, Tanh, Dropout),
    *(MaxPool, AveragePool, GlobalAveragePool, Add, Mul, Concat, Pad, Flatten, Reshape),
)
"""Every layer that a model may contain."""
