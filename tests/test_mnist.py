# SPDX-License-Identifier: MIT
"""The main job on real input: 784-64-10 trained on MNIST, compiled, and equal in every output of all test images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from qnn import toolchain
from qnn.calibration import calibrate
from qnn.compiler import Build, compile_model, write_build
from qnn.data import LoadOptions, load
from qnn.engines.host import SANITIZED, HostEngine
from qnn.engines.interface import interface_of
from qnn.engines.job import QUANTIZED_RUN
from qnn.evaluation import evaluate
from qnn.metrics import score
from qnn.simulator import define, simulate
from qnn.toolchain import CLANG, GCC, ZIG, Compiler
from qnn.training import TrainOptions, train
from qnn.verifier import verify

IMAGES, CLASSES = 10_000, 10
NAME = "mnist"


@dataclass(frozen=True, eq=False)
class Trained:
    """One epoch's model, built in `folder`: the test images and labels, the float accuracy."""

    build: Build
    folder: Path
    x: np.ndarray
    y: np.ndarray
    float_accuracy: float


@pytest.fixture(scope="module")
def trained(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """784-64-10 after one epoch."""
    data = load("mnist", LoadOptions(data_dir=data_dir))
    model = train(data, "dense 64 relu, dense 10", TrainOptions(epochs=1)).model
    assert model is not None
    build = compile_model(model, calibrate(model, model.samples), NAME)
    folder = tmp_path_factory.mktemp("mnist")
    write_build(build, folder)
    assert data.y is not None
    return Trained(build, folder, data.x[data.test], data.y[data.test], score(model, data, data.test).value)


def compiler_of(kind: str, compilers: Sequence[Compiler]) -> Compiler:
    """The first compiler of a family; the test is skipped, loudly, where there is none."""
    compiler = next((found for found in compilers if found.kind == kind), None)
    if compiler is None:
        pytest.skip(f"no such {kind} on this machine: this test did not run")
    return compiler


def test_int8_is_within_a_tenth_of_a_point_of_float(trained: Trained) -> None:
    quantized = evaluate(trained.build.graph, trained.x, trained.y)
    assert quantized.score.samples == IMAGES
    assert trained.float_accuracy > 0.95
    assert quantized.score.value >= trained.float_accuracy - 0.001


def test_simulator_equals_the_plain_definition(trained: Trained) -> None:
    found = simulate(trained.build.graph, trained.x)
    plain = define(trained.build.graph, trained.x)
    assert found[trained.build.graph.output].shape == (IMAGES, CLASSES)
    for name, values in found.items():
        np.testing.assert_array_equal(values, plain[name])


@pytest.mark.parametrize("kind", [GCC, ZIG])
def test_rv32_equals_the_simulator(kind: str, trained: Trained) -> None:
    """All images by the preferred compiler, every tenth by another one."""
    pytest.importorskip("unicorn")
    compilers = toolchain.rv32_compilers()
    compiler = compiler_of(kind, compilers)
    x = trained.x if compiler == compilers[0] else trained.x[::10]
    found = verify(trained.folder, x, ("rv32",), rv32=compiler)
    assert (found.samples, found.outputs) == (len(x), len(x) * CLASSES)
    (rv32,) = found.targets
    assert (rv32.mismatches, rv32.first, rv32.crash) == (0, None, "")
    assert rv32.instructions is not None
    assert rv32.instructions.maximum <= 260_000


@pytest.mark.parametrize(
    ("kind", "flags", "program"),
    [(GCC, ("-O0", *SANITIZED), True), (GCC, ("-O2",), False), (CLANG, ("-O2",), False)],
    ids=["gcc -O0 with UBSan", "gcc -O2", "clang -O2"],
)
def test_host_compilers(kind: str, flags: tuple[str, ...], program: bool, trained: Trained) -> None:
    graph, x = trained.build.graph, trained.x
    expected = simulate(graph, x)
    compiler = compiler_of(kind, toolchain.host_compilers())
    with closing(HostEngine(trained.folder, interface_of(graph), compiler, flags, program)) as engine:
        found = engine.run(x, x)  # pixels are their own quantized values
    assert set(found) == {*expected, QUANTIZED_RUN}
    expected[QUANTIZED_RUN] = expected[graph.output]
    for name, values in found.items():
        assert len(values) == IMAGES
        np.testing.assert_array_equal(values, expected[name])
