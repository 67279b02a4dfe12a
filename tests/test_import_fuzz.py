# SPDX-License-Identifier: MIT
"""Mutated model files give a clean error or a graph that runs: never a traceback, for a bounded number of tries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnxmodels import Net
from test_import_onnx import exported
from test_import_operators import small_model

from qnn.data.synthetic import random_samples
from qnn.errors import QnnError
from qnn.forward import forward
from qnn.graph import Graph
from qnn.importing.load import import_file
from qnn.simulator import simulate

BOUNDED = settings(max_examples=150, suppress_health_check=list(HealthCheck))
SEEDS = ("conv", "dense", "concat", "pad", "slice", "transpose", "softmax", "flat_mean", "add", "logistic", "reshape")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    """Sound files by suffix."""
    net, path = Net(), tmp_path_factory.mktemp("onnx") / "net.onnx"
    net.save(path, (1, 8, 8), exported(net), 10)
    return [*((".tflite", small_model(name, 1)) for name in SEEDS), (".onnx", path.read_bytes())]


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
