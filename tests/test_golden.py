# SPDX-License-Identifier: MIT
"""The committed examples build to the same bytes, give the same outputs and score as they should, without training."""

from __future__ import annotations

import json

import numpy as np
import pytest
from golden import EXAMPLES, FOLDER, golden

from qnn.calibration import calibrate
from qnn.modelfile import load_model
from qnn.scales import load_scales, scales_bytes


@pytest.mark.parametrize("name", EXAMPLES)
def test_builds_reproduce(name: str) -> None:
    assert golden(name) == json.loads((FOLDER / name / "golden.json").read_text())


@pytest.mark.parametrize("name", EXAMPLES)
def test_committed_scales_are_what_calibration_finds(name: str) -> None:
    model = load_model(FOLDER / name / "model.qnn")
    assert scales_bytes(calibrate(model, model.samples)) == (FOLDER / name / "scales.json").read_bytes()


def test_examples_score_as_they_should() -> None:
    assert json.loads((FOLDER / "digits" / "golden.json").read_text())["accuracy"] >= 0.97
    assert json.loads((FOLDER / "thermistor" / "golden.json").read_text())["rmse"] <= 1.2


def test_committed_mnist_scales_are_whole() -> None:
    scales = load_scales(FOLDER / "mnist" / "scales.json")
    assert [tensor.name for tensor in scales.tensors] == ["dense1", "relu1", "dense2"]
    assert np.all([tensor.range.high > 0 for tensor in scales.tensors])
