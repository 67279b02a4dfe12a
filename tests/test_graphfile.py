# SPDX-License-Identifier: MIT
"""Integer graphs on disk: a round trip keeps every bit, anything else is one clear error."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from graphs import edge_samples, random_graph
from hypothesis import given
from hypothesis import strategies as st
from networks import READINGS, model_of

from qnn.calibration import calibrate
from qnn.check import check
from qnn.compiler import compile_model
from qnn.container import Container, pack, unpack
from qnn.errors import QnnError
from qnn.graph import VALUE, Graph, Node
from qnn.graphfile import graph_bytes, graph_of, load_graph, save_graph
from qnn.ops.dense import Dense
from qnn.ops.op import TensorType
from qnn.ops.rescale import Rescale
from qnn.simulator import define


@given(st.integers(0, 1 << 30))
def test_round_trip_keeps_every_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    again = check(graph_of(unpack(graph_bytes(graph), Path("model.qnn")), Path("model.qnn")))
    assert graph_bytes(again) == graph_bytes(graph)
    assert str(again) == str(graph)
    x = edge_samples(rng, graph, 4)
    before, after = define(graph, x), define(again, x)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_save_and_load(tmp_path: Path, rng: np.random.Generator) -> None:
    graph = random_graph(rng)
    save_graph(graph, tmp_path / "model.qnn")
    assert graph_bytes(load_graph(tmp_path / "model.qnn")) == (tmp_path / "model.qnn").read_bytes()


@given(st.integers(0, 1 << 30), st.data())
def test_damaged_files_never_give_anything_but_an_error_or_a_checked_graph(seed: int, data: st.DataObject) -> None:
    content = bytearray(graph_bytes(random_graph(np.random.default_rng(seed))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for damaged in (bytes(content), bytes(content[:cut])):
        with contextlib.suppress(QnnError):
            check(graph_of(unpack(damaged, Path("model.qnn")), Path("model.qnn")))


def _edited(graph: Graph, edit: object) -> bytes:
    """The graph's file with its JSON document changed by `edit`."""
    container = unpack(graph_bytes(graph), Path("model.qnn"))
    document = json.loads(json.dumps(container.document))
    edit(document)  # type: ignore[operator]
    return pack(Container(container.kind, document, container.arrays))


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d["nodes"][-1].update(kind="mystery"),
        lambda d: d["nodes"][0].update(inputs=["nobody"]),
        lambda d: d["nodes"][0].update(name="x*/y"),
        lambda d: d["nodes"][0]["type"].update(shape=[0]),
        lambda d: d["nodes"][0]["type"].update(shape=[1 << 40]),
        lambda d: d["nodes"][0]["type"].update(scale=float(0)),
        lambda d: d["nodes"][0]["type"].update(low="zero"),
        lambda d: d["nodes"][0]["type"].pop("dtype"),
        lambda d: d.update(output="nobody"),
        lambda d: d.update(quantized_input="nobody"),
        lambda d: d.update(name="int"),
        lambda d: d.update(name="a b"),
        lambda d: d.update(nodes=[]),
        lambda d: d.update(nodes={}),
        lambda d: d["schema"].update(task="poetry"),
        lambda d: d["schema"].update(shape=[7, 7, 7]),
        lambda d: d["record"].update(seed=1.5),
        lambda d: d["schema"].update(target_decimals=[19]),
        lambda d: d["nodes"][0]["type"].update(scale=1e308),
        lambda d: d["nodes"][0]["type"].update(scale=5e-324),
        lambda d: d["input"].update(high=d["input"]["low"]),
        lambda d: d["nodes"][0].update(inputs=["input", "input"]),
        lambda d: d.update(quantized_input=d["output"]),
        lambda d: d.update(quantized_input=d["nodes"][-1]["name"]),
        lambda d: d["nodes"].append(dict(d["nodes"][-1], name="extra")),
    ],
)
def test_documents_that_lie_are_refused(tmp_path: Path, rng: np.random.Generator, edit: object) -> None:
    (tmp_path / "model.qnn").write_bytes(_edited(random_graph(rng), edit))
    with pytest.raises(QnnError, match=r"model\.qnn") as caught:
        load_graph(tmp_path / "model.qnn")
    assert "\n" not in str(caught.value)


def test_a_newer_version_is_refused_with_the_remedy(tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "model.qnn").write_bytes(_edited(random_graph(rng), lambda d: d.update(version=2)))
    with pytest.raises(QnnError, match=r"version 2.*update qnn"):
        load_graph(tmp_path / "model.qnn")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all", b"\x89PNG\r\n"])
def test_files_that_are_no_models_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.qnn").write_bytes(content)
    with pytest.raises(QnnError, match=r"model\.qnn"):
        load_graph(tmp_path / "model.qnn")


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match="no such file"):
        load_graph(tmp_path / "model.qnn")
    with pytest.raises(QnnError, match="is a folder; name a file in it"):
        load_graph(tmp_path)


def _with_dense(graph: Graph, **changes: object) -> Graph:
    """The graph with fields of its last dense operator replaced."""
    nodes = list(graph.nodes)
    index = max(i for i, node in enumerate(nodes) if isinstance(node.op, Dense))
    nodes[index] = Node(
        nodes[index].name,
        dataclasses.replace(nodes[index].op, **changes),  # type: ignore[type-var, arg-type]
        nodes[index].inputs,
        nodes[index].type,
    )
    return dataclasses.replace(graph, nodes=tuple(nodes))


@pytest.mark.parametrize("decimals", [-32768, 23, 32767])
def test_decimals_that_no_number_has_are_refused(decimals: int) -> None:
    """10**32768 is infinite, which JSON cannot say."""
    model = model_of(READINGS)
    graph = compile_model(model, calibrate(model, model.samples), "readings").graph
    head = graph.node(VALUE)
    assert isinstance(head.op, Rescale)
    absurd = dataclasses.replace(head.op, decimals=np.full(2, decimals, np.int16))
    nodes = (*graph.body, dataclasses.replace(head, op=absurd))
    with pytest.raises(QnnError, match="its decimals are absurd"):
        check(dataclasses.replace(graph, nodes=nodes))


def test_an_accumulator_that_could_overflow_is_refused(rng: np.random.Generator) -> None:
    """The bound is recomputed from the weights: a file cannot claim a proof that does not hold."""
    graph = random_graph(rng)
    outputs = len(next(node.op for node in reversed(graph.nodes) if isinstance(node.op, Dense)).bias)
    with pytest.raises(QnnError, match="accumulator reaches"):
        check(_with_dense(graph, bias=np.full(outputs, 1 << 31, np.int64), rounding_shift=0))


def test_the_lowest_16_bit_weight_is_refused(rng: np.random.Generator) -> None:
    graph = random_graph(rng)
    weights = next(node.op for node in reversed(graph.nodes) if isinstance(node.op, Dense)).weights.astype(np.int16)
    weights[0, 0] = np.iinfo(np.int16).min
    with pytest.raises(QnnError, match=r"-32767\.\.32767"):
        check(_with_dense(graph, weights=weights))


def test_graph_text_is_stable(rng: np.random.Generator) -> None:
    kind = TensorType((2,), "uint8", 0, 255, 0.5, 3)
    assert str(kind) == "uint8[2] 0..255 scale 0.5 zero 3"
    graph = random_graph(rng)
    assert str(graph).startswith(f"graph net: input {graph.input}\n")
    assert str(graph).count("\n") == len(graph.nodes) + 1
