# SPDX-License-Identifier: MIT
"""The integer operators: one module each, the same name in c_runtime/ and in SPEC.md."""

from __future__ import annotations

from qnn.ops.argmax import Argmax
from qnn.ops.dense import Dense
from qnn.ops.op import Op
from qnn.ops.quantize import Quantize
from qnn.ops.rescale import Rescale
from qnn.ops.softmax import Softmax
from qnn.ops.table import Table

OPS: tuple[type[Op], ...] = (Quantize, Dense, Table, Argmax, Softmax, Rescale)
