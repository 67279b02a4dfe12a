# SPDX-License-Identifier: MIT
"""Each operator of int8 TensorFlow Lite files gives the bytes of TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tflitemodels import Builder, reference

from qnn.data.synthetic import random_samples
from qnn.importing.load import import_file
from qnn.simulator import simulate

Make = Callable[[np.random.Generator, Builder, tuple[int, ...], int], int]
NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
SAME, VALID = 0, 1


def scale(rng: np.random.Generator, low: float = -6, high: float = -2) -> float:
    return float(np.float32(2.0 ** rng.uniform(low, high)))


def zero(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, -128, 0, 127, int(rng.integers(-128, 128))]))


def activation(rng: np.random.Generator) -> int:
    return int(rng.choice([NONE, NONE, RELU, RELU6, RELU_N1_TO_1]))


def weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(-128 if rng.integers(4) == 0 else -127, 128, shape)


def constants(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], axis: int, x: int, per: bool) -> list[int]:
    """Weights of `shape` with a scale per filter (along `axis`) where `per`, and a bias."""
    filters, source = shape[axis], float(b.tensors[x].quantization.scale[0])
    scales = 2.0 ** rng.uniform(-10, -5, filters if per else 1)
    w = b.tensor(shape, "int8", scales, 0, weights(rng, shape), axis)
    bias = rng.integers(-20000, 20000, filters)
    return [w, b.tensor((filters,), "int32", source * np.float32(scales), 0, bias)]


def conv(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    filters, kernel = int(rng.choice([1, 3, 4, 5])), rng.integers(1, 4, 2)
    stride, padding = rng.integers(1, 4, 2), int(rng.integers(2))
    dilation = rng.integers(1, 3, 2)
    out = outputs(shape, (kernel - 1) * dilation + 1, stride, padding)
    y = b.tensor((1, *out, filters), "int8", scale(rng), zero(rng))
    values = constants(rng, b, (filters, *kernel.tolist(), shape[3]), 0, x, bool(rng.integers(2)))
    b.operator(
        "CONV_2D",
        [x, *values],
        [y],
        "Conv2DOptions",
        padding=padding,
        strideH=int(stride[0]),
        strideW=int(stride[1]),
        dilationHFactor=int(dilation[0]),
        dilationWFactor=int(dilation[1]),
        fusedActivationFunction=activation(rng),
    )
    return y


def depthwise(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    multiplier, kernel = int(rng.choice([1, 1, 2, 3])), rng.integers(1, 4, 2)
    stride, padding = np.full(2, rng.integers(1, 3)), int(rng.integers(2))
    out = outputs(shape, kernel, stride, padding)
    filters = shape[3] * multiplier
    y = b.tensor((1, *out, filters), "int8", scale(rng), zero(rng))
    values = constants(rng, b, (1, *kernel.tolist(), filters), 3, x, True)
    b.operator(
        "DEPTHWISE_CONV_2D",
        [x, *values],
        [y],
        "DepthwiseConv2DOptions",
        padding=padding,
        strideH=int(stride[0]),
        strideW=int(stride[1]),
        depthMultiplier=multiplier,
        dilationHFactor=1,
        dilationWFactor=1,
        fusedActivationFunction=activation(rng),
    )
    return y


def outputs(shape: tuple[int, ...], kernel: np.ndarray, stride: np.ndarray, padding: int) -> tuple[int, int]:
    sizes = np.array(shape[1:3])
    out = -(-sizes // stride) if padding == SAME else (sizes - kernel) // stride + 1
    return int(out[0]), int(out[1])


def dense(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    units, count = int(rng.choice([1, 4, 7])), int(np.prod(shape))
    y = b.tensor((1, units), "int8", scale(rng, -4, 0), zero(rng))
    values = constants(rng, b, (units, count), 0, x, False)
    inputs = [x, values[0], values[1] if rng.integers(3) else -1]
    b.operator("FULLY_CONNECTED", inputs, [y], "FullyConnectedOptions", fusedActivationFunction=activation(rng))
    return y


def rows_dense(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    """A fully connected layer over the channels of every pixel."""
    units = int(rng.choice([1, 4]))
    y = b.tensor((*shape[:3], units), "int8", scale(rng, -4, 0), zero(rng))
    values = constants(rng, b, (units, shape[3]), 0, x, False)
    b.operator("FULLY_CONNECTED", [x, *values], [y], "FullyConnectedOptions", keepNumDims=True)
    return y


def pool(kind: str) -> Make:
    def make(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
        kernel, stride, padding = rng.integers(1, 5, 2), rng.integers(1, 4, 2), int(rng.integers(2))
        out = outputs(shape, kernel, stride, padding)
        source = b.tensors[x].quantization
        y = b.tensor((1, *out, shape[3]), "int8", source.scale[0], source.zeroPoint[0])
        values = {"strideH": int(stride[0]), "strideW": int(stride[1]), "padding": padding}
        kernels = {"filterHeight": int(kernel[0]), "filterWidth": int(kernel[1])}
        b.operator(kind, [x], [y], "Pool2DOptions", **values, **kernels, fusedActivationFunction=activation(rng))
        return y

    return make


def binary(kind: str, options: str, power: tuple[float, float]) -> Make:
    def make(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
        z = depthwise(rng, b, shape, x) if rng.integers(2) else x
        other = tuple(b.tensors[z].shape)
        if other != shape:
            z = x
        if rng.integers(4) == 0:
            z = b.tensor((1,), "int8", scale(rng), zero(rng), rng.integers(-128, 128, 1))
        y = b.tensor(shape, "int8", scale(rng, *power), zero(rng))
        pair = [x, z] if rng.integers(2) else [z, x]
        b.operator(kind, pair, [y], options, fusedActivationFunction=activation(rng))
        return y

    return make


def channel_mul(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    """A map times one factor a channel, as squeeze-and-excite does."""
    gate = mean(rng, b, shape, x)
    y = b.tensor(shape, "int8", scale(rng, -8, -3), zero(rng))
    b.operator("MUL", [gate, x] if rng.integers(2) else [x, gate], [y], "MulOptions")
    return y


def row(kind: str, options: str, power: tuple[float, float]) -> Make:
    """A constant for each channel, or each value of a row of pixels."""

    def make(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
        some = shape[3:] if rng.integers(3) else shape[2:]
        some = ((1,) * int(rng.integers(5 - len(some)))) + some
        z = b.tensor(some, "int8", scale(rng), zero(rng), rng.integers(-128, 128, some))
        y = b.tensor(shape, "int8", scale(rng, *power), zero(rng))
        b.operator(kind, [x, z] if rng.integers(2) else [z, x], [y], options, fusedActivationFunction=activation(rng))
        return y

    return make


def mean(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    y = b.tensor((1, 1, 1, shape[3]), "int8", scale(rng), zero(rng))
    axes = b.tensor((2,), "int32", data=[1, 2])
    b.operator("MEAN", [x, axes], [y], "ReducerOptions", keepDims=True)
    return y


def flat_mean(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    """Without keep_dims, over other axes; half the time at one scale."""
    source = b.tensors[x].quantization
    same = bool(rng.integers(2))
    chosen = [[1, 2], [1], [2], [3], [2, 3]][int(rng.integers(5))]
    left = [size for axis, size in enumerate(shape) if axis not in chosen]
    quantization = (source.scale[0], source.zeroPoint[0]) if same else (scale(rng), zero(rng))
    y = b.tensor(tuple(left), "int8", *quantization)
    b.operator("MEAN", [x, b.tensor((len(chosen),), "int32", data=chosen)], [y], "ReducerOptions", keepDims=False)
    return y


def concat(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    source, axis = b.tensors[x].quantization, int(rng.choice([1, 2, 3, -1]))
    pooled = b.tensor(shape, "int8", source.scale[0], source.zeroPoint[0])
    b.operator("MAX_POOL_2D", [x], [pooled], "Pool2DOptions", strideH=1, strideW=1, filterHeight=2, filterWidth=2)
    out = list(shape)
    out[axis] *= 3
    y = b.tensor(tuple(out), "int8", source.scale[0], source.zeroPoint[0])
    b.operator("CONCATENATION", [x, pooled, x], [y], "ConcatenationOptions", axis=axis)
    return y


def padded(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    source = b.tensors[x].quantization
    around = np.zeros((4, 2), np.int64)
    first = int(rng.integers(1, 4))
    around[first : first + 1 if first == 3 else first + int(rng.integers(1, 3))] = rng.integers(0, 3, 2)
    if first > 1:
        around[1] = 0
    if first == 2 or first == 3:
        around[1:first] = 0
    if shape[1] != 1 and first > 1:
        around[:] = 0
        around[1:3] = rng.integers(0, 3, (2, 2))
    out = tuple(int(n) for n in np.array(shape) + around.sum(axis=1))
    y = b.tensor(out, "int8", source.scale[0], source.zeroPoint[0])
    amounts = b.tensor((4, 2), "int32", data=around)
    value = [b.tensor((1,), "int8", source.scale[0], source.zeroPoint[0], [17])] if rng.integers(2) else []
    b.operator("PADV2" if value else "PAD", [x, amounts, *value], [y], "PadV2Options" if value else "PadOptions")
    return y


def sliced(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    source = b.tensors[x].quantization
    begin, end, steps, out = [0], [1], [1], [1]
    for size in shape[1:]:
        step = int(rng.choice([1, 1, 2, -1]))
        a, z = sorted(rng.integers(0, size + 1, 2).tolist())
        a, z = (a, z) if z > a else (0, size)
        begin.append(a if step > 0 else z - 1)
        end.append(z if step > 0 else a - 1 - (size if a == 0 else 0))
        steps.append(step)
        out.append(len(range(a, z, abs(step))))
    y = b.tensor(tuple(out), "int8", source.scale[0], source.zeroPoint[0])
    values = [b.tensor((4,), "int32", data=data) for data in (begin, end, steps)]
    b.operator("STRIDED_SLICE", [x, *values], [y], "StridedSliceOptions")
    return y


def transposed(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    order = [0, *(rng.permutation(3) + 1).tolist()]
    source = b.tensors[x].quantization
    y = b.tensor(tuple(shape[axis] for axis in order), "int8", source.scale[0], source.zeroPoint[0])
    b.operator("TRANSPOSE", [x, b.tensor((4,), "int32", data=order)], [y], "TransposeOptions")
    return y


def softmax(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    y = b.tensor(shape, "int8", 1 / 256, -128)
    b.operator("SOFTMAX", [x], [y], "SoftmaxOptions", beta=float(rng.choice([1.0, 0.5, 30.0])))
    return y


def unary(kind: str, options: str, output: tuple[float, int] | None, **values: float) -> Make:
    def make(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
        source = b.tensors[x].quantization
        alike = (source.scale[0], source.zeroPoint[0])
        y = b.tensor(shape, "int8", *(output or ((scale(rng), zero(rng)) if kind != "RELU6" else alike)))
        b.operator(kind, [x], [y], options, **values)
        return y

    return make


def reshaped(rng: np.random.Generator, b: Builder, shape: tuple[int, ...], x: int) -> int:
    """Reshape, expand, squeeze, then a layer."""
    source = b.tensors[x].quantization
    alike = (source.scale[0], source.zeroPoint[0])
    count = int(np.prod(shape))
    flat = b.tensor((1, count), "int8", *alike)
    b.operator("RESHAPE", [x, b.tensor((2,), "int32", data=[1, count])], [flat], "ReshapeOptions", newShape=[1, count])
    wide = b.tensor((1, 1, count), "int8", *alike)
    b.operator("EXPAND_DIMS", [flat, b.tensor((1,), "int32", data=[1])], [wide], "ExpandDimsOptions")
    narrow = b.tensor((1, count), "int8", *alike)
    b.operator("SQUEEZE", [wide], [narrow], "SqueezeOptions", squeezeDims=[1])
    return dense(rng, b, (1, count), narrow)


OPERATORS: tuple[tuple[str, Make], ...] = (
    ("conv", conv),
    ("depthwise", depthwise),
    ("dense", dense),
    ("rows_dense", rows_dense),
    ("average_pool", pool("AVERAGE_POOL_2D")),
    ("max_pool", pool("MAX_POOL_2D")),
    ("add", binary("ADD", "AddOptions", (-6, -1))),
    ("mul", binary("MUL", "MulOptions", (-8, -3))),
    ("channel_mul", channel_mul),
    ("row_add", row("ADD", "AddOptions", (-6, -1))),
    ("row_mul", row("MUL", "MulOptions", (-8, -3))),
    ("mean", mean),
    ("flat_mean", flat_mean),
    ("concat", concat),
    ("pad", padded),
    ("slice", sliced),
    ("transpose", transposed),
    ("softmax", softmax),
    ("logistic", unary("LOGISTIC", "", (1 / 256, -128))),
    ("tanh", unary("TANH", "", (1 / 128, 0))),
    ("relu", unary("RELU", "", None)),
    ("relu6", unary("RELU6", "", None)),
    ("leaky_relu", unary("LEAKY_RELU", "LeakyReluOptions", None, alpha=0.3)),
    ("quantize", unary("QUANTIZE", "", None)),
    ("reshape", reshaped),
)


def small_model(name: str, seed: int) -> bytes:
    """A file with the operator called `name` between int8 tensors."""
    rng, b = np.random.default_rng(seed), Builder()
    shape = (1, int(rng.integers(4, 8)), int(rng.integers(4, 8)), int(rng.integers(1, 5)))
    x = b.tensor(shape, "int8", scale(rng), zero(rng))
    y = dict(OPERATORS)[name](rng, b, shape, x)
    return b.file([x], [y])


@pytest.mark.parametrize("name", [name for name, _ in OPERATORS])
def test_operator_gives_the_bytes_of_the_framework(tmp_path: Path, name: str) -> None:
    for seed in range(12):
        file = small_model(name, seed)
        path = tmp_path / f"{name}{seed}.tflite"
        path.write_bytes(file)
        graph = import_file(path).network
        x = random_samples(graph.schema, (), (), 60, np.random.default_rng(seed))
        got = simulate(graph, x)[graph.output].reshape(len(x), -1)
        assert np.array_equal(got, reference(file, x)), f"seed {seed}\n{graph}"
