# SPDX-License-Identifier: MIT
"""qnn import of float ONNX files: what onnxruntime computes, recipes for scikit-learn and PyTorch, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from onnxmodels import Net

from qnn.data import load
from qnn.errors import QnnError
from qnn.forward import forward
from qnn.importing.floatmodel import InputMeaning
from qnn.importing.load import ImportOptions, import_file
from qnn.importing.onnxfloat import CONVERTERS as ONNX
from qnn.importing.onnxgraph import CONVERTERS as QUANTIZED
from qnn.importing.onnxqdq import KINDS
from qnn.importing.tflitegraph import CONVERTERS as TFLITE
from qnn.model import Model

ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the oracle of these tests, is not installed")

MODELS = Path(__file__).parent / "models"


def model_of(path: Path, options: ImportOptions | None = None) -> Model:
    network = import_file(path, options).network
    assert isinstance(network, Model)
    return network


def runtime(path: Path, x: np.ndarray) -> np.ndarray:
    return np.asarray(ort.InferenceSession(str(path)).run(None, {"x": x.astype(np.float32)})[0])


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def exported(net: Net) -> str:
    """What torch.onnx.export writes of a small CNN: channels first, Gemm with transB behind a Flatten."""
    a = net.node("Conv", ["x", net.weights(6, 1, 3, 3), net.weights(6)], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    b = net.node("MaxPool", [net.node("Relu", [a])], kernel_shape=[2, 2], strides=[2, 2])
    c = net.node("Conv", [b, net.weights(6, 1, 3, 3)], group=6, pads=[1, 0, 1, 0], strides=[1, 2])
    rng = net.rng
    values = [rng.uniform(0.5, 1.5, 6), rng.normal(size=6), rng.normal(size=6), rng.uniform(0.5, 2, 6)]
    d = net.node("BatchNormalization", [c, *map(net.constant, values)], epsilon=1e-3)
    e = net.node("Clip", [d, net.constant(np.float32(0)), net.constant(np.float32(6))])
    f = net.node("Add", [e, net.node("Conv", [e, net.weights(6, 6, 1, 1), net.weights(6)])])
    g = net.node("Concat", [f, e], axis=1)
    gate = net.node("Conv", [net.node("GlobalAveragePool", [g]), net.weights(12, 12, 1, 1)])
    h = net.node("Mul", [g, net.node("Sigmoid", [gate])])
    i = net.node("AveragePool", [h], kernel_shape=[2, 2], pads=[1, 1, 0, 0], count_include_pad=1)
    j = net.node("Gemm", [net.node("Flatten", [i]), net.weights(10, 48), net.weights(10)], transB=1)
    return net.node("Softmax", [net.node("Dropout", [j])])


def test_a_network_as_pytorch_exports_it(tmp_path: Path, qnn: Run) -> None:
    net, path = Net(), tmp_path / "cnn.onnx"
    net.save(path, (1, 8, 8), exported(net), 10)
    x = np.random.default_rng(1).integers(0, 256, (20, 8, 8, 1)).astype(np.uint8)
    model = model_of(path)
    assert model.schema.classes == tuple(map(str, range(10)))
    assert np.allclose(softmax(forward(model, x)), runtime(path, x.transpose(0, 3, 1, 2) / 255), atol=1e-5)
    assert qnn("import", str(path), "-o", str(tmp_path / "m.qnn"), "--explain")[0] == 0
    assert qnn("compile", str(tmp_path / "m.qnn"), "--data", "digits", "-o", str(tmp_path / "b"))[0] == 0
    assert qnn("verify", str(tmp_path / "b"), "--data", "random:20", "--on", "host")[0] == 0
    code, _, err = qnn("import", str(path), "-o", str(tmp_path / "other.qnn"), "--rounding", "qnn")
    assert (code, "a float network" in err, (tmp_path / "other.qnn").exists()) == (2, True, False), err


def test_the_input_may_have_an_offset_and_its_channels_last(tmp_path: Path) -> None:
    net, path = Net(1), tmp_path / "last.onnx"
    first = net.node("Transpose", ["x"], perm=[0, 3, 1, 2])
    a = net.node("Conv", [first, net.weights(4, 3, 3, 3)], auto_pad="SAME_UPPER", strides=[2, 2])
    b = net.node("LeakyRelu", [net.node("Mul", [a, net.constant(np.float32(0.5))])], alpha=0.2)
    last = net.node("Transpose", [b], perm=[0, 2, 3, 1])
    flat = net.node("Reshape", [last, net.constant([0, 64])])
    c = net.node("Add", [net.node("MatMul", [flat, net.weights(64, 5)]), net.weights(5)])
    net.save(path, (8, 8, 3), net.node("Tanh", [c]), 5)
    x = np.random.default_rng(1).integers(0, 256, (9, 8, 8, 3)).astype(np.uint8)
    model = model_of(path, ImportOptions(meaning=InputMeaning(0.02, 100.0)))
    assert model.schema.task == "regression"
    assert np.allclose(forward(model, x), runtime(path, (x - 100.0) * 0.02), atol=1e-5)


def test_flattened_channels_are_put_in_order(tmp_path: Path) -> None:
    net, path = Net(2), tmp_path / "flat.onnx"
    a = net.node("Flatten", [net.node("Conv", ["x", net.weights(4, 2, 1, 1)])])
    b = net.node("Add", [net.node("Relu", [a]), net.constant(np.linspace(-1, 1, 100))])
    net.save(path, (2, 5, 5), net.node("Gemm", [b, net.weights(100, 3)], alpha=0.5), 3)
    x = np.random.default_rng(1).integers(0, 256, (9, 5, 5, 2)).astype(np.uint8)
    assert np.allclose(forward(model_of(path), x), runtime(path, x.transpose(0, 3, 1, 2) / 255), atol=1e-5)


@pytest.mark.parametrize("name", ["torch-cnn", "torch-cnn-dynamo"])
def test_files_that_pytorch_exported(tmp_path: Path, qnn: Run, name: str) -> None:
    """Committed as torch 2.13.0 wrote them by either exporter (tools/torch/export.py), with its own outputs."""
    path, known = MODELS / f"{name}.onnx", np.load(MODELS / "torch-cnn.npz")
    model = model_of(path, ImportOptions(meaning=InputMeaning(0.0127283, 33.3285)))
    assert np.allclose(forward(model, known["x"]), known["logits"], atol=1e-4)
    words = ("--data", "random:100", "--offset", "33.3285", "--scale", "0.0127283")
    assert qnn("import", str(path), "-o", str(tmp_path / "m.qnn"), *words[2:])[0] == 0
    assert qnn("compile", str(tmp_path / "m.qnn"), *words[:2], "-o", str(tmp_path / "b"))[0] == 0
    assert qnn("verify", str(tmp_path / "b"), "--data", "random:20", "--on", "host")[0] == 0


@pytest.mark.parametrize("kind", ["several", "binary", "regression"])
def test_scikit_learn_mlps(tmp_path: Path, kind: str) -> None:
    neural = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")
    to_onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed").to_onnx
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (200, 5)).astype(np.int32)
    y = {"several": x[:, 0] // 34, "binary": (x[:, 0] > x[:, 1]).astype(int), "regression": x[:, 0] * 2 + 0.5}[kind]
    maker = neural.MLPRegressor if kind == "regression" else neural.MLPClassifier
    fitted = maker(hidden_layer_sizes=(6,), max_iter=5, random_state=0)
    with pytest.warns(Warning, match="."):
        fitted.fit(x.astype(np.float32), y)
    options = None if kind == "regression" else {"zipmap": False}
    (tmp_path / "m.onnx").write_bytes(to_onnx(fitted, x[:1].astype(np.float32), options=options).SerializeToString())
    np.savez(tmp_path / "data.npz", x=x, y=y)
    model = model_of(tmp_path / "m.onnx", ImportOptions(dataset=load(tmp_path / "data.npz")))
    out, real = forward(model, x), x.astype(np.float32)
    if kind == "regression":
        assert np.allclose(out[:, 0], fitted.predict(real), atol=1e-3)
    elif kind == "binary":
        assert np.allclose(1 / (1 + np.exp(-out[:, 0])), fitted.predict_proba(real)[:, 1], atol=1e-5)
    else:
        assert np.allclose(softmax(out), fitted.predict_proba(real), atol=1e-5)


def test_an_unknown_node_is_named(tmp_path: Path, qnn: Run) -> None:
    net, path = Net(), tmp_path / "m.onnx"
    net.save(path, (4,), net.node("Gemm", [net.node("Erf", ["x"]), net.weights(4, 3)]), 3)
    code, _, err = qnn("import", str(path), "-o", str(tmp_path / "m.qnn"))
    assert code == 2
    assert "node 0 Erf (/0/Erf) is not supported" in err
    assert "Conv" in err


def test_what_is_refused(tmp_path: Path) -> None:
    net, path = Net(), tmp_path / "m.onnx"
    output = net.node("Gemm", ["x", net.weights(4, 3)])
    net.save(path, (4,), output, 3)
    with pytest.raises(QnnError, match="whose unit only data can tell"):
        import_file(path)
    net.save(path, (4,), output, 3, opset=11)
    with pytest.raises(QnnError, match="opset 11"):
        import_file(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(QnnError):
        import_file(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(QnnError, match=r"opset|checker"):
        import_file(path)


def test_the_table_of_operators_is_the_codes(qnn: Run) -> None:
    code, out, _ = qnn("ops", "--json")
    found = json.loads(out)
    assert code == 0
    rows = {row["operator"]: row for row in found["operators"]}
    names = {"tflite": ["FULLY_CONNECTED"], "onnx": ["Gemm", "MatMul", "QLinearMatMul", "QGemm"]}
    assert rows["dense"] == {"operator": "dense", "bits": [8, 16]} | names
    assert rows["softmax8"]["bits"] == [8]
    assert all(row["bits"] or row["operator"] in ("softmax", "rescale") for row in rows.values())
    named = {name for row in rows.values() for name in row["tflite"]} | set(found["vanishing"]["tflite"])
    assert named == {entry[0] for entry in TFLITE}
    kept = {name for row in rows.values() for name in row["onnx"]}
    forms = {form for form, _, _ in KINDS}
    assert kept | set(found["vanishing"]["onnx"]) == {entry[0] for entry in QUANTIZED} | forms | {"DequantizeLinear"}
    assert {name for row in found["layers"] for name in row["onnx"]} == {entry[0] for entry in ONNX if entry[2]}
    assert "CONV_2D" in qnn("ops")[1]
