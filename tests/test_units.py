# SPDX-License-Identifier: MIT
"""--unit: values leave in the decimal unit that was asked for, or the user hears why they cannot."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from learnable import curve, readings

from qnn.calibration import calibrate
from qnn.compiler import Build, compile_model, write_build
from qnn.errors import QnnError
from qnn.evaluation import answers_of
from qnn.graph import VALUE
from qnn.model import Model
from qnn.modelfile import save_model
from qnn.ops.rescale import Rescale, encode_line
from qnn.simulator import simulate
from qnn.training import TrainOptions, train
from qnn.units import unit_text, wanted_units
from qnn.verifier import verify


@pytest.fixture(scope="module")
def model() -> Model:
    """A network with two values, one around 500, one around -0.5."""
    result = train(curve(), "dense 8 relu, dense", TrainOptions(epochs=20))
    assert result.model is not None
    return result.model


def build(model: Model, text: str | None) -> Build:
    return compile_model(model, calibrate(model, model.samples), "net", units=wanted_units(text, model.schema))


def test_values_are_integers_of_the_unit(model: Model, tmp_path: Path) -> None:
    """The unit changes the last step alone."""
    fine, coarse = build(model, None), build(model, "t0=0.1, t1=1e-4")
    tensors = {name: simulate(b.graph, model.samples) for name, b in (("fine", fine), ("coarse", coarse))}
    assert np.array_equal(tensors["fine"][fine.graph.output], tensors["coarse"][coarse.graph.output])
    answers = [answers_of(b.graph, tensors[name]) for name, b in (("fine", fine), ("coarse", coarse))]
    assert (np.abs(answers[0] - answers[1]).max(axis=0) <= (0.0505, 0.000055)).all()
    assert np.array_equal(np.rint(answers[1][:, 0] * 10), tensors["coarse"][VALUE][:, 0])
    assert [value["decimals"] for value in coarse.manifest["values"]] == [1, 4]
    header = dict(coarse.files)["net.h"].decode()
    assert "t0 in units of 1e-1" in header
    assert "t1 in units of 1e-4" in header
    write_build(coarse, tmp_path)
    assert verify(tmp_path, model.samples[:16], ("host",), layers=True).ok


@pytest.mark.parametrize("text", [None, "0.01", "t0=10,t1=0.001", "t0=1e-4,t1=1e-6"])
def test_every_value_is_the_nearest_integer(model: Model, text: str | None) -> None:
    """Offset and steps are rounded together, half up: all 65,536 values of each output, in exact fractions."""
    graph = build(model, text).graph
    op, kind = graph.node(VALUE).op, graph.type_of(graph.output)
    assert isinstance(op, Rescale)
    x = np.arange(-32768, 32768)
    values = op.reference((np.repeat(x[:, None], 2, axis=1),))
    scales, offsets = model.normalization.target_scale.tolist(), model.normalization.target_offset.tolist()
    for index, decimals in enumerate(op.decimals.tolist()):
        unit = Fraction(10) ** decimals
        step, offset = Fraction(kind.scale) * Fraction(scales[index]) * unit, Fraction(offsets[index]) * unit
        exact = [step * q + offset for q in x.tolist()]
        for value, real in zip(values[:, index].tolist(), exact, strict=True):
            # A factor has 31 bits and x 16, so that what decides is nearer to a half than 2**-16 of a step.
            assert abs(value - real) <= Fraction(1, 2) + step / (1 << 15)


def test_encoded_lines(rng: np.random.Generator) -> None:
    """Whatever factor and offset: the value is within 2**-15 of half a unit, or of the factor's 31 bits."""
    for _ in range(300):
        factor = Fraction(2.0 ** float(rng.uniform(-40, 12)))
        offset = Fraction(float(rng.uniform(-1, 1)) * 2.0 ** float(rng.uniform(-20, 28)))
        multiplier, constant, shift, prescale = encode_line(factor, offset)
        assert 0 <= multiplier < 1 << 31
        assert abs(constant) <= 1 << 62
        for x in (-32768, -1, 0, 1, 777, 32767):
            value = ((x << prescale) * multiplier + constant) >> (32 + shift)
            assert abs(value - (factor * x + offset)) <= Fraction(1, 2) + Fraction(1, 1 << 15) + factor / (1 << 15)


def test_one_unit_for_all_or_for_one(model: Model) -> None:
    assert wanted_units("0.01", model.schema) == (2, 2)
    assert wanted_units("t1=10", model.schema) == (None, -1)
    default = [value["decimals"] for value in build(model, None).manifest["values"]]
    assert [value["decimals"] for value in build(model, "t1=0.01").manifest["values"]] == [default[0], 2]


def test_what_cannot_be_is_told_with_the_nearest_that_can(model: Model) -> None:
    for text, problem in (("t0=1e-9", "too fine"), ("1000", "too coarse"), ("0.5", "no"), ("t7=1", "t7")):
        with pytest.raises(QnnError) as error:
            build(model, text)
        assert problem in str(error.value)
    with pytest.raises(QnnError) as error:
        build(model, "t0=1e-9")
    nearest = error.value.remedy.split()[1]
    assert build(model, f"t0={nearest}").manifest["values"][0]["decimals"] > 0
    with pytest.raises(QnnError, match="too fine"):
        build(model, f"t0={float(nearest) / 10:g}")
    with pytest.raises(QnnError, match="a classifier has none"):
        wanted_units("1", readings().schema)


@pytest.mark.parametrize(("decimals", "text"), [(3, "0.001"), (0, "1"), (-2, "100"), (9, "1e-9"), (-8, "1e8")])
def test_units_as_text(decimals: int, text: str) -> None:
    assert unit_text(decimals) == text


def test_the_command(model: Model, tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(model, Path("m.qnn"))
    code, out, _ = qnn("compile", "m.qnn", "--unit", "0.01", "--json")
    assert code == 0
    assert [value["decimals"] for value in json.loads(out)["values"]] == [2, 2]
    before = Path("build/m.h").read_bytes()
    for words in (("m.qnn", "--unit", "1e-12"), ("build/model.qnn", "--unit", "1", "-o", "other")):
        code, _, err = qnn("compile", *words)
        assert (code, err.count("\n")) == (2, 1)
        assert "--unit" in err
    assert Path("build/m.h").read_bytes() == before
    assert qnn("compile", "m.qnn", "--unit", "0.01", "--bits", "mixed", "-o", "mixed", "--json")[0] == 0
    manifest = json.loads(Path("mixed/manifest.json").read_text())
    assert [value["decimals"] for value in manifest["values"]] == [2, 2]
