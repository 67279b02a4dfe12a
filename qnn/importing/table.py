# SPDX-License-Identifier: MIT
"""Which operators there are, in which widths, and what they are called elsewhere: read from the code itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qnn.emitter.runtime import runtime_folder
from qnn.importing.onnxfloat import CONVERTERS as ONNX
from qnn.importing.onnxgraph import CONVERTERS as QUANTIZED
from qnn.importing.onnxqdq import DEQUANTIZE, KINDS
from qnn.importing.tflitegraph import CONVERTERS as TFLITE
from qnn.importing.tflitegraph import OF_16_BITS
from qnn.layers import LAYERS
from qnn.ops import OPS

KERNEL = re.compile(r"^QNN_(?:KERNEL|SHARED|SMALL) \w+ (qnn_\w+)\(", re.MULTILINE)
STORAGES = (("u8", 8), ("i8", 8), ("i16", 16), ("i32", 32), ("w8", 8), ("w16", 16))


@dataclass(frozen=True)
class OperatorRow:
    """An integer operator: the bits that its kernels read and write, and the operators of quantized files it serves."""

    operator: str
    bits: tuple[int, ...]
    tflite: tuple[str, ...]
    onnx: tuple[str, ...]


@dataclass(frozen=True)
class LayerRow:
    """A float layer and the ONNX operators that become it; "" is what is left of none."""

    layer: str
    onnx: tuple[str, ...]


def operators() -> tuple[OperatorRow, ...]:
    """A row for each integer operator, in the order of the code."""
    rows = []
    for op in OPS:
        names = [name for header in runtime_folder().glob(f"qnn_{op.kind}*.h") for name in _kernels(header.read_text())]
        tokens = {token for name in names if _belongs(name, op.kind) for token in name.split("_")}
        bits = sorted({width for storage, width in STORAGES if storage in tokens})
        tflite = tuple(entry[0] for entry in (*TFLITE, *OF_16_BITS) if entry[2] == op.kind)
        real = [entry[0] for entry in QUANTIZED if entry[2] == op.kind]
        rows.append(
            OperatorRow(op.kind, tuple(bits), tflite, (*real, *(form for form, kind, _ in KINDS if kind in real)))
        )
    return tuple(rows)


def layers() -> tuple[LayerRow, ...]:
    """A row for each float layer, in the order of the code."""
    return tuple(LayerRow(layer.kind, tuple(entry[0] for entry in ONNX if entry[2] == layer.kind)) for layer in LAYERS)


def nothing_left() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The TensorFlow Lite and ONNX operators of which nothing is left in integer graphs: values stay where they are."""
    onnx = [entry[0] for entry in QUANTIZED if not entry[2]]
    return tuple(entry[0] for entry in TFLITE if not entry[2]), (*onnx, DEQUANTIZE)


def _kernels(text: str) -> list[str]:
    return KERNEL.findall(text)


def _belongs(name: str, kind: str) -> bool:
    """Is it a kernel of that operator, and of none whose name is longer?"""
    longer = [op.kind for op in OPS if op.kind.startswith(kind) and op.kind != kind]
    return name.startswith(f"qnn_{kind}") and not any(name.startswith(f"qnn_{other}") for other in longer)
