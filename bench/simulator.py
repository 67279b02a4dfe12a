# SPDX-License-Identifier: MIT
"""Seconds for 10,000 images through an integer 784-64-10: the simulator, its definition, onnxruntime."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from benchmodels import MODELS, build_of
from rich.console import Console
from rich.table import Table

from qnn.data import load
from qnn.errors import QnnError
from qnn.graph import CLASS, Graph
from qnn.ops.dense import Dense
from qnn.simulator import define, simulate

SAMPLES, REPEATS, SECONDS = 10_000, 5, 0.5
Result = TypeVar("Result")


def simulator(console: Console) -> bool:
    """Print the table; False where the simulator is slower than promised, or differs from its definition."""
    graph, (x, source) = build_of(MODELS[0])[0].graph, images()
    fast, found = timed(lambda: simulate(graph, x))
    start = time.perf_counter()
    plain = define(graph, x)
    slow = time.perf_counter() - start
    same = all(np.array_equal(values, plain[name]) for name, values in found.items())
    table = Table("", title=f"Simulator: {SAMPLES:,} {source} through {MODELS[0].name}")
    for heading in ("seconds", "ratio", "images/s", "agrees"):
        table.add_column(heading, justify="right")
    table.add_row("simulate", *figures(fast, fast), "")
    table.add_row("define (plain int64)", *figures(slow, fast), "in every value" if same else "[red]no")
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if not missing:
        run, name = onnx_network(graph)
        seconds, classes = timed(lambda: run(x))
        agreed = (classes == found[CLASS][:, 0]).mean()
        table.add_row(name, *figures(seconds, fast), f"{100 * agreed:.2f} % of classes")
    console.print(table)
    if missing:
        console.print(f"onnxruntime was not compared: pip install {' '.join(missing)}")
    console.print(f"simulate: {fast:.3f} s, promised {SECONDS} s: {'ok' if fast <= SECONDS else '[red]missed'}")
    return same and fast <= SECONDS


def images() -> tuple[np.ndarray, str]:
    """MNIST's test images (SAMPLES, 28, 28, 1) where they are found, else random ones, and what they are."""
    try:
        data = load("mnist")
        return data.x[data.test], "MNIST images"
    except QnnError:
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (SAMPLES, 28, 28, 1), dtype=np.uint8), "random images (no mnist here)"


def timed(run: Callable[[], Result]) -> tuple[float, Result]:
    """The median seconds of REPEATS runs, after one that is not counted, and the result."""
    result, seconds = run(), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def figures(seconds: float, reference: float) -> tuple[str, str, str]:
    """What a row says of a time, beside the simulator's."""
    return f"{seconds:.3f}", f"{seconds / reference:.2f}", f"{SAMPLES / seconds:,.0f}"


def onnx_network(graph: Graph) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
    """The same int8 network in onnxruntime, as raw images -> int64 classes (N,), and a name for it.

    QGemm is onnxruntime's own operator for a dense layer: uint8 by int8 per channel into int32, then requantized. As
    the simulator does, it computes logits, probabilities and classes.
    """
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    dense = [node for node in graph.nodes if isinstance(node.op, Dense)]
    constants, nodes, tensor = [], [], "x"
    for index, node in enumerate(dense):
        op, (kind,), last = node.op, graph.types_of(node), node is dense[-1]
        grid = op.requantization
        factor = grid.multiplier * 2.0 ** (grid.prescale - 32.0 - grid.shift)
        values = {
            "in_scale": np.float32(kind.scale),
            "in_zero": np.uint8(kind.zero_point),
            "weights": np.ascontiguousarray(op.weights.T),
            "weight_scale": (factor * node.type.scale / kind.scale).astype(np.float32),
            "weight_zero": np.zeros(len(op.weights), np.int8),
            "bias": (op.bias + kind.zero_point * op.weights.sum(axis=1, dtype=np.int64)).astype(np.int32),
        }
        if not last:
            values |= {"out_scale": np.float32(node.type.scale), "out_zero": np.uint8(node.type.zero_point)}
        constants += [numpy_helper.from_array(np.asarray(value), f"{key}{index}") for key, value in values.items()]
        names = [tensor, *(f"{key}{index}" for key in values)]
        tensor = "logits" if last else f"hidden{index}"
        nodes.append(helper.make_node("QGemm", names, [tensor], domain="com.microsoft"))
    nodes.append(helper.make_node("ArgMax", ["logits"], ["class"], axis=1, keepdims=0))
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", graph.input.elements])]
    outputs = [
        helper.make_tensor_value_info("class", TensorProto.INT64, ["N"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(op.weights)]),
    ]
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(
        helper.make_graph(nodes, "mlp", inputs, outputs, constants), opset_imports=opsets, ir_version=8
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(x: np.ndarray) -> np.ndarray:
        classes: np.ndarray = session.run(["class", "probabilities"], {"x": x.reshape(len(x), -1)})[0]
        return classes

    return run, f"onnxruntime {onnxruntime.__version__} int8 (QGemm)"
