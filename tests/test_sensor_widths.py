# SPDX-License-Identifier: MIT
"""Real sensors at every width: how much of the float network is left; no mismatch, extremes of readings included."""

from __future__ import annotations

import os
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from qnn.calibration import calibrate
from qnn.compiler import compile_model, write_build
from qnn.data import LoadOptions, load
from qnn.data.dataset import Dataset
from qnn.evaluation import evaluate
from qnn.layersqnr import layer_sqnr
from qnn.metrics import Score, score_samples
from qnn.model import Model
from qnn.quantization import lower_model, quantize
from qnn.report.measure import targets_here
from qnn.training import TrainOptions, train
from qnn.verifier import RV32, verify
from qnn.widths import SIXTEEN, widths_named

FOLDER = Path(os.environ.get("QNN_DATA", ""))
AIR, SMOKE = FOLDER / "airquality" / "AirQualityUCI.csv", FOLDER / "smoke" / "train.csv"
THERMISTOR = Path("thermistor")  # built in
UNUSED = ("Date", "Time", "NMHC(GT)", "NOx(GT)", "NO2(GT)", "AH")


@cache
def trained(path: Path) -> tuple[Dataset, Model]:
    """The data and a network that learned from it for a moment."""
    if path == THERMISTOR:
        dataset = load(str(path), LoadOptions())
        model = train(dataset, "dense 16 relu, dense", TrainOptions(epochs=25)).model
        assert model is not None
        return dataset, model
    if not path.is_file():
        pytest.skip(f"{path} is not there (QNN_DATA names its folder's parent): this test did not run")
    if path == AIR:
        gases = ("C6H6(GT)", "CO(GT)")
        options = LoadOptions(
            label=gases, missing=("-200",), drop_columns=UNUSED, drop_missing=True, split="chronological"
        )
        net, epochs = "dense 16 tanh, dense 8 relu, dense", 25
    else:
        options, net, epochs = LoadOptions(), "dense 8 relu, dense 4 relu, dense", 6
    dataset = load(path, options)
    model = train(dataset, net, TrainOptions(epochs=epochs)).model
    assert model is not None
    return dataset, model


def scores(path: Path, bits: str) -> tuple[Score, Score]:
    """Of the float network and of the integer one of this width, on the test part."""
    dataset, model = trained(path)
    assert dataset.y is not None
    x, y = dataset.x[dataset.test], dataset.y[dataset.test]
    graph = quantize(model, calibrate(model, model.samples), "net", (), widths_named(bits))
    return score_samples(model, x, y), evaluate(graph, x, y).score


@pytest.mark.parametrize(("bits", "lost"), [("8", 0.01), ("w8a16", 0.01), ("16", 0.001)])
def test_air_quality_keeps_its_r2(bits: str, lost: float) -> None:
    real, found = scores(AIR, bits)
    for reference, target in zip(real.targets, found.targets, strict=True):
        assert reference.r2 is not None
        assert target.r2 is not None
        assert reference.r2 > 0.8
        assert target.r2 >= reference.r2 - lost


@pytest.mark.parametrize(("bits", "points"), [("8", 0.5), ("w8a16", 0.05), ("16", 0.02)])
def test_smoke_keeps_its_accuracy(bits: str, points: float) -> None:
    real, found = scores(SMOKE, bits)
    assert real.value > 0.98
    assert found.value >= real.value - points / 100


@pytest.mark.parametrize("bits", ["8", "w8a16", "w16a8", "16"])
@pytest.mark.parametrize("path", [AIR, SMOKE, THERMISTOR], ids=["air quality", "smoke", "thermistor"])
def test_no_mismatch_with_any_extreme(path: Path, bits: str, tmp_path: Path) -> None:
    """Every feature at either end of int32 while the others are ordinary, all of them together, and ordinary rows."""
    _, model = trained(path)
    ends = np.iinfo(np.int32)
    ordinary = model.samples[:32]
    features = ordinary.shape[1]
    one = np.repeat(ordinary[:1], 2 * features, axis=0)
    for index, (feature, end) in enumerate(product(range(features), (ends.min, ends.max))):
        one[index, feature] = end
    rng = np.random.default_rng(3)
    all_ = rng.choice(np.array([ends.min, ends.max], np.int32), (64, features))
    write_build(compile_model(model, calibrate(model, model.samples), "net", widths=widths_named(bits)), tmp_path)
    found = verify(tmp_path, np.concatenate([ordinary, one, all_]), targets_here(), layers=True)
    assert found.ok
    assert found.mismatches == 0
    if RV32 not in {target.target for target in found.targets}:
        pytest.skip("no RV32 compiler or emulator on this machine: only the host was compared")


@pytest.mark.parametrize("path", [AIR, SMOKE], ids=["air quality", "smoke"])
def test_readings_of_16_bits_mean_what_they_should(path: Path) -> None:
    """Half a step of 65,536 off at most; one step more would take 10 dB."""
    _, model = trained(path)
    lowered = lower_model(model, calibrate(model, model.samples), "net", (), SIXTEEN)
    assert dict(layer_sqnr(lowered, model.samples))["quantized"] > 85
