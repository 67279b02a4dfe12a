# SPDX-License-Identifier: MIT
"""TensorFlow Lite files as plain data, read with the schema package `tflite`; every count and offset is bounded."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qnn.errors import QnnError
from qnn.files import read_bounded
from qnn.names import comment_text
from qnn.ops.op import MAX_ELEMENTS

MAX_BYTES = 256 << 20
MAX_TENSORS, MAX_OPERATORS, MAX_INPUTS, MAX_RANK = 8192, 4096, 64, 8
DTYPES = (
    (0, "float32"),
    (1, "float16"),
    (2, "int32"),
    (3, "uint8"),
    (4, "int64"),
    (6, "bool"),
    (7, "int16"),
    (9, "int8"),
)
NO_TENSOR = -1
DAMAGE = (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, KeyError, ArithmeticError)
MAGIC = b"TFL3"


@dataclass(frozen=True, eq=False)
class TfliteTensor:
    """A tensor: shape as stored (batch included), dtype of NumPy, its quantization, its constant data or None.

    scales: float32 (0,), (1,) or (C,). zero_points: int64 of as many. axis: which dimension the scales belong to.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    data: np.ndarray | None

    @property
    def elements(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class TfliteOperator:
    """An operator: its place in the file, its name (CONV_2D), tensor indices (NO_TENSOR where left out), options.

    options: the flatbuffers table of the options, of the class that belongs to the operator; None without one.
    """

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True, eq=False)
class TfliteModel:
    """The one graph of a file: tensors, operators in execution order, the indices of its inputs and outputs."""

    tensors: tuple[TfliteTensor, ...]
    operators: tuple[TfliteOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_tflite(path: Path) -> TfliteModel:
    """The model in the file at `path`. Raises QnnError naming the file if it is damaged or something else."""
    data = read_bounded(path, MAX_BYTES)
    with damage_told(path):
        if data[4:8] != MAGIC:
            raise QnnError(path, "is not a TensorFlow Lite file", "name a .tflite file")
        return _model(data, path)


def is_tflite(path: Path) -> bool:
    """Does the file at `path` start like one of TensorFlow Lite? Raises QnnError if it cannot be read."""
    return read_bounded(path, MAX_BYTES)[4:8] == MAGIC


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Within, what a reader of a damaged file stumbles over is told as a QnnError."""
    try:
        yield
    except DAMAGE as error:
        problem = comment_text(f"is damaged ({type(error).__name__}: {error})")[:200]
        raise QnnError(path, problem, "export the model again") from None


def schema() -> Any:
    """The package `tflite`. Raises QnnError where it is not installed."""
    try:
        import tflite
    except ImportError:
        raise QnnError("qnn import", "needs the package tflite", "pip install 'qnn[import]'") from None
    return tflite


def _tensors(model: Any, graph: Any, path: Path) -> Iterator[TfliteTensor]:
    """The tensors; several may share a buffer, but all together hold no more than a file can."""
    total = 0
    for index in range(graph.TensorsLength()):
        tensor = _tensor(model, graph.Tensors(index), path)
        total += 0 if tensor.data is None else tensor.data.nbytes
        if total > MAX_BYTES:
            raise QnnError(path, f"has constants of {total:,} bytes", "use a smaller network")
        yield tensor


def _model(data: bytes, path: Path) -> TfliteModel:
    model = schema().Model.GetRootAsModel(data, 0)
    if model.SubgraphsLength() != 1:
        problem = f"has {model.SubgraphsLength()} graphs: control flow is not supported"
        raise QnnError(path, problem, "export the model without loops and branches")
    graph = model.Subgraphs(0)
    _bounded(path, "tensors", graph.TensorsLength(), MAX_TENSORS)
    _bounded(path, "operators", graph.OperatorsLength(), MAX_OPERATORS)
    tensors = tuple(_tensors(model, graph, path))
    operators = tuple(_operator(model, graph.Operators(i), i, path) for i in range(graph.OperatorsLength()))
    ends = _indices(graph.InputsAsNumpy(), path), _indices(graph.OutputsAsNumpy(), path)
    for op in operators:
        for index in (*op.inputs, *op.outputs):
            if not NO_TENSOR <= index < len(tensors):
                raise QnnError(path, f"operator {op.index} reads a tensor that is not there", "export the model again")
    for index in (*ends[0], *ends[1]):
        if not 0 <= index < len(tensors):
            raise QnnError(path, "its inputs or outputs are not there", "export the model again")
    return TfliteModel(tensors, operators, *ends)


def _bounded(path: Path, what: str, count: int, most: int) -> None:
    if not 0 <= count <= most:
        raise QnnError(path, f"has {count:,} {what}, more than {most:,}", "use a smaller network")


def _indices(values: Any, path: Path) -> tuple[int, ...]:
    """A vector of indices; flatbuffers gives 0 for one that is not there."""
    if isinstance(values, int):
        return ()
    _bounded(path, "inputs or outputs of an operator", len(values), MAX_INPUTS)
    return tuple(int(value) for value in values)


def _tensor(model: Any, tensor: Any, path: Path) -> TfliteTensor:
    name = (tensor.Name() or b"").decode("utf-8", "replace")[:200]
    shape = () if tensor.ShapeLength() == 0 else tuple(int(size) for size in tensor.ShapeAsNumpy()[: MAX_RANK + 1])
    sizes = math.prod(max(size, 1) for size in shape)
    if len(shape) > MAX_RANK or min(shape, default=1) < 0 or sizes > MAX_ELEMENTS:
        raise QnnError(path, f"tensor {name!r} has the impossible shape {shape}", "use a smaller network")
    if tensor.Sparsity() is not None:
        raise QnnError(path, f"tensor {name!r} is stored as sparse", "export the model without sparsity")
    dtype = dict(DTYPES).get(tensor.Type(), f"type {tensor.Type()}")
    quantization = tensor.Quantization()
    scales, zeros, axis = np.zeros(0, np.float32), np.zeros(0, np.int64), 0
    if quantization is not None and quantization.ScaleLength():
        _bounded(path, "scales of a tensor", quantization.ScaleLength(), MAX_ELEMENTS)
        scales = np.asarray(quantization.ScaleAsNumpy(), np.float32)
        zeros = np.zeros(len(scales), np.int64)
        if quantization.ZeroPointLength():
            zeros = np.broadcast_to(np.asarray(quantization.ZeroPointAsNumpy(), np.int64), (len(scales),))
        axis = int(quantization.QuantizedDimension())
        if not (np.isfinite(scales).all() and (scales > 0).all() and np.abs(zeros).max() < 1 << 31):
            raise QnnError(path, f"tensor {name!r} has an impossible scale or zero point", "export the model again")
    return TfliteTensor(name, shape, dtype, scales, zeros, axis, _data(model, tensor, shape, dtype, path))


def _data(model: Any, tensor: Any, shape: tuple[int, ...], dtype: str, path: Path) -> np.ndarray | None:
    index = tensor.Buffer()
    if not 0 <= index < model.BuffersLength():
        raise QnnError(path, "a tensor's data is not there", "export the model again")
    buffer = model.Buffers(index)
    if buffer.DataLength() == 0:
        return None
    if dtype not in dict(DTYPES).values():
        raise QnnError(path, f"has constants of {dtype}", "export the model with int8 or float32 weights")
    kind = np.dtype(dtype).newbyteorder("<")
    if buffer.DataLength() != math.prod(shape) * kind.itemsize:
        raise QnnError(path, "a tensor's data does not have the size of its shape", "export the model again")
    values = np.frombuffer(bytes(buffer.DataAsNumpy().tobytes()), kind).reshape(shape)
    return values.astype(kind.newbyteorder("="))


def _operator(model: Any, operator: Any, index: int, path: Path) -> TfliteOperator:
    code = operator.OpcodeIndex()
    if not 0 <= code < model.OperatorCodesLength():
        raise QnnError(path, f"operator {index} has no code", "export the model again")
    found = model.OperatorCodes(code)
    builtin = max(found.BuiltinCode(), found.DeprecatedBuiltinCode())
    kinds = {value: name for name, value in vars(schema().BuiltinOperator).items() if isinstance(value, int)}
    kind = kinds.get(builtin, f"OPERATOR_{builtin}")
    if kind == "CUSTOM":
        kind = f"CUSTOM {(found.CustomCode() or b'').decode('utf-8', 'replace')[:60]}"
    return TfliteOperator(
        index,
        kind,
        _indices(operator.InputsAsNumpy(), path),
        _indices(operator.OutputsAsNumpy(), path),
        _options(operator),
    )


def _options(operator: Any) -> Any:
    """The options as the class that the file says they are of; None where it names none."""
    names = {value: name for name, value in vars(schema().BuiltinOptions).items() if isinstance(value, int)}
    name, table = names.get(operator.BuiltinOptionsType(), "NONE"), operator.BuiltinOptions()
    if table is None or name == "NONE" or not hasattr(schema(), name):
        return None
    options = getattr(schema(), name)()
    options.Init(table.Bytes, table.Pos)
    return options
