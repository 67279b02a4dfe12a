# SPDX-License-Identifier: MIT
"""Mutated model files give a clean error or a graph that runs: never a traceback, for a bounded number of tries."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnxmodels import Net, QuantizedNet
from test_import_int16 import wide_model
from test_import_onnx import exported
from test_import_operators import small_model
from test_import_qdq import operator_file
from tflitemodels import Builder

from qnn.data.synthetic import random_samples
from qnn.errors import QnnError
from qnn.forward import forward
from qnn.graph import Graph
from qnn.importing.load import import_file
from qnn.simulator import simulate

BOUNDED = settings(max_examples=250, suppress_health_check=list(HealthCheck))
SEEDS = ("conv", "dense", "concat", "pad", "slice", "transpose", "softmax", "flat_mean", "add", "logistic", "reshape")

WIDE_SEEDS = ("conv", "long_dense", "add", "tanh", "softmax", "row_mul")
QUANTIZED_SEEDS = ("Conv Relu", "Gemm", "Add", "Concat", "Transpose", "Softmax", "AveragePool", "BatchNormalization")
SECONDS = 30  # of a refusal, at most; the largest tries take one or two


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    """Sound files by suffix."""
    net, path = Net(), tmp_path_factory.mktemp("onnx") / "net.onnx"
    net.save(path, (1, 8, 8), exported(net), 10)
    sound = [(".tflite", small_model(name, 1)) for name in SEEDS] + [(".onnx", path.read_bytes())]
    sound += [(".tflite", wide_model(name, 1)) for name in WIDE_SEEDS]
    return sound + [(".onnx", operator_file(path, name, 1).read_bytes()) for name in QUANTIZED_SEEDS]


@given(st.integers(0, 1 << 30))
@BOUNDED
def test_mutated_files(files: list[tuple[str, bytes]], tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = np.random.default_rng(seed)
    suffix, sound = files[int(rng.integers(len(files)))]
    path = tmp_path_factory.mktemp("m") / f"model{suffix}"
    path.write_bytes(mutated(rng, sound))
    check(path)


def mutated(rng: np.random.Generator, sound: bytes) -> bytes:
    """The file with some bytes changed, cut short, or words of it repeated elsewhere."""
    data = bytearray(sound)
    for _ in range(int(rng.integers(1, 6))):
        at, choice = int(rng.integers(len(data))), int(rng.integers(5))
        if choice == 0:
            data[at] = int(rng.integers(256))
        elif choice == 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif choice == 2:
            data[at : at + 4] = int(rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 65536])).to_bytes(4, "little")
        elif choice == 3:
            start = int(rng.integers(len(data)))
            data[at : at + 4] = data[start : start + 4]
        elif rng.integers(4) == 0:
            del data[at:]
            data = data or bytearray(b"\0")
    return bytes(data)


def refused(path: Path, problem: str) -> None:
    """A clean error, soon."""
    start = time.monotonic()
    with pytest.raises(QnnError, match=problem):
        import_file(path)
    assert time.monotonic() - start < SECONDS


def test_more_work_than_a_chip_does_is_refused(tmp_path: Path) -> None:
    b, size = Builder(), (1, 512, 512, 16)
    tensors = [b.tensor(size, "int8", 0.1, 0) for _ in range(300)]
    w = b.tensor((16, 3, 3, 16), "int8", 0.1, 0, np.ones((16, 3, 3, 16)))
    for x, y in itertools.pairwise(tensors):
        steps = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
        b.operator("CONV_2D", [x, w, -1], [y], "Conv2DOptions", **steps)
    (tmp_path / "m.tflite").write_bytes(b.file([tensors[0]], [tensors[-1]]))
    refused(tmp_path / "m.tflite", "operations an inference, more than")


def test_dilated_kernels_do_not_add_up(tmp_path: Path) -> None:
    b, size = Builder(), (1, 64, 64, 128)
    tensors = [b.tensor(size, "int8", 0.1, 0) for _ in range(100)]
    w = b.tensor((1, 2, 2, 128), "int8", [0.1] * 128, 0, np.ones((1, 2, 2, 128)), 3)
    for x, y in itertools.pairwise(tensors):
        steps = {"strideH": 1, "strideW": 1, "dilationHFactor": 63, "dilationWFactor": 63, "depthMultiplier": 1}
        b.operator("DEPTHWISE_CONV_2D", [x, w, -1], [y], "DepthwiseConv2DOptions", **steps)
    (tmp_path / "m.tflite").write_bytes(b.file([tensors[0]], [tensors[-1]]))
    refused(tmp_path / "m.tflite", "more than")


def test_tensors_that_share_a_buffer_do_not_add_up(tmp_path: Path) -> None:
    b = Builder()
    x, y = b.tensor((1, 4), "int8", 0.5, 3), b.tensor((1, 4), "int8", 0.25, -7)
    large = b.tensor((1 << 21,), "int8", data=np.zeros(1 << 21))
    for _ in range(200):
        b.tensors[b.tensor((1 << 21,), "int8")].buffer = b.tensors[large].buffer
    b.operator("RELU", [x], [y])
    (tmp_path / "m.tflite").write_bytes(b.file([x], [y]))
    refused(tmp_path / "m.tflite", "constants of")


def test_constants_that_double_are_refused(tmp_path: Path) -> None:
    net = Net()
    name = net.constant(np.arange(8))
    for _ in range(60):
        name = net.node("Concat", [name, name], axis=0)
    net.save(tmp_path / "m.onnx", (4,), net.node("Gemm", ["x", net.node("Reshape", [name, name])]), 4)
    refused(tmp_path / "m.onnx", ".")


def test_constants_that_are_quantized_again_and_again_are_refused(tmp_path: Path) -> None:
    net = QuantizedNet(1, "uint8")
    values = net.typed(np.zeros((1 << 21,), np.int8))
    for _ in range(20):
        net.node("DequantizeLinear", [values, net.typed(np.float32(1)), net.typed(np.int8(0))])
    refused(net.file(tmp_path / "m.onnx", net.pair(net.node("Relu", [net.x]), 0.1)), "brings constants to")


def check(path: Path) -> None:
    """A clean error, or a network that computes."""
    try:
        network = import_file(path).network
    except QnnError as error:
        told = str(error)
    else:
        told = ""
    assert "\n" not in told
    if told:
        return
    x = random_samples(network.schema, (), (), 3, np.random.default_rng(0))
    if isinstance(network, Graph):
        assert simulate(network, x)[network.output].shape[0] == 3
    else:
        forward(network, x)


@pytest.mark.parametrize("name", SEEDS)
def test_files_cut_short(name: str, tmp_path: Path) -> None:
    sound = small_model(name, 1)
    for length in range(0, len(sound), max(len(sound) // 25, 1)):
        (tmp_path / "m.tflite").write_bytes(sound[:length])
        check(tmp_path / "m.tflite")
