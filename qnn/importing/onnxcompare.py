# SPDX-License-Identifier: MIT
"""What onnxruntime computes with a quantized ONNX file: how far the integer graph's outputs are from it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.importing.difference import Difference
from qnn.importing.onnxfile import library
from qnn.names import comment_text
from qnn.simulator import simulate

EXACT = ("session.x64quantprecision", "1")  # no 16-bit sums that saturate, as AVX2 without VNNI has them


@dataclass(frozen=True)
class Reference:
    """An ONNX file and the tensors that correspond to a graph's input and output.

    axes: of a map (H, W, C), which of its axes each of the file's is; () of flat inputs. scale: of an output that the
    file leaves in reals; 0 where it is quantized.
    """

    path: Path
    input: str
    axes: tuple[int, ...]
    output: str
    scale: float


@dataclass(frozen=True)
class Comparison:
    """How outputs differ from onnxruntime's; None, and why, where it could not run the file."""

    difference: Difference | None
    reason: str = ""

    def __str__(self) -> str:
        return str(self.difference) if self.difference else f"not compared: {self.reason}"


def runtime_outputs(reference: Reference, graph: Graph, x: np.ndarray) -> np.ndarray:
    """int64 (N, outputs): what onnxruntime gives for raw samples x.

    Raises QnnError where it is not installed, or does not run the file.
    """
    onnx = library()
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError:
        raise QnnError("onnxruntime", "is not installed", "pip install onnxruntime") from None
    model = onnx.load(str(reference.path))
    dtype = next(i.type.tensor_type.elem_type for i in model.graph.input if i.name == reference.input)
    if reference.output not in [output.name for output in model.graph.output]:
        del model.graph.output[:]
        model.graph.output.append(onnx.ValueInfoProto(name=reference.output))
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.add_session_config_entry(*EXACT)
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return _results(session, reference, graph, x, dtype == onnx.TensorProto.FLOAT)
    except Exception as error:  # onnxruntime's errors have no common class
        told = comment_text(str(error).strip().splitlines()[0])[:160] if str(error).strip() else type(error).__name__
        raise QnnError("onnxruntime", f"does not run the file ({told})", "quantize it another way") from None


def _results(session: Any, reference: Reference, graph: Graph, x: np.ndarray, real: bool) -> np.ndarray:
    results = []
    for sample in _file_order(reference, graph, x):
        if real:
            sample = (sample.astype(np.float32) - np.float32(graph.input.zero_point)) * np.float32(graph.input.scale)
        results.append(np.asarray(session.run([reference.output], {reference.input: sample[None]})[0]).reshape(-1))
    found = np.stack(results)
    return (np.rint(found / reference.scale) if reference.scale else found).astype(np.int64)


def _file_order(reference: Reference, graph: Graph, x: np.ndarray) -> np.ndarray:
    if not reference.axes:
        return x.reshape(len(x), -1)
    maps = x.reshape(len(x), *graph.input.shape)
    missing = tuple(axis for axis in range(3) if axis not in reference.axes)
    ordered = maps.transpose(0, *(1 + axis for axis in (*reference.axes, *missing)))
    return ordered.reshape(ordered.shape[: 1 + len(reference.axes)])


def compared(reference: Reference, graph: Graph, x: np.ndarray) -> Comparison:
    """How the graph's outputs differ from onnxruntime's on raw samples x."""
    try:
        wanted = runtime_outputs(reference, graph, x)
    except QnnError as error:
        return Comparison(None, f"{error.subject} {error.problem}")
    got = simulate(graph, x, keep=(graph.output,))[graph.output]
    return Comparison(Difference.of(got.reshape(len(got), -1), wanted))
