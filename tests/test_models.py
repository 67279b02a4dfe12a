# SPDX-License-Identifier: MIT
"""The committed integer networks: as accurate on the MNIST test images as the README says, and equal to their C."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from golden import FOLDER

from qnn import toolchain
from qnn.compiler import Build, build_graph, write_build
from qnn.data import LoadOptions, load
from qnn.engines.engine import Engine
from qnn.engines.host import HostEngine
from qnn.engines.interface import interface_of
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.evaluation import evaluate
from qnn.graphfile import load_graph
from qnn.simulator import simulate, tensor_names

IMAGES, TRACED = 10_000, 200
STACK_BYTES = 512


@dataclass(frozen=True)
class Committed:
    """A network in calibration/: how many test images it gets right; its most weight bytes and MACs."""

    name: str
    right: int
    weight_bytes: int
    macs: int


COMMITTED = (Committed("cnn-5k", 9_941, 8_000, 130_000), Committed("cnn-7k", 9_940, 8_000, 150_000))


@dataclass(frozen=True, eq=False)
class Loaded:
    """What is committed as a build in `folder`: the test images and labels, every tensor of the simulator."""

    committed: Committed
    build: Build
    folder: Path
    x: np.ndarray
    y: np.ndarray
    expected: dict[str, np.ndarray]


@pytest.fixture(scope="module", params=COMMITTED, ids=lambda committed: committed.name)
def loaded(request: pytest.FixtureRequest, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A committed network and the MNIST test images."""
    graph = load_graph(FOLDER / request.param.name / "model.qnn")
    data = load("mnist", LoadOptions(data_dir=data_dir))
    assert data.y is not None
    assert len(data.test) == IMAGES
    build, folder, x = build_graph(graph, None, None), tmp_path_factory.mktemp("committed"), data.x[data.test]
    write_build(build, folder)
    return Loaded(request.param, build, folder, x, data.y[data.test], simulate(graph, x, keep=tensor_names(graph)))


def test_accuracy_and_size(loaded: Loaded) -> None:
    """The images that are right are counted exactly; 4 kB hold scratch memory and stack."""
    committed, manifest = loaded.committed, loaded.build.manifest
    assert round(evaluate(loaded.build.graph, loaded.x, loaded.y).score.value * IMAGES) == committed.right
    assert manifest["flash"]["weights"] <= committed.weight_bytes
    assert manifest["macs"] <= committed.macs
    assert manifest["ram"]["scratch"] + STACK_BYTES <= 4096


def test_host(loaded: Loaded) -> None:
    compare(loaded, HostEngine(loaded.folder, interface_of(loaded.build.graph)))


def test_rv32(loaded: Loaded) -> None:
    if not toolchain.rv32_compilers():
        pytest.skip("there is no RV32 compiler on this machine: this test did not run")
    engine = UnicornEngine(loaded.folder, interface_of(loaded.build.graph))
    measurement = engine.measure(loaded.x[:1])
    assert measurement.stack_bytes is not None
    assert measurement.stack_bytes <= STACK_BYTES
    compare(loaded, engine)


def compare(loaded: Loaded, engine: Engine) -> None:
    """Every output of all images, and every layer of TRACED of them."""
    with closing(engine):
        got = engine.run(loaded.x)
        for name in (*(head.name for head in loaded.build.graph.heads), loaded.build.graph.output):
            assert np.array_equal(got[name], loaded.expected[name])
        for name, values in engine.trace(loaded.x[:TRACED]).items():
            assert np.array_equal(values, loaded.expected[name][:TRACED])
