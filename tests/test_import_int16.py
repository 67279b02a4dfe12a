# SPDX-License-Identifier: MIT
"""Each operator of int16x8 TensorFlow Lite files gives the values of TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from tflitemodels import Builder, reference

from qnn.compiler import emit
from qnn.data.synthetic import random_samples
from qnn.engines.host import SANITIZED, HostEngine
from qnn.engines.interface import interface_of
from qnn.errors import QnnError
from qnn.fixedpoint import INT16X8
from qnn.graph import Graph
from qnn.importing.fits import averaging
from qnn.importing.load import import_file
from qnn.ops.op import TensorType
from qnn.simulator import simulate
from qnn.verifier import verify

Make = Callable[[np.random.Generator, Builder, tuple[int, ...], int], int]
SAME, VALID = 0, 1


def scale(rng: np.random.Generator, low: float = -14, high: float = -9) -> float:
    return float(np.float32(2.0 ** rng.uniform(low, high)))


def tensor(b: Builder, shape: tuple[int, ...], of: float) -> int:
    return b.tensor(shape, "int16", of, 0)


def alike(b: Builder, shape: tuple[int, ...], x: int) -> int:
    return tensor(b, shape, float(b.tensors[x].quantization.scale[0]))


def layer(
    rng: np.random.Generator, b: Builder, shape: tuple[int, ...], axis: int, x: int, bias: str
) -> tuple[list[int], float]:
    """Weights with a scale per filter and a bias, and a scale for the result that its values fill now and then."""
    filters, source = shape[axis], float(b.tensors[x].quantization.scale[0])
    per = 1 if bias == "dense" else filters
    scales = (2.0 ** rng.uniform(-9, -6, per)).astype(np.float32)
    w = b.tensor(shape, "int8", scales, 0, rng.integers(-127, 128, shape), axis)
    count = np.prod(shape) / filters
    result = float(source * scales.mean() * 70 * np.sqrt(count) * 2.0 ** rng.uniform(-3, 1))
    if bias == "none":
        return [x, w, -1], result
    kind = "int64" if bias == "dense" else bias
    values = rng.integers(-(1 << 22), 1 << 22, filters)
    return [x, w, b.tensor((filters,), kind, source * scales, 0, values)], result


def conv(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    filters, kernel, padding = int(rng.choice([1, 3, 5])), rng.integers(1, 4, 2).tolist(), int(rng.integers(2))
    inputs, of = layer(rng, b, (filters, *kernel, shape[3]), 0, x, str(rng.choice(["int64", "int64", "int32", "none"])))
    out = [n if padding == SAME else n - k + 1 for n, k in zip(shape[1:3], kernel, strict=True)]
    y = tensor(b, (1, *out, filters), of)
    strides = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    activation = int(rng.choice([0, 1, 3]))
    options = {"padding": padding, "fusedActivationFunction": activation}
    b.operator("CONV_2D", inputs, [y], "Conv2DOptions", **options, **strides)
    return y


def depthwise(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    multiplier, kernel = int(rng.choice([1, 2])), rng.integers(1, 4, 2).tolist()
    filters = shape[3] * multiplier
    inputs, of = layer(rng, b, (1, *kernel, filters), 3, x, "int64")
    y = tensor(b, (1, *shape[1:3], filters), of)
    strides = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    b.operator(
        "DEPTHWISE_CONV_2D", inputs, [y], "DepthwiseConv2DOptions", padding=0, depthMultiplier=multiplier, **strides
    )
    return y


def dense(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    units = int(rng.choice([1, 4, 7]))
    inputs, of = layer(rng, b, (units, int(np.prod(shape))), 0, x, "dense")
    y = tensor(b, (1, units), of)
    inputs = inputs if rng.integers(3) else [*inputs[:2], -1]
    b.operator("FULLY_CONNECTED", inputs, [y], "FullyConnectedOptions", fusedActivationFunction=int(rng.integers(2)))
    return y


def long_dense(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    """Biases that no int32 holds."""
    count, source = int(np.prod(shape)), float(b.tensors[x].quantization.scale[0])
    w = b.tensor((3, count), "int8", 0.01, 0, rng.integers(-127, 128, (3, count)))
    bias = b.tensor((3,), "int64", source * 0.01, 0, [1 << 33, -(1 << 40), 77])
    y = tensor(b, (1, 3), source * 0.01 * 2.0 ** float(rng.uniform(10, 26)))
    b.operator("FULLY_CONNECTED", [x, w, bias], [y], "FullyConnectedOptions")
    return y


def long_conv(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    source, count = float(b.tensors[x].quantization.scale[0]), shape[3]
    w = b.tensor((3, 1, 1, count), "int8", [0.01] * 3, 0, rng.integers(-127, 128, (3, 1, 1, count)), 0)
    bias = b.tensor((3,), "int64", [source * 0.01] * 3, 0, [1 << 33, -(1 << 38), 77])
    y = tensor(b, (*shape[:3], 3), source * 0.01 * 2.0 ** float(rng.uniform(8, 26)))
    strides = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    b.operator("CONV_2D", [x, w, bias], [y], "Conv2DOptions", **strides)
    return y


def long_depthwise(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    source, count = float(b.tensors[x].quantization.scale[0]), shape[3]
    w = b.tensor((1, 2, 2, count), "int8", [0.01] * count, 0, rng.integers(-127, 128, (1, 2, 2, count)), 3)
    bias = b.tensor((count,), "int64", [source * 0.01] * count, 0, rng.integers(-(1 << 36), 1 << 36, count))
    y = tensor(b, shape, source * 0.01 * 2.0 ** float(rng.uniform(8, 24)))
    strides = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    b.operator("DEPTHWISE_CONV_2D", [x, w, bias], [y], "DepthwiseConv2DOptions", depthMultiplier=1, **strides)
    return y


def pool(kind: str) -> Make:
    def make(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
        kernel, stride, padding = rng.integers(1, 5, 2), rng.integers(1, 3, 2), int(rng.integers(2))
        sizes = np.array(shape[1:3])
        out = -(-sizes // stride) if padding == SAME else (sizes - kernel) // stride + 1
        y = alike(b, (1, *out.tolist(), shape[3]), x)
        values = {"strideH": int(stride[0]), "strideW": int(stride[1]), "padding": padding}
        kernels = {"filterHeight": int(kernel[0]), "filterWidth": int(kernel[1])}
        b.operator(
            kind, [x], [y], "Pool2DOptions", **values, **kernels, fusedActivationFunction=int(rng.choice([0, 1]))
        )
        return y

    return make


def binary(kind: str, options: str, low: float, high: float) -> Make:
    def make(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
        z = x
        if rng.integers(3):
            z = tensor(b, shape, scale(rng))
            b.operator("QUANTIZE", [x], [z])
        y = tensor(b, shape, scale(rng, low, high))
        b.operator(
            kind, [x, z] if rng.integers(2) else [z, x], [y], options, fusedActivationFunction=int(rng.integers(2))
        )
        return y

    return make


def row_mul(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    some = shape[3:] if rng.integers(2) else (1,)
    z = b.tensor(some, "int16", scale(rng), 0, rng.integers(-32767, 32768, some))
    y = tensor(b, shape, scale(rng, -14, -4))
    b.operator("MUL", [x, z], [y], "MulOptions")
    return y


def mean(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    y = tensor(b, (1, 1, 1, shape[3]), scale(rng))
    b.operator("MEAN", [x, b.tensor((2,), "int32", data=[1, 2])], [y], "ReducerOptions", keepDims=True)
    return y


def concat(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    pooled = alike(b, shape, x)
    b.operator("MAX_POOL_2D", [x], [pooled], "Pool2DOptions", strideH=1, strideW=1, filterHeight=2, filterWidth=2)
    axis = int(rng.choice([1, 2, 3]))
    out = list(shape)
    out[axis] *= 2
    y = alike(b, tuple(out), x)
    b.operator("CONCATENATION", [x, pooled], [y], "ConcatenationOptions", axis=axis)
    return y


def padded(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    around = [[0, 0], [1, 2], [0, 1], [0, 0]]
    y = alike(b, (1, shape[1] + 3, shape[2] + 1, shape[3]), x)
    b.operator("PAD", [x, b.tensor((4, 2), "int32", data=around)], [y], "PadOptions")
    return y


def sliced(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    y = alike(b, (1, shape[1] - 1, -(-shape[2] // 2), shape[3]), x)
    values = [b.tensor((4,), "int32", data=data) for data in ([0, 1, 0, 0], list(shape), [1, 1, 2, 1])]
    b.operator("STRIDED_SLICE", [x, *values], [y], "StridedSliceOptions")
    return y


def transposed(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    order = [0, *(rng.permutation(3) + 1).tolist()]
    y = alike(b, tuple(shape[axis] for axis in order), x)
    b.operator("TRANSPOSE", [x, b.tensor((4,), "int32", data=order)], [y], "TransposeOptions")
    return y


def reshaped(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    count = int(np.prod(shape))
    flat = alike(b, (1, count), x)
    b.operator("RESHAPE", [x, b.tensor((2,), "int32", data=[1, count])], [flat], "ReshapeOptions", newShape=[1, count])
    return dense(rng, b, (1, count), flat)


def requantized(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    y = tensor(b, shape, scale(rng))
    b.operator("QUANTIZE", [x], [y])
    return y


def softmax(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    y = tensor(b, shape, 2**-15)
    b.operator("SOFTMAX", [x], [y], "SoftmaxOptions", beta=float(rng.choice([1.0, 0.5, 30.0])))
    return y


def unary(kind: str, out: float | None = None) -> Make:
    def make(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
        y = alike(b, shape, x) if kind == "RELU6" else tensor(b, shape, out or scale(rng))
        b.operator(kind, [x], [y])
        return y

    return make


OPERATORS: tuple[tuple[str, Make], ...] = (
    ("conv", conv),
    ("depthwise", depthwise),
    ("dense", dense),
    ("long_dense", long_dense),
    ("long_conv", long_conv),
    ("long_depthwise", long_depthwise),
    ("average_pool", pool("AVERAGE_POOL_2D")),
    ("max_pool", pool("MAX_POOL_2D")),
    ("add", binary("ADD", "AddOptions", -13, -7)),
    ("mul", binary("MUL", "MulOptions", -14, -4)),
    ("row_mul", row_mul),
    ("mean", mean),
    ("concat", concat),
    ("pad", padded),
    ("slice", sliced),
    ("transpose", transposed),
    ("reshape", reshaped),
    ("quantize", requantized),
    ("logistic", unary("LOGISTIC", 2**-15)),
    ("tanh", unary("TANH", 2**-15)),
    ("softmax", softmax),
    ("relu", unary("RELU")),
    ("relu6", unary("RELU6")),
)


def wide_model(name: str, seed: int) -> bytes:
    """A file with the operator called `name` between int16 tensors."""
    rng, b = np.random.default_rng(seed), Builder()
    shape = (1, int(rng.integers(4, 8)), int(rng.integers(4, 8)), int(rng.integers(1, 5)))
    x = tensor(b, shape, scale(rng))
    return b.file([x], [dict(OPERATORS)[name](rng, b, shape, x)])


def imported(path: Path, file: bytes) -> Graph:
    path.write_bytes(file)
    graph = import_file(path).network
    assert isinstance(graph, Graph)
    return graph


@pytest.mark.parametrize("name", [name for name, _ in OPERATORS])
def test_operator_gives_the_values_of_the_framework(tmp_path: Path, name: str) -> None:
    for seed in range(12):
        file = wide_model(name, seed)
        graph = imported(tmp_path / f"{name}{seed}.tflite", file)
        x = random_samples(graph.schema, (), (), 60, np.random.default_rng(seed))
        got = simulate(graph, x)[graph.output].reshape(len(x), -1)
        assert np.array_equal(got, reference(file, x)), f"seed {seed}\n{graph}"


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH"])
@pytest.mark.parametrize("step", [2**-12, 2**-13, 2**-9, 0.00031, 0.0011, 0.00002, 1 / 48])
def test_curves_on_every_input(tmp_path: Path, kind: str, step: float) -> None:
    b = Builder()
    x, y = tensor(b, (1, 65536), step), tensor(b, (1, 65536), 2**-15)
    b.operator(kind, [x], [y])
    every = np.arange(-32768, 32768).astype(np.int16)[None]
    file = b.file([x], [y])
    graph = imported(tmp_path / "m.tflite", file)
    assert np.array_equal(simulate(graph, every)[graph.output], reference(file, every))


@pytest.mark.parametrize("name", [name for name, _ in OPERATORS])
def test_operators_in_c_under_sanitizers(tmp_path: Path, name: str) -> None:
    for seed in range(3):
        graph = imported(tmp_path / "m.tflite", wide_model(name, seed))
        emit(graph, tmp_path / str(seed))
        x = random_samples(graph.schema, (), (), 30, np.random.default_rng(3))
        engine = HostEngine(tmp_path / str(seed), interface_of(graph), flags=("-O1", *SANITIZED), program=True)
        assert np.array_equal(engine.run(x)[graph.output], simulate(graph, x)[graph.output])
        engine.close()


@pytest.mark.parametrize("name", ["conv", "long_dense", "long_depthwise", "add", "mul", "softmax"])
def test_operators_on_rv32(tmp_path: Path, name: str) -> None:
    pytest.importorskip("unicorn")
    graph = imported(tmp_path / "m.tflite", wide_model(name, 1))
    emit(graph, tmp_path / "b")
    assert verify(
        tmp_path / "b", random_samples(graph.schema, (), (), 20, np.random.default_rng(3)), ("host", "rv32")
    ).ok


def test_the_rule_has_a_name_and_the_border_16_bits(tmp_path: Path, qnn: Run) -> None:
    graph = imported(tmp_path / "m.tflite", wide_model("dense", 1))
    rules = [node.op.requantization.rounding for node in graph.body if node.op.kind == "dense"]  # type: ignore[attr-defined]
    assert rules == [INT16X8]
    assert graph.input.dtype == graph.type_of(graph.output).dtype == "int16"
    assert qnn("import", str(tmp_path / "m.tflite"), "-o", str(tmp_path / "m.qnn"), "--rounding", "qnn")[0] == 0
    assert qnn("compile", str(tmp_path / "m.qnn"), "-o", str(tmp_path / "b"), "--name", "net")[0] == 0
    assert "typedef int16_t net_in_t;" in (tmp_path / "b" / "net.h").read_text()
    code, out, err = qnn("verify", str(tmp_path / "b"), "--data", "random:20", "--on", "host", "--layers")
    assert code == 0, out + err


def test_what_has_no_form_in_16_bits_is_refused(tmp_path: Path) -> None:
    b = Builder()
    x, y = tensor(b, (1, 4), 0.001), tensor(b, (1, 4), 0.001)
    b.operator("ELU", [x], [y])
    with pytest.raises(QnnError, match="ELU"):
        imported(tmp_path / "m.tflite", b.file([x], [y]))
    b = Builder()
    x, y = b.tensor((1, 4), "int16", 0.001, 3), tensor(b, (1, 4), 0.001)
    b.operator("QUANTIZE", [x], [y])
    with pytest.raises(QnnError, match="zero point of 3"):
        imported(tmp_path / "m.tflite", b.file([x], [y]))


@pytest.mark.parametrize("count", [20, 24, 56, 64, 80, 146, 4096])
def test_means_of_many_16_bit_values(count: int) -> None:
    """Windows whose halves need a factor of their own: rounded half away from zero, for every sum around a half."""
    found = averaging(count, 0, TensorType((1,), "int16", -32768, 32767))
    sums = (2 * np.arange(-32768, 32767, dtype=np.int64) + 1) * count // 2
    for step in (-1, 0, 1):
        means = np.sign(sums + step) * ((2 * np.abs(sums + step) + count) // (2 * count))
        assert np.array_equal(found.apply((sums + step)[:, None])[:, 0], means.clip(-32768, 32767))
