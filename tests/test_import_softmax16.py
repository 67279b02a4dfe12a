# SPDX-License-Identifier: MIT
"""SOFTMAX of 16 bits gives the values of TensorFlow Lite Micro on every distance, of rows of every spread, and in C."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_import_int16 import imported, tensor
from tflitemodels import Builder, reference

from qnn.compiler import emit
from qnn.errors import QnnError
from qnn.ops.choices import Choices
from qnn.simulator import simulate
from qnn.verifier import verify


def softmax_model(classes: int, step: float, beta: float = 1.0, result: float = 2**-15) -> bytes:
    b = Builder()
    x, y = tensor(b, (1, classes), step), tensor(b, (1, classes), result)
    b.operator("SOFTMAX", [x], [y], "SoftmaxOptions", beta=beta)
    return b.file([x], [y])


@pytest.mark.parametrize("step", [10 / 65535, 1 / 32768, 0.0003, 0.02, 2.4, 7e-9])
@pytest.mark.parametrize("classes", [1, 2, 10, 300])
def test_softmax_of_rows_of_every_spread(tmp_path: Path, classes: int, step: float) -> None:
    """Rows close together, far apart, of one value, and at both ends; of two classes every distance there is."""
    rng = np.random.default_rng(classes)
    x = rng.integers(-32768, 32768, (90, classes)) * 2.0 ** -rng.uniform(0, 15, (90, 1))
    x[:3], x[3] = np.array([[-32768], [32767], [5]]), rng.choice([-32768, 32767], classes)
    if classes == 2:
        x = np.stack([np.full(65536, 32767), np.arange(-32768, 32768)], axis=1)
    rows = x.astype(np.int16)
    for beta in (1.0, 0.7):
        file = softmax_model(classes, step, beta)
        graph = imported(tmp_path / "m.tflite", file)
        assert np.array_equal(simulate(graph, rows)[graph.output].reshape(rows.shape), reference(file, rows))


@pytest.mark.parametrize("steady", [False, True])
@pytest.mark.parametrize("classes", [1, 2, 10, 300])
def test_softmax_in_c(tmp_path: Path, classes: int, steady: bool) -> None:
    pytest.importorskip("unicorn")
    graph = imported(tmp_path / "m.tflite", softmax_model(classes, 0.0003))
    emit(replace(graph, choices=Choices(constant_time=steady)), tmp_path / "b")
    rng = np.random.default_rng(classes)
    x = rng.integers(-32768, 32768, (40, classes)) * 2.0 ** -rng.uniform(0, 15, (40, 1))
    x[:2] = np.array([[-32768], [32767]])
    assert verify(tmp_path / "b", x.astype(np.int16).reshape(-1, *graph.input.shape), ("host", "rv32")).ok


def test_softmax_has_bounds(tmp_path: Path) -> None:
    for file, problem in (
        (softmax_model(4, 0.001, result=2**-14), "output of scale"),
        (softmax_model(4, 0.001, beta=0.0), "input of scale"),
        (softmax_model(4, 4e-9), "input of scale"),
        (softmax_model(4, 2.6), "input of scale"),
    ):
        with pytest.raises(QnnError, match=problem):
            imported(tmp_path / "m.tflite", file)
