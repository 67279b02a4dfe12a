# SPDX-License-Identifier: MIT
"""What is told of lost precision: the table of layers, the collapse, the errors of a regression beside a baseline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from learnable import curve, readings

from qnn.data.steinhart import celsius_by, steinhart_hart
from qnn.data.thermistor import thermistor
from qnn.fidelity import Fidelity, coarse_text, remedy
from qnn.metrics import score_of
from qnn.model import Model
from qnn.modelfile import save_model
from qnn.report.figures.residuals import residual_plots
from qnn.report.residuals import SHOWN, residuals
from qnn.training import TrainOptions, train

FINE = Fidelity(100, 40.0, 0.0, None, 0.0, None)


def collapsing() -> Model:
    """A classifier in which one weight of the last layer's row sets so large a step that 8 bits lose all others.

    A hidden unit that is always 1 is what the weight multiplies, and the bias takes it back: float notices nothing.
    """
    result = train(readings(classes=2), "dense 6 relu, dense 1", TrainOptions(epochs=30))
    assert result.model is not None
    first, relu, last = result.model.nodes
    weights, bias = (array.copy() for array in first.parameters)
    weights[0], bias[0] = 0.0, 1.0
    outer, shift = (array.copy() for array in last.parameters)
    shift -= np.float32(300.0) - outer[:, 0]
    outer[0, 0] = 300.0
    nodes = (replace(first, parameters=(weights, bias)), relu, replace(last, parameters=(outer, shift)))
    return replace(result.model, nodes=nodes)


def test_reasons_for_a_collapse() -> None:
    assert FINE.collapse == ()
    assert coarse_text(FINE, (), "8") is None
    assert len(replace(FINE, drop=0.0101).collapse) == 1
    assert replace(FINE, drop=0.01).collapse == ()
    assert len(replace(FINE, one_class=0.99).collapse) == 1
    assert replace(FINE, one_class=0.9).collapse == ()
    assert len(replace(FINE, sqnr_db=9.9).collapse) == 1
    text = coarse_text(replace(FINE, sqnr_db=3.0), (("dense1", 30.0), ("dense2", 3.0)), "8")
    assert text is not None
    assert text.startswith("COLLAPSE: 8 bits")
    assert "dense2 is the first below 20 dB" in text
    assert "--bits w8a16, 16 or mixed" in text


@pytest.mark.parametrize(
    ("bits", "weight_bits", "advice"),
    [
        ("8", "ternary", "train it for them with --qat"),
        ("8", "first=8,4", "train it for them with --qat"),
        ("w4a8", None, "give single layers more (--weight-bits first=8,4), or say --bits mixed"),
        ("w8a4", None, "train it for them with --qat"),
        ("8", "8", "--bits w8a16, 16 or mixed are finer; or calibrate on more samples"),
        ("16", None, "calibrate on more samples"),
        ("mixed", None, "a smaller --max-drop or wider limits leave it more bits; or calibrate"),
        ("trained", None, "train with --qat for longer"),
    ],
)
def test_remedies_fit_the_widths(bits: str, weight_bits: str | None, advice: str) -> None:
    assert remedy(bits, weight_bits).startswith(advice) or remedy(bits, weight_bits).endswith(advice)
    text = coarse_text(replace(FINE, sqnr_db=3.0), (), bits, weight_bits)
    assert text is not None
    assert text.endswith(remedy(bits, weight_bits))


def test_a_collapse_is_told_and_wider_weights_are_its_remedy(
    tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(collapsing(), Path("m.qnn"))
    code, out, err = qnn("compile", "m.qnn", "--json")
    assert code == 0
    assert "COLLAPSE: 8 bits" in err
    assert "--bits w8a16, 16 or mixed are finer" in err
    document = json.loads(out)
    assert document["fidelity"]["collapse"]
    assert [entry["tensor"] for entry in document["sqnr"]] == ["quantized", "dense1", "dense2"]
    code, out, err = qnn("compile", "m.qnn", "--bits", "16")
    assert (code, "COLLAPSE" in err) == (0, False)
    for text in ("Where precision is lost", "quantized", "dense2", "int16"):
        assert text in out


def test_errors_of_targets() -> None:
    schema = curve().schema
    y = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    answers = y + np.array([[0.0, 1.0], [-3.0, 1.0], [0.0, 1.0]])
    first, second = score_of(schema, answers, y).targets
    assert (first.rmse, first.mae, first.maximum) == (pytest.approx(3**0.5), 1.0, 3.0)
    assert first.r2 == pytest.approx(1 - 9 / 8)
    assert (second.mae, second.maximum, second.r2) == (1.0, 1.0, None)


def test_residual_plots() -> None:
    y = np.linspace(-3, 9, 5 * SHOWN)[:, None]
    found = residuals(("a <b>",), y + 0.25, y)
    assert len(found[0]["values"]) == len(found[0]["errors"]) == SHOWN
    assert (found[0]["values"][0], found[0]["values"][-1]) == (-3, 9)
    assert set(found[0]["errors"]) == {0.25}
    page = residual_plots((("float", found), ("8", residuals(("a <b>",), y, y))))
    assert page.count("<svg") == 2
    assert page.count("h0") == 2 * SHOWN
    assert page.count("+0.25") == 2  # one scale for both
    assert "a <b>" not in page
    assert residual_plots(()) == ""
    assert "nan" not in residual_plots((("float", residuals(("t",), y[:1], y[:1])),))


def test_steinhart_hart_finds_its_own_coefficients() -> None:
    x = thermistor().x
    real = np.array([1.1e-3, 2.3e-4, 9e-8])
    assert steinhart_hart(x, celsius_by(real, x)) == pytest.approx(real, rel=1e-6)
    ends = np.array([[0, 0, 0, 0, 0], [4095, 0, 0, 0, 0], [4095, 0, 4095, 0, 0]], np.int32)
    assert np.isfinite(celsius_by(real, ends)).all()


def test_the_network_beats_the_equation_and_the_report_shows_both(
    tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """16 bits within 2 % of float's rmse, below that of Steinhart-Hart on the same noisy readings."""
    monkeypatch.chdir(tmp_path)
    words = ("train", "thermistor", "--net", "dense 16 relu, dense 16 relu, dense", "--epochs", "120", "-o", "t.qnn")
    assert qnn(*words, "--quiet")[0] == 0
    code, out, _ = qnn("report", "t.qnn", "--bits", "8,16", "-o", "r")
    assert code == 0
    for text in ("Steinhart-Hart", "mean error of temperature", "largest error of temperature"):
        assert text in out
    document = json.loads(Path("r.json").read_text())
    eight, sixteen = document["rows"]
    assert sixteen["rmse"] <= 1.02 * document["float"]["rmse"]
    assert sixteen["rmse"] < document["baseline"]["rmse"]
    assert eight["mismatches"] == sixteen["mismatches"] == 0
    page = Path("r.html").read_text()
    assert page.count("Residuals of temperature") == 4
    for text in ("Steinhart-Hart", "Precision: 8 bits", "Residuals", "largest error"):
        assert text in page
