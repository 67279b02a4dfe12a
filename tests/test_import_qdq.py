# SPDX-License-Identifier: MIT
"""qnn import of quantized ONNX files: within one step of onnxruntime, operator by operator, and whole networks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from onnxmodels import Net, QuantizedNet, onnx

from qnn.compiler import emit
from qnn.data.synthetic import random_samples
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.importing.load import Imported, ImportOptions, import_file
from qnn.importing.onnxcompare import compared
from qnn.simulator import simulate
from qnn.verifier import verify

ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the oracle of these tests, is not installed")

Make = Callable[[QuantizedNet], str]
NAN = float("nan")
RARE = 0.004  # of an operator's outputs that float32 sums in onnxruntime round to the other side


def conv(n: QuantizedNet, unsigned: bool = False) -> str:
    filters, kernel = int(n.rng.choice([1, 3, 5])), [int(k) for k in n.rng.integers(1, 4, 2)]
    pads = [int(n.rng.integers(0, k)) for k in kernel * 2]
    strides = [int(s) for s in n.rng.integers(1, 3, 2)]
    fits = all(size + 2 * pads[i] >= kernel[i] for i, size in enumerate(n.shape[1:]))
    w, scales = n.kernel((filters, n.shape[0], *(kernel if fits else (1, 1))), 0, unsigned)
    pads = [pads[0], pads[1], pads[0], pads[1]] if fits else [0] * 4
    return n.node("Conv", [n.x, w, n.bias(n.x, scales, filters)], pads=pads, strides=strides)


def unsigned_conv(n: QuantizedNet) -> str:
    return conv(n, True)


def dilated_conv(n: QuantizedNet) -> str:
    w, _ = n.kernel((2, n.shape[0], 2, 2), 0)
    return n.node("Conv", [n.x, w], pads=[3, 3, 3, 3], dilations=[2, 3])


def depthwise(n: QuantizedNet) -> str:
    channels = n.shape[0] * int(n.rng.integers(1, 3))
    w, scales = n.kernel((channels, 1, 3, 3), 0)
    bias = n.bias(n.x, scales, channels)
    return n.node("Conv", [n.x, w, bias], group=n.shape[0], pads=[1, 1, 1, 1], auto_pad="NOTSET")


def clamped(kind: str, *bounds: float) -> Make:
    def make(n: QuantizedNet) -> str:
        return n.node(kind, [conv(n), *(n.typed(np.float32(bound)) for bound in bounds)])

    return make


def flat(n: QuantizedNet) -> str:
    return n.like(n.node("Flatten", [n.x]), n.x)


def gemm(n: QuantizedNet) -> str:
    units, count = int(n.rng.choice([1, 4, 7])), int(np.prod(n.shape))
    turned = int(n.rng.integers(2))
    w, scales = n.kernel((units, count) if turned else (count, units), 0 if turned else 1)
    return n.node("Gemm", [flat(n), w, n.bias(n.x, scales, units)], transB=turned)


def matmul(n: QuantizedNet) -> str:
    w, _ = n.kernel((int(np.prod(n.shape)), 5), 1)
    return n.node("MatMul", [flat(n), w])


def turned_matmul(n: QuantizedNet) -> str:
    """Weights that are transposed behind their scales, as PyTorch's linear layers are exported."""
    w, _ = n.kernel((5, int(np.prod(n.shape))), 0)
    return n.node("MatMul", [flat(n), n.node("Transpose", [w], perm=[1, 0])])


def other(n: QuantizedNet) -> str:
    """Another tensor of the input's shape."""
    return n.pair(n.node("LeakyRelu", [n.x], alpha=-0.7), n.scale())


def binary(kind: str) -> Make:
    def make(n: QuantizedNet) -> str:
        pair = [n.x, other(n)] if n.rng.integers(3) else [n.x, n.x]
        return n.node(kind, pair[:: int(n.rng.choice([1, -1]))])

    return make


def gate(n: QuantizedNet) -> str:
    pooled = n.pair(n.node("GlobalAveragePool", [n.x]), n.scale())
    return n.node("Mul", [pooled, n.x] if n.rng.integers(2) else [n.x, pooled])


def constant(kind: str, low: float, high: float, per: bool) -> Make:
    def make(n: QuantizedNet) -> str:
        value = n.rng.uniform(low, high, (1, n.shape[0], 1, 1) if per else ())
        values = value.astype(np.float32) if per else np.float32(value)
        if n.rng.integers(2):
            return n.node(kind, [n.x, n.typed(values)])
        steps = np.clip(np.rint(values * 50), -128, 127).astype(np.int8)
        q = n.node("DequantizeLinear", [n.typed(steps), n.typed(np.float32(0.02)), n.typed(np.int8(0))])
        return n.node(kind, [n.x, q])

    return make


def unary(kind: str, **attributes: float) -> Make:
    def make(n: QuantizedNet) -> str:
        return n.node(kind, [n.x], **attributes)

    return make


def chain(n: QuantizedNet) -> str:
    """Two functions and no scale between them."""
    return n.node("HardSigmoid", [n.node("Tanh", [n.x])], alpha=0.3)


def pool(kind: str, **attributes: int) -> Make:
    def make(n: QuantizedNet) -> str:
        kernel = [int(min(k, size)) for k, size in zip(n.rng.integers(1, 4, 2), n.shape[1:], strict=True)]
        strides = [int(s) for s in n.rng.integers(1, 3, 2)]
        pads = [k // 2 for k in kernel] * 2
        return n.node(kind, [n.x], kernel_shape=kernel, strides=strides, pads=pads, **attributes)

    return make


def mean(n: QuantizedNet) -> str:
    return n.node("ReduceMean", [n.x], axes=[2, 3], keepdims=int(n.rng.integers(2)))


def batch_norm(n: QuantizedNet) -> str:
    c = n.shape[0]
    values = (n.rng.normal(size=c), n.rng.normal(size=c), n.rng.normal(size=c), n.rng.uniform(0.5, 2, c))
    return n.node("BatchNormalization", [n.x, *(n.typed(v.astype(np.float32)) for v in values)])


def concat(n: QuantizedNet) -> str:
    return n.node("Concat", [n.x, other(n), n.x], axis=int(n.rng.choice([1, -3])))


def padded(n: QuantizedNet) -> str:
    return n.like(n.node("Pad", [n.x, n.constant([0, 0, 1, 0, 0, 0, 2, 1])]), n.x)


def turned(n: QuantizedNet) -> str:
    """Channels last and back, then flat: weights follow the file's order."""
    last = n.like(n.node("Transpose", [n.x], perm=[0, 2, 3, 1]), n.x)
    count = int(np.prod(n.shape))
    row = n.like(n.node("Reshape", [last, n.constant([1, count])]), n.x)
    wide = n.like(n.node("Unsqueeze", [row, n.constant([1])]), n.x)
    narrow = n.like(n.node("Squeeze", [wide, n.constant([1])]), n.x)
    w, _ = n.kernel((count, 3), 1)
    return n.node("MatMul", [n.node("Dropout", [n.node("Identity", [narrow])]), w])


def requantized(n: QuantizedNet) -> str:
    return n.pair(n.x, n.scale())


OPERATORS: tuple[tuple[str, Make], ...] = (
    ("Conv", conv),
    ("Conv unsigned", unsigned_conv),
    ("Conv dilated", dilated_conv),
    ("Conv depthwise", depthwise),
    ("Conv Relu", clamped("Relu")),
    ("Conv Clip", clamped("Clip", 0, 1.5)),
    ("Gemm", gemm),
    ("MatMul", matmul),
    ("MatMul Transpose", turned_matmul),
    ("Add", binary("Add")),
    ("Mul", binary("Mul")),
    ("Mul gate", gate),
    ("Add constant", constant("Add", -2, 2, True)),
    ("Sub constant", constant("Sub", -2, 2, True)),
    ("Mul constant", constant("Mul", -2, 2, True)),
    ("Div constant", constant("Div", 0.3, 2, True)),
    ("Add scalar", constant("Add", -2, 2, False)),
    ("Mul scalar", constant("Mul", -2, 2, False)),
    ("Relu", unary("Relu")),
    ("Clip", lambda n: n.node("Clip", [n.x, n.typed(np.float32(-0.5)), n.typed(np.float32(0.7))])),
    ("LeakyRelu", unary("LeakyRelu", alpha=0.3)),
    ("Sigmoid", unary("Sigmoid")),
    ("Tanh", unary("Tanh")),
    ("HardSigmoid", unary("HardSigmoid")),
    ("HardSwish", unary("HardSwish")),
    ("Elu", unary("Elu")),
    ("Tanh HardSigmoid", chain),
    ("MaxPool", pool("MaxPool")),
    ("AveragePool", pool("AveragePool")),
    ("AveragePool included", pool("AveragePool", count_include_pad=1)),
    ("GlobalAveragePool", unary("GlobalAveragePool")),
    ("ReduceMean", mean),
    ("BatchNormalization", batch_norm),
    ("Concat", concat),
    ("Pad", padded),
    ("Transpose", turned),
    ("QuantizeLinear", requantized),
    ("Softmax", unary("Softmax", axis=1)),
)


def operator_file(path: Path, name: str, seed: int) -> Path:
    """A file with the operator called `name` between quantized tensors; types by turns."""
    net = QuantizedNet(seed, ("uint8", "int8")[seed % 2])
    made = dict(OPERATORS)[name](net)
    if name == "Softmax":
        return net.file(path, net.pair(made, 1 / 256, 0 if net.dtype == np.uint8 else -128))
    return net.file(path, made if made in net.qs else net.pair(made, net.scale()))


def samples(graph: Graph, count: int = 60) -> np.ndarray:
    return random_samples(graph.schema, (), (), count, np.random.default_rng(1))


def graph_of(found: Imported) -> Graph:
    assert isinstance(found.network, Graph)
    return found.network


@pytest.mark.parametrize("name", [name for name, _ in OPERATORS])
def test_operator_is_within_one_step_of_the_runtime(tmp_path: Path, name: str) -> None:
    outputs = different = 0
    for seed in range(6):
        found = import_file(operator_file(tmp_path / "m.onnx", name, seed))
        assert found.reference is not None
        told = compared(found.reference, graph_of(found), samples(graph_of(found)))
        assert told.difference is not None, told
        assert told.difference.largest <= 1, (seed, told)
        outputs, different = outputs + told.difference.outputs, different + told.difference.different
    constants_or_softmax = name.endswith(" constant") or name in ("BatchNormalization", "Softmax")
    assert different <= (0.2 if constants_or_softmax else RARE) * outputs, (different, outputs)


def float_network(path: Path, softmax: bool, dense: bool) -> Path:
    net = Net(3)
    a = net.node("Conv", ["x", net.weights(6, 2, 3, 3), net.weights(6)], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    b = net.node("MaxPool", [net.node("Relu", [a])], kernel_shape=[2, 2], strides=[2, 2])
    c = net.node("Conv", [b, net.weights(6, 1, 3, 3)], group=6, pads=[1, 0, 1, 0], strides=[1, 2])
    e = net.node("Clip", [c, net.constant(np.float32(0)), net.constant(np.float32(6))])
    f = net.node("Add", [e, net.node("Conv", [e, net.weights(6, 6, 1, 1), net.weights(6)])])
    g = net.node("Concat", [f, net.node("LeakyRelu", [e], alpha=0.2)], axis=1)
    scaled = net.node("Conv", [net.node("GlobalAveragePool", [g]), net.weights(12, 12, 1, 1)])
    h = net.node("Mul", [g, net.node("Sigmoid", [scaled])])
    i = net.node("AveragePool", [h], kernel_shape=[2, 2], pads=[1, 1, 0, 0])
    if not dense:
        last = net.node("Conv", [i, net.weights(10, 12, 4, 1)])
        net.save(path, (2, 8, 8), net.node("Flatten", [last]), 10)
        return path
    j = net.node("MatMul", [net.node("Flatten", [i]), net.weights(48, 10)])
    k = net.node("Add", [j, net.weights(10)])
    net.save(path, (2, 8, 8), net.node("Softmax", [k]) if softmax else k, 10)
    return path


def statically(path: Path, target: Path, form: str, per_channel: bool, dtype: str, weights: str) -> Path:
    """The float file quantized by onnxruntime's own tool."""
    from onnxruntime import quantization as q

    class Reader(q.CalibrationDataReader):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            rng = np.random.default_rng(0)
            self.rows = iter([{"x": rng.uniform(-1, 1, (4, 2, 8, 8)).astype(np.float32)} for _ in range(8)])

        def get_next(self) -> Any:
            return next(self.rows, None)

    q.quantize_static(
        str(path),
        str(target),
        Reader(),
        quant_format=q.QuantFormat[form],
        per_channel=per_channel,
        activation_type=q.QuantType[dtype],
        weight_type=q.QuantType[weights],
    )
    return target


WHOLE = [
    ("QDQ", True, "QUInt8", "QInt8"),
    ("QDQ", False, "QInt8", "QInt8"),
    ("QDQ", False, "QUInt8", "QUInt8"),
    ("QOperator", True, "QUInt8", "QUInt8"),
    ("QOperator", False, "QUInt8", "QInt8"),
]


@pytest.mark.parametrize(("form", "per_channel", "dtype", "weights"), WHOLE)
def test_networks_as_the_runtimes_tool_quantizes_them(
    tmp_path: Path, form: str, per_channel: bool, dtype: str, weights: str
) -> None:
    products = form == "QDQ" or weights == "QUInt8"  # onnxruntime has no QLinearMatMul of uint8 and int8
    whole = float_network(tmp_path / "f.onnx", form == "QOperator", products)
    path = statically(whole, tmp_path / "q.onnx", form, per_channel, dtype, weights)
    found = import_file(path, ImportOptions("net"))
    graph, x = graph_of(found), samples(graph_of(found))
    assert found.reference is not None
    told = compared(found.reference, graph, x)
    assert told.difference is not None, told
    assert told.difference.largest <= 1
    assert told.difference.different <= 0.04 * told.difference.outputs
    assert graph.type_of(graph.output).dtype == graph.input.dtype == dtype.lower()[1:]
    assert len(np.unique(simulate(graph, x)[graph.output])) > 30
    emit(graph, tmp_path / "b")
    assert verify(tmp_path / "b", x[:20], ("host",)).ok


def test_the_command_counts_the_differences(tmp_path: Path, qnn: Run) -> None:
    path = operator_file(tmp_path / "a b.onnx", "Conv Relu", 0)
    code, out, err = qnn("import", str(path), "-o", str(tmp_path / "m.qnn"), "--explain")
    assert code == 0, err
    for text in ("against onnxruntime, on random and edge inputs: 0 of", "DequantizeLinear", "Relu", "folded", "kept"):
        assert text in out
    document = json.loads(qnn("import", str(path), "-o", str(tmp_path / "m.qnn"), "--json")[1])
    assert document["onnxruntime"]["different"] == 0
    code, out, _ = qnn("import", str(path), "-o", str(tmp_path / "m.qnn"), "--rounding", "qnn")
    assert "rounding qnn against the file's own" in out
    assert qnn("compile", str(tmp_path / "m.qnn"), "-o", str(tmp_path / "b"))[0] == 0
    assert qnn("verify", str(tmp_path / "b"), "--data", "random:20", "--on", "host", "--layers")[0] == 0


def test_options_of_float_networks_are_refused(tmp_path: Path, qnn: Run) -> None:
    path = operator_file(tmp_path / "m.onnx", "Conv Relu", 1)
    code, _, err = qnn("import", str(path), "-o", str(tmp_path / "m.qnn"), "--data", "digits", "--scale", "0.5")
    said = " ".join(err.split())
    assert (code, "--data and --scale: says nothing about" in said, "is quantized" in said) == (2, True, True), err


def test_an_output_left_in_reals_becomes_16_bits(tmp_path: Path) -> None:
    net = QuantizedNet(4, "uint8")
    found = import_file(net.file(tmp_path / "m.onnx", gemm(net)))
    graph = graph_of(found)
    assert graph.type_of(graph.output).dtype == "int16"
    assert found.reference is not None
    told = compared(found.reference, graph, samples(graph))
    assert told.difference is not None
    assert told.difference.largest <= 1


def test_the_softmax_behind_the_last_scale_makes_a_classifier(tmp_path: Path) -> None:
    net = QuantizedNet(5, "int8")
    logits = net.pair(matmul(net), 0.1)
    graph = graph_of(import_file(net.file(tmp_path / "m.onnx", net.node("Softmax", [logits]))))
    assert graph.schema.task == "classification"
    assert graph.type_of(graph.output).dtype == "int8"


def test_the_input_may_be_bytes(tmp_path: Path) -> None:
    net = QuantizedNet(6, "uint8")
    raw = net.parameters(0.02, 7)
    net.nodes.clear()
    net.x = net.node("DequantizeLinear", ["x", *raw])
    net.qs[net.x] = ("x", *raw, float(np.float32(0.02)))
    y = net.node("QuantizeLinear", [conv(net), *net.parameters(0.05)])
    net.reads = onnx.TensorProto.UINT8
    found = import_file(net.file(tmp_path / "m.onnx", y))
    assert found.reference is not None
    told = compared(found.reference, graph_of(found), samples(graph_of(found)))
    assert told.difference is not None
    assert told.difference.largest <= 1


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda n: n.pair(n.node("Erf", [n.x]), 0.1), "node 2 Erf (/2/Erf) is not supported in quantized models"),
        (lambda n: n.pair(n.node("Conv", [n.x, n.weights(2, n.shape[0], 1, 1)]), 0.1), "weights that are not"),
        (lambda n: n.pair(n.node("Sub", [n.x, other(n)]), 0.1), "subtracts two tensors"),
        (lambda n: n.pair(n.node("Add", [n.node("Mul", [n.x, n.x]), n.x]), 0.1), "without a scale"),
        (lambda n: n.node("MaxPool", [n.x], kernel_shape=[1, 1], ceil_mode=1), "rounds its output's size up"),
        (lambda n: n.node("DequantizeLinear", [n.qs[n.x][0], n.typed(np.float32(9)), n.qs[n.x][2]]), "another scale"),
        (lambda n: n.node("DequantizeLinear", [n.qs[n.x][0], n.typed(np.float32(-1)), n.qs[n.x][2]]), "cannot be"),
        (lambda n: n.pair(n.node("AveragePool", [n.x], kernel_shape=[999] * 2, pads=[500] * 4), 0.1), "large to pad"),
        (
            lambda n: n.pair(n.node("Conv", [n.x, n.kernel((1, n.shape[0], 1, 1), 0)[0], n.constant([NAN])]), 0.1),
            "bias",
        ),
        (lambda n: n.pair(n.node("Clip", [n.x, n.constant(NAN)]), 0.1), "no number"),
    ],
)
def test_what_is_refused(tmp_path: Path, make: Make, problem: str) -> None:
    net = QuantizedNet(7, "uint8")
    with pytest.raises(QnnError) as told:
        import_file(net.file(tmp_path / "m.onnx", make(net)))
    assert problem in str(told.value)


def test_scales_found_at_run_time_are_refused(tmp_path: Path) -> None:
    net = Net()
    outputs = ["q", "scale", "zero"]
    net.nodes.append(onnx.helper.make_node("DynamicQuantizeLinear", ["x"], outputs, "dynamic"))
    product = net.node("MatMulInteger", ["q", net.typed(np.zeros((4, 3), np.int8)), "zero"])
    net.save(tmp_path / "m.onnx", (4,), net.node("Cast", [product], to=1), 3)
    with pytest.raises(QnnError, match=r"DynamicQuantizeLinear .* quantize the model statically"):
        import_file(tmp_path / "m.onnx")


def test_16_bit_activations_are_refused(tmp_path: Path) -> None:
    net = QuantizedNet(8, "uint16")
    with pytest.raises(QnnError, match="8 bits"):
        import_file(net.file(tmp_path / "m.onnx", net.pair(net.node("Relu", [net.x]), 0.1), 21))


def test_without_the_runtime_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    found = import_file(operator_file(tmp_path / "m.onnx", "Relu", 0))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert found.reference is not None
    assert str(compared(found.reference, graph_of(found), samples(graph_of(found)))) == (
        "not compared: onnxruntime is not installed"
    )


def test_weights_of_more_than_16_bits_are_refused(tmp_path: Path) -> None:
    net = QuantizedNet(8, "uint8", (2, 1, 1))
    scale, zero = net.typed(np.float32(0.1)), net.typed(np.uint16(0))
    w = net.node("DequantizeLinear", [net.typed(np.array([[40000, 1], [3, 2]], np.uint16)), scale, zero])
    y = net.node("MatMul", [net.node("Flatten", [net.x]), w])
    with pytest.raises(QnnError, match="more than 16 bits"):
        import_file(net.file(tmp_path / "m.onnx", net.pair(y, 0.1), 21))


def test_an_input_larger_than_any_tensor_is_refused(tmp_path: Path) -> None:
    net = QuantizedNet(8, "uint8", (3, 20000, 20000))
    with pytest.raises(QnnError, match="1,200,000,000 elements"):
        import_file(net.file(tmp_path / "m.onnx", net.pair(net.node("Relu", [net.x]), 0.1)))
