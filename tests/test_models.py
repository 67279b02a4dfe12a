# SPDX-License-Identifier: MIT
"""The committed integer networks: as accurate on the MNIST test images as the README says, and equal to their C."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from golden import FOLDER

from qnn import toolchain
from qnn.calibration import calibrate
from qnn.compiler import Build, build_graph, write_build
from qnn.data import LoadOptions, load
from qnn.engines.engine import Engine
from qnn.engines.host import HostEngine
from qnn.engines.interface import interface_of
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.evaluation import evaluate
from qnn.graphfile import load_graph
from qnn.metrics import score_samples
from qnn.modelfile import load_model
from qnn.quantization import quantize
from qnn.rounding import BEST, rounded
from qnn.simulator import simulate, tensor_names
from qnn.widths import widths_named

IMAGES, TRACED = 10_000, 200
STACK_BYTES = 512


@dataclass(frozen=True)
class Committed:
    """A network in calibration/: how many test images it gets right; its most weight bytes and MACs.

    ram: most bytes of scratch memory and stack. instructions: the most on RV32 for the first images; 0: not promised.
    emulated: how many images RV32 code answers here; this machine's answers all of them.
    """

    name: str
    right: int
    weight_bytes: int
    macs: int
    ram: int = 4096
    instructions: int = 0
    emulated: int = 2_000


COMMITTED = (
    Committed("cnn-5k", 9_941, 8_000, 130_000),
    Committed("cnn-7k", 9_940, 8_000, 150_000),
    Committed("cnn-5k-w4", 9_940, 3_064, 112_000, 4_800),
    Committed("cnn-1k-w4", 9_764, 992, 8_100, 4_096, 34_000, IMAGES),
    Committed("cnn-3k-w4", 9_936, 2_816, 86_000, 4_352, 265_000),
    Committed("cnn-4k-w4", 9_930, 4_376, 74_000, 4_096, 214_000),
    Committed("cnn-6k-w4", 9_963, 6_648, 211_000, 6_144, 550_000),
    Committed("cnn-9k-w4", 9_964, 9_040, 304_000, 6_944, 807_000),
)


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
    """The images that are right are counted exactly; so much holds scratch memory and stack."""
    committed, manifest = loaded.committed, loaded.build.manifest
    assert round(evaluate(loaded.build.graph, loaded.x, loaded.y).score.value * IMAGES) == committed.right
    assert manifest["flash"]["weights"] <= committed.weight_bytes
    assert manifest["macs"] <= committed.macs
    assert manifest["ram"]["scratch"] + STACK_BYTES <= committed.ram


def test_host(loaded: Loaded) -> None:
    compare(loaded, HostEngine(loaded.folder, interface_of(loaded.build.graph)), IMAGES)


def test_rv32(loaded: Loaded) -> None:
    if not toolchain.rv32_compilers():
        pytest.skip("there is no RV32 compiler on this machine: this test did not run")
    engine = UnicornEngine(loaded.folder, interface_of(loaded.build.graph))
    measurement = engine.measure(loaded.x[:16] if loaded.committed.instructions else loaded.x[:1])
    assert not loaded.committed.instructions or measurement.instructions.max() <= loaded.committed.instructions
    assert measurement.stack_bytes is not None
    assert measurement.stack_bytes <= STACK_BYTES
    compare(loaded, engine, loaded.committed.emulated)


def compare(loaded: Loaded, engine: Engine, images: int) -> None:
    """Every output of the first images, and every layer of TRACED of them."""
    with closing(engine):
        got = engine.run(loaded.x[:images])
        for name in (*(head.name for head in loaded.build.graph.heads), loaded.build.graph.output):
            assert np.array_equal(got[name], loaded.expected[name][:images])
        for name, values in engine.trace(loaded.x[:TRACED]).items():
            assert np.array_equal(values, loaded.expected[name][:TRACED])


def test_four_bits_without_training(data_dir: Path) -> None:
    """Rounded on 512 training images, the network of 99.36 % loses less than a tenth of a point."""
    model = load_model(Path(__file__).parent / "models" / "mnist-cnn-7k.qnn")
    data = load("mnist", LoadOptions(data_dir=data_dir))
    assert data.y is not None
    model = replace(model, samples=data.x[data.train[:: len(data.train) // 512][:512]])
    scales, x, y = calibrate(model, model.samples), data.x[data.test], data.y[data.test]
    found = rounded(model, scales, widths_named("w4a8"), BEST)
    right = evaluate(quantize(found.model, found.scales, "w4", (), found.widths), x, y).score.value
    assert score_samples(model, x, y).value - right < 0.001
