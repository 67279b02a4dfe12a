# SPDX-License-Identifier: MIT
"""Small TensorFlow Lite files made on the spot, and what TensorFlow Lite Micro computes with them: the oracle."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REASON = "tflite-micro is not installed: the oracle of this test is missing"
DTYPES = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "int16": 7, "int8": 9}


def schema() -> Any:
    """The classes generated from the schema, with the object API; skips loudly where the wheel is missing."""
    pytest.importorskip("tflite_micro", reason=REASON)
    return importlib.import_module("tflite_micro.tensorflow.lite.micro.python.schema_py_generated")


@dataclass
class Builder:
    """A file in the making: tensors by index, operators in order."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[np.ndarray | None] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def tensor(
        self,
        shape: tuple[int, ...],
        dtype: str = "int8",
        scale: Any = None,
        zero: int = 0,
        data: Any = None,
        axis: int = 0,
    ) -> int:
        """The index of a new tensor, constant where `data` is given."""
        s = schema()
        made = s.TensorT()
        made.name, made.shape, made.type = f"t{len(self.tensors)} */ ??/ ü", list(shape), DTYPES[dtype]
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            made.quantization = s.QuantizationParametersT()
            made.quantization.scale = scales.tolist()
            made.quantization.zeroPoint = [zero] * len(scales)
            made.quantization.quantizedDimension = axis
        self.buffers.append(None if data is None else np.asarray(data, dtype).reshape(shape))
        made.buffer = len(self.buffers)
        self.tensors.append(made)
        return len(self.tensors) - 1

    def operator(self, kind: str, inputs: list[int], outputs: list[int], options: str = "", **values: Any) -> None:
        """An operator; options: the name of its options' class, `values` what to set in them."""
        s = schema()
        made = s.OperatorT()
        code = getattr(s.BuiltinOperator, kind)
        if code not in self.codes:
            self.codes.append(code)
        made.opcodeIndex, made.inputs, made.outputs = self.codes.index(code), inputs, outputs
        if options:
            made.builtinOptionsType = getattr(s.BuiltinOptions, options)
            made.builtinOptions = getattr(s, f"{options}T")()
            for name, value in values.items():
                assert hasattr(made.builtinOptions, name), name
                setattr(made.builtinOptions, name, value)
        self.operators.append(made)

    def file(self, inputs: list[int], outputs: list[int]) -> bytes:
        """The bytes of the file."""
        import flatbuffers

        s = schema()
        graph, model = s.SubGraphT(), s.ModelT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, inputs, outputs
        model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], [], [s.BufferT()]
        for code in self.codes:
            made = s.OperatorCodeT()
            made.builtinCode, made.deprecatedBuiltinCode, made.version = code, min(code, 127), 1
            model.operatorCodes.append(made)
        for values in self.buffers:
            buffer = s.BufferT()
            if values is not None:
                buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            model.buffers.append(buffer)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def reference(file: bytes, x: np.ndarray, arena: int = 1 << 20) -> np.ndarray:
    """What TensorFlow Lite Micro gives for samples x (N, ...), flat (N, outputs)."""
    runtime = importlib.import_module("tflite_micro.python.tflite_micro.runtime")
    interpreter = runtime.Interpreter.from_bytes(bytes(file), arena_size=arena)
    shape = interpreter.get_input_details(0)["shape"]
    results = []
    for sample in x:
        interpreter.set_input(sample.reshape(shape), 0)
        interpreter.invoke()
        results.append(np.array(interpreter.get_output(0)).reshape(-1))
    return np.stack(results)


def given_model(name: str) -> Path:
    """One of the models that lie beside the data; skips loudly where they are missing."""
    folder = Path(os.environ.get("QNN_DATA", "")).parent / "models"
    if not (folder / name).is_file():
        pytest.skip(f"{folder / name} is missing: set QNN_DATA to the folder beside the models")
    return folder / name
