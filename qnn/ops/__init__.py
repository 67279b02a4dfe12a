# SPDX-License-Identifier: MIT
"""The integer operators: one module each, the same name in c_runtime/ and in SPEC.md."""

from __future__ import annotations

from qnn.ops.add import Add
from qnn.ops.add16 import Add16
from qnn.ops.argmax import Argmax
from qnn.ops.average_pool import AveragePool
from qnn.ops.compand import Compand
from qnn.ops.concat import Concat
from qnn.ops.conv2d import Conv2d
from qnn.ops.curve import Curve
from qnn.ops.dense import Dense
from qnn.ops.depthwise_conv2d import DepthwiseConv2d
from qnn.ops.flip import Flip
from qnn.ops.gather import Gather
from qnn.ops.load import Load
from qnn.ops.max_pool import MaxPool
from qnn.ops.mul import Mul
from qnn.ops.op import Op
from qnn.ops.pad import Pad
from qnn.ops.quantize import Quantize
from qnn.ops.rescale import Rescale
from qnn.ops.retype import Retype
from qnn.ops.sigmoid16 import Sigmoid16
from qnn.ops.softmax import Softmax
from qnn.ops.softmax8 import Softmax8
from qnn.ops.softmax16 import Softmax16
from qnn.ops.table import Table

OPS: tuple[type[Op], ...] = (
    Quantize,
    Compand,
    Dense,
    Conv2d,
    DepthwiseConv2d,
    MaxPool,
    AveragePool,
    Add,
    Add16,
    Mul,
    Concat,
    Pad,
    Gather,
    Table,
    Curve,
    Sigmoid16,
    Retype,
    Flip,
    Load,
    Softmax8,
    Softmax16,
    Argmax,
    Softmax,
    Rescale,
)
