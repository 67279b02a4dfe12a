# SPDX-License-Identifier: MIT
"""The float layers: forward, backward and lowering to integer operators, one file each."""

from __future__ import annotations

from qnn.layers.dense import Dense
from qnn.layers.dropout import Dropout
from qnn.layers.flatten import Flatten
from qnn.layers.layer import Layer
from qnn.layers.leaky_relu import LeakyRelu
from qnn.layers.relu import Relu
from qnn.layers.sigmoid import Sigmoid
from qnn.layers.tanh import Tanh

LAYERS: tuple[type[Layer], ...] = (Dense, Relu, LeakyRelu, Sigmoid, Tanh, Dropout, Flatten)
"""Every layer that a model may contain."""
