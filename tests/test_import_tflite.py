# SPDX-License-Identifier: MIT
"""qnn import of int8 TensorFlow Lite files: whole models, the command, what it refuses."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from test_import_operators import small_model
from tflitemodels import Builder, given_model, reference

from qnn.compiler import build_graph, emit
from qnn.data.synthetic import random_samples
from qnn.engines.host import SANITIZED, HostEngine
from qnn.engines.interface import interface_of
from qnn.errors import QnnError
from qnn.forward import forward
from qnn.graphfile import load_graph
from qnn.importing.fits import addition, averaging
from qnn.importing.load import ImportOptions, import_file
from qnn.model import Model
from qnn.ops.op import TensorType
from qnn.simulator import simulate
from qnn.verifier import verify


@dataclass(frozen=True)
class Done:
    """What a command gave."""

    code: int
    out: str
    err: str


def ran(qnn: Run, *words: object) -> Done:
    return Done(*qnn(*map(str, words)))


MOST_CODE = 10_000
SCRATCH = (("kws_ref_model.tflite", 16_600), ("ad01_int8.tflite", 1_664))
INSTRUCTIONS = (("kws_ref_model.tflite", 8_500_000), ("ad01_int8.tflite", 800_000))


@pytest.mark.parametrize(("name", "scratch"), SCRATCH)
def test_given_models_give_the_bytes_of_the_framework(name: str, scratch: int, tmp_path: Path) -> None:
    path = given_model(name)
    graph = import_file(path, ImportOptions("net")).network
    x = random_samples(graph.schema, (), (), 60, np.random.default_rng(3))
    got = simulate(graph, x)[graph.output].reshape(len(x), -1)
    assert np.array_equal(got, reference(path.read_bytes(), x))
    assert len(np.unique(got)) > 10
    build = emit(graph, tmp_path, None, x[5])
    assert build.manifest["ram"]["scratch"] <= scratch
    assert verify(tmp_path, x, ("host",)).ok


@pytest.mark.parametrize(("name", "most"), INSTRUCTIONS)
def test_given_models_on_rv32(name: str, most: int, tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    graph = import_file(given_model(name), ImportOptions("net")).network
    emit(graph, tmp_path)
    found = verify(tmp_path, random_samples(graph.schema, (), (), 4, np.random.default_rng(3)), ("rv32",), count=4)
    target = found.target("rv32")
    assert target.ok
    assert target.instructions is not None
    assert target.instructions.maximum <= most
    assert target.sizes is not None
    assert target.sizes.code <= MOST_CODE


@pytest.mark.parametrize("name", ["add", "mul", "softmax", "slice", "flat_mean", "conv", "logistic", "rows_dense"])
def test_operators_in_c_under_sanitizers(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(small_model(name, 1))
    graph = import_file(path).network
    emit(graph, tmp_path)
    x = random_samples(graph.schema, (), (), 30, np.random.default_rng(3))
    engine = HostEngine(tmp_path, interface_of(graph), flags=("-O1", *SANITIZED), program=True)
    assert np.array_equal(engine.run(x)[graph.output], simulate(graph, x)[graph.output])
    engine.close()


def test_the_whole_road(qnn: Run, tmp_path: Path) -> None:
    file = tmp_path / "a b.tflite"
    file.write_bytes(small_model("reshape", 3))
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f'class "{i}" */' for i in range(4)))
    model, build = tmp_path / "m.qnn", tmp_path / "build"
    done = ran(qnn, "import", file, "-o", model, "--explain", "--labels", labels)
    assert done.code == 0, done.err
    for text in ("RESHAPE", "EXPAND_DIMS", "FULLY_CONNECTED", "folded", "kept"):
        assert text in done.out
    assert ran(qnn, "compile", model, "-o", build, "--self-test", "2", "--name", "small").code == 0
    assert "*/" not in (build / "small.h").read_text().split("*/")[0]
    done = ran(qnn, "verify", build, "--data", "random:20", "--on", "host")
    assert done.code == 0, done.out + done.err
    assert ran(qnn, "verify", build, "--data", "random:20", "--on", "host", "--layers").code == 0
    x = random_samples(load_graph(model).schema, (), (), 40, np.random.default_rng(1))
    y = simulate(load_graph(model), x)["class"][:, 0]
    np.savez(tmp_path / "data.npz", x=x, y=np.array([f'class "{i}" */' for i in y]))
    done = ran(qnn, "simulate", build, "--data", tmp_path / "data.npz", "--json")
    assert json.loads(done.out)["value"] == 1.0
    assert ran(qnn, "inspect", model).code == 0
    row = json.loads(ran(qnn, "report", model, "--data", tmp_path / "data.npz", "--json").out)["rows"][0]
    assert row["mismatches"] == 0
    assert row["accuracy"] == 1.0
    assert ran(qnn, "report", model, "--data", tmp_path / "data.npz", "-o", tmp_path / "r.html").code == 0
    assert ran(qnn, "run", build, *[0] * load_graph(model).input.elements).code == 0


def test_json_lists_every_operator(qnn: Run, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(small_model("reshape", 3))
    document = json.loads(ran(qnn, "import", tmp_path / "m.tflite", "-o", tmp_path / "m.qnn", "--json").out)
    assert [fate["operator"] for fate in document["operators"]] == [
        *("RESHAPE", "EXPAND_DIMS", "SQUEEZE", "FULLY_CONNECTED"),
    ]
    assert [fate["fate"] for fate in document["operators"]] == ["folded"] * 3 + ["kept"]


def test_own_rounding_is_reported(qnn: Run, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(small_model("dense", 2))
    done = ran(qnn, "import", tmp_path / "m.tflite", "-o", tmp_path / "m.qnn", "--rounding", "qnn", "--json")
    found = json.loads(done.out)["rounding"]
    assert set(found) == {"outputs", "different", "largest", "instructions_own", "instructions"}
    assert found["largest"] <= 1
    assert 0 < found["instructions"] <= found["instructions_own"]


def test_borders_of_other_types_are_dropped(tmp_path: Path) -> None:
    b = Builder()
    raw, x, y, out = (
        b.tensor((1, 4), "float32"),
        b.tensor((1, 4), "int8", 0.5, 3),
        b.tensor((1, 4), "int8", 0.25, -7),
        b.tensor((1, 4), "float32"),
    )
    b.operator("QUANTIZE", [raw], [x])
    b.operator("RELU", [x], [y])
    b.operator("DEQUANTIZE", [y], [out])
    (tmp_path / "m.tflite").write_bytes(b.file([raw], [out]))
    found = import_file(tmp_path / "m.tflite")
    assert [fate.fate for fate in found.fates] == ["folded", "kept", "folded"]
    assert found.network.input.dtype == found.network.type_of(found.network.output).dtype == "int8"


def hand_made(kind: str, options: str = "", **values: int) -> bytes:
    b = Builder()
    x, y = b.tensor((1, 4), "int8", 0.5, 3), b.tensor((1, 4), "int8", 0.25, -7)
    b.operator(kind, [x], [y], options, **values)
    return b.file([x], [y])


def test_an_unknown_operator_is_named(qnn: Run, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(hand_made("FLOOR"))
    done = ran(qnn, "import", tmp_path / "m.tflite", "-o", tmp_path / "m.qnn")
    assert done.code == 2
    assert "operator 0 FLOOR (t1 * / ? ?/ \\xfc) is not supported" in done.err
    assert "CONV_2D" in done.err
    assert not (tmp_path / "m.qnn").exists()


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(QnnError, match="not a model that can be imported"):
        import_file(path)
    path.write_bytes(hand_made("RELU")[:-40])
    with pytest.raises(QnnError):
        import_file(path)
    b = Builder()
    x, y = b.tensor((1, 4), "float32"), b.tensor((1, 4), "float32")
    b.operator("FLOOR", [x], [y])
    path.write_bytes(b.file([x], [y]))
    with pytest.raises(QnnError, match="operator 0 FLOOR"):
        import_file(path)
    path.write_bytes(hand_made("RELU"))
    with pytest.raises(QnnError, match="3 labels for 4 outputs"):
        import_file(path, ImportOptions(labels=("a", "b", "c")))
    with pytest.raises(QnnError, match="is no rounding"):
        import_file(path, ImportOptions(rounding="up"))


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.tflite").write_bytes(hand_made("RELU"))
    monkeypatch.setitem(sys.modules, "tflite", None)
    with pytest.raises(QnnError, match=r"qnn\[import\]"):
        import_file(tmp_path / "m.tflite")


def test_options_of_calibration_are_refused_for_quantized_models(qnn: Run, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(hand_made("RELU"))
    assert ran(qnn, "import", tmp_path / "m.tflite", "-o", tmp_path / "m.qnn").code == 0
    done = ran(qnn, "compile", tmp_path / "m.qnn", "-o", tmp_path / "b", "--data", "digits")
    assert done.code == 2
    assert "quantized already" in done.err


def test_the_mean_of_a_window_is_rounded_half_away_from_zero() -> None:
    for count in (1, 2, 3, 4, 6, 9, 25, 49, 64, 125):
        sums = np.arange(-128 * count, 127 * count + 1)
        wanted = [int(np.sign(s)) * ((abs(int(s)) + count // 2) // count) + 128 for s in sums]
        assert averaging(count, 128, TensorType((1,), "uint8", 0, 255)).apply(sums[:, None])[:, 0].tolist() == wanted


def test_additions_that_are_constant_or_steep_have_constants() -> None:
    for wanted in (np.full((256, 256), 7), np.where(np.arange(256)[:, None] + np.arange(256) > 200, 255, 251)):
        op = addition((1.0, 1.0), (0, 0), 251, int(wanted.min()), 255, wanted)
        x = np.arange(256)
        got = op.reference((np.repeat(x, 256)[None], np.tile(x, 256)[None]))
        assert np.array_equal(got.reshape(256, 256), wanted)


def test_int8_stays_in_the_header(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(hand_made("RELU"))
    graph = import_file(tmp_path / "m.tflite", ImportOptions("net")).network
    text = dict(build_graph(graph, None, None).files)["net.h"].decode()
    assert "typedef int8_t net_in_t;" in text
    assert "typedef int8_t net_out_t;" in text
    assert graph.input == TensorType((4,), "int8", -128, 127, 0.5, 3, graph.input.zero_groups)


def test_float_networks_become_float_models(tmp_path: Path) -> None:
    rng, b = np.random.default_rng(5), Builder()

    def weights(*shape: int) -> int:
        return b.tensor(shape, "float32", data=rng.normal(size=shape) * 0.3)

    x, c, p, f, y, z = (
        b.tensor(shape, "float32") for shape in ((1, 8, 8, 2), (1, 4, 4, 4), (1, 2, 2, 4), (1, 16), (1, 3), (1, 3))
    )
    strides = {"strideH": 2, "strideW": 2, "padding": 0}
    spread = {"dilationHFactor": 1, "dilationWFactor": 1}
    b.operator(
        "CONV_2D",
        [x, weights(4, 3, 3, 2), weights(4)],
        [c],
        "Conv2DOptions",
        **strides,
        **spread,
        fusedActivationFunction=3,
    )
    b.operator("AVERAGE_POOL_2D", [c], [p], "Pool2DOptions", **strides, filterHeight=3, filterWidth=3)
    b.operator("RESHAPE", [p, b.tensor((2,), "int32", data=[1, 16])], [f], "ReshapeOptions", newShape=[1, 16])
    b.operator("FULLY_CONNECTED", [f, weights(3, 16), weights(3)], [y], "FullyConnectedOptions")
    b.operator("SOFTMAX", [y], [z], "SoftmaxOptions", beta=1.0)
    (tmp_path / "m.tflite").write_bytes(b.file([x], [z]))
    model = import_file(tmp_path / "m.tflite").network
    assert isinstance(model, Model)
    raw = rng.integers(0, 256, (10, 8, 8, 2)).astype(np.uint8)
    logits = forward(model, raw)
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    wanted = reference((tmp_path / "m.tflite").read_bytes(), (raw / 255).astype(np.float32))
    assert np.allclose(e / e.sum(axis=1, keepdims=True), wanted, atol=1e-5)
    assert model.schema.classes == ("0", "1", "2")


def test_options_that_a_quantized_model_leaves_nothing_to_do(qnn: Run, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(small_model("dense", 2))
    model, build = tmp_path / "m.qnn", tmp_path / "build"
    assert ran(qnn, "import", tmp_path / "m.tflite", "-o", model).code == 0
    for words in (("--bits", "4"), ("--equalize", "on"), ("--rounding", "nearest"), ("--method", "mse")):
        done = ran(qnn, "compile", model, "-o", build, *words)
        assert done.code == 2
        assert f"is quantized already; {words[0]} cannot change its ranges" in done.err
    assert not build.exists()
    assert ran(qnn, "compile", model, "-o", build, "--weights", "ram").code == 0
    assert json.loads((build / "manifest.json").read_text())["placement"]["asked"] == "ram"
