# SPDX-License-Identifier: MIT
"""Float model files: they come back as they were; what is hostile or damaged is one clear error."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learnable import curve, pictures, readings

from qnn.container import Container, pack, unpack
from qnn.errors import QnnError
from qnn.forward import activations, forward
from qnn.model import INPUT, Model
from qnn.modelfile import load_model, model_bytes, model_hash, model_of, save_model
from qnn.training import TrainOptions, train

QUICK = TrainOptions(epochs=1, batch=64)


def made(data: Any, net: str) -> Model:
    model = train(data, net, QUICK).model
    assert model is not None
    return model


@pytest.fixture(scope="module")
def model() -> Model:
    return made(readings(count=60), "dense 5 leaky_relu 0.2, dropout 0.1, dense")


@pytest.mark.parametrize(
    ("data", "net"),
    [
        (readings(), "dense 4 relu, dense"),
        (readings(classes=2), "dense"),
        (pictures(), "dense 4 tanh, dropout 0.3, dense"),
        (curve(), "dense 4 sigmoid, dense 3 leaky_relu 0.3, dense"),
    ],
)
def test_round_trip(tmp_path: Path, data: Any, net: str) -> None:
    model, path = made(data, net), tmp_path / "model.qnn"
    save_model(model, path)
    again = load_model(path)
    assert model_bytes(again) == path.read_bytes() == model_bytes(model)
    assert model_hash(again) == model_hash(model)
    assert (again.net, again.schema, again.record) == (model.net, model.schema, model.record)
    np.testing.assert_array_equal(forward(again, data.x), forward(model, data.x))
    np.testing.assert_array_equal(again.samples, model.samples)


def test_hash_changes_with_one_weight(model: Model) -> None:
    changed = copy.deepcopy(model)
    weights = changed.nodes[0].parameters[0]
    weights[0, 0] = np.nextafter(weights[0, 0], np.float32(9))
    assert model_hash(changed) != model_hash(model)


def test_activations_are_batched_and_forward_is_their_last(model: Model) -> None:
    x = readings(count=60).x
    batches = list(activations(model, x, batch=25))
    assert [len(values[INPUT]) for values in batches] == [25, 25, 10]
    assert list(batches[0]) == [INPUT, "dense1", "leaky_relu1", "dropout1", "dense2"]
    joined = np.concatenate([values["dense2"] for values in batches])
    np.testing.assert_allclose(forward(model, x), joined, rtol=1e-12)
    assert {a.dtype for a in batches[0].values()} == {np.dtype(np.float64)}
    assert forward(model, x, np.float32).dtype == np.float32
    assert forward(model, x[:0]).shape == (0, 3)


def test_raw_values_saturate(model: Model) -> None:
    x = readings(count=60).x
    normalization = model.normalization
    far = np.where(np.arange(4) % 2, 2**31 - 1, -(2**31)).astype(np.int32)[None]
    edge = np.where(np.arange(4) % 2, normalization.high, normalization.low).astype(np.int32)[None]
    np.testing.assert_array_equal(forward(model, far), forward(model, edge))
    assert np.isfinite(forward(model, x)).all()


def _first(document: dict[str, Any]) -> dict[str, Any]:
    return document["nodes"][0]


def _set(where: Callable[[dict[str, Any]], dict[str, Any]], key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: where(document).__setitem__(key, value)


BAD_DOCUMENTS: tuple[tuple[Callable[[dict[str, Any]], Any], str], ...] = (
    (lambda d: d.pop("nodes"), "'nodes'"),
    (lambda d: d.pop("net"), "'net'"),
    (lambda d: d["nodes"].clear(), "1 to 256"),
    (lambda d: d["nodes"].extend(d["nodes"] * 100), "1 to 256"),
    (lambda d: d["nodes"].append(d["nodes"][0]), "twice"),
    (lambda d: d["nodes"].reverse(), "no earlier"),
    (lambda d: d["nodes"].pop(), "does not fit the schema"),
    (_set(_first, "layer", "conv9d"), "unknown layer 'conv9d'"),
    (_set(_first, "layer", 7), "'layer'"),
    (_set(_first, "fields", {"units": "3"}), "'units'"),
    (_set(_first, "fields", {"units": True}), "'units'"),
    (_set(_first, "fields", {"units": 10**30}), "'units'"),
    (_set(_first, "fields", {"units": 1 << 16}), "parameters"),
    (_set(_first, "fields", {"units": -1}), "width"),
    (_set(_first, "fields", {}), "'units'"),
    (_set(_first, "inputs", []), "no earlier"),
    (_set(_first, "inputs", ["dense1"]), "no earlier"),
    (_set(_first, "inputs", ["dense2"]), "no earlier"),
    (_set(_first, "inputs", ["input", "input"]), "2 inputs"),
    (_set(_first, "inputs", "input"), "'inputs'"),
    (_set(_first, "name", "input"), "impossible node name"),
    (_set(_first, "name", "a b\n"), "impossible node name"),
    (_set(_first, "name", "../../etc/passwd"), "impossible node name"),
    (_set(lambda d: d, "net", "\ud800"), "'net'"),
    (_set(lambda d: d["nodes"][1]["fields"], "__init__", 1), ""),
    (_set(lambda d: d["nodes"][1], "fields", {"slope": 7.0}), "slope"),
    (_set(lambda d: d["schema"], "shape", [5]), "contradicts itself"),
    (_set(lambda d: d["schema"], "shape", []), "impossible"),
    (_set(lambda d: d["schema"], "shape", [1 << 40]), "impossible"),
    (_set(lambda d: d["schema"], "dtype", "float32"), "unknown"),
    (_set(lambda d: d["schema"], "task", "magic"), "unknown"),
    (_set(lambda d: d["schema"], "classes", ["a"]), "contradicts itself"),
    (_set(lambda d: d["schema"], "classes", ["a", "b"]), "does not fit the schema"),
    (_set(lambda d: d["schema"], "targets", ["a"]), "contradicts itself"),
    (_set(lambda d: d["schema"], "target_decimals", [1 << 31]), "'target_decimals'"),
    (_set(lambda d: d["schema"], "target_decimals", [-(1 << 63)]), "'target_decimals'"),
    (_set(lambda d: d["schema"]["features"][0], "decimals", 10**18), "'decimals'"),
    (_set(lambda d: d["schema"]["features"][0], "decimals", -19), "'decimals'"),
    (_set(lambda d: d["record"], "seed", 1.5), "'seed'"),
    (_set(lambda d: d, "schema", []), "'schema'"),
)


@pytest.mark.parametrize(("change", "said"), BAD_DOCUMENTS)
def test_documents_that_lie(model: Model, change: Callable[[dict[str, Any]], Any], said: str) -> None:
    container = unpack(model_bytes(model), Path("good.qnn"))
    document = copy.deepcopy(dict(container.document))
    change(document)
    changed = Container("float", document, container.arrays)
    if not said:  # a field that nobody asked for is not looked at
        assert model_hash(model_of(changed, Path("odd.qnn"))) == model_hash(model)
        return
    with pytest.raises(QnnError) as caught:
        model_of(changed, Path("bad.qnn"))
    assert str(caught.value).startswith("bad.qnn: ")
    assert said in str(caught.value)
    assert caught.value.remedy


BAD_ARRAYS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray | None], str], ...] = (
    ("node.dense1.0", lambda a: None, "parameters"),
    ("node.dense1.0", lambda a: a.T, "parameters"),
    ("node.dense1.0", lambda a: a.astype(np.float64), "parameters"),
    ("node.dense1.0", lambda a: a[:2], "parameters"),
    ("node.dense1.0", lambda a: a * np.float32(np.inf), "not finite"),
    ("node.dense2.1", lambda a: np.full_like(a, np.nan), "not finite"),
    ("node.dense2.1", lambda a: a[:, None], "parameters"),
    ("normalization.scale", lambda a: None, "normalization.scale"),
    ("normalization.scale", lambda a: a[:2], "normalization.scale"),
    ("normalization.scale", lambda a: -a, "range or scale"),
    ("normalization.scale", lambda a: a.astype(np.float32), "normalization.scale"),
    ("normalization.offset", lambda a: a * np.nan, "not finite"),
    ("normalization.offset", lambda a: a[:, None], "normalization"),
    ("normalization.scale", lambda a: np.full_like(a, 1e308), "range or scale"),
    ("normalization.scale", lambda a: np.full_like(a, 5e-324), "range or scale"),
    ("normalization.offset", lambda a: np.full_like(a, 1e308), "normalization.offset is beyond"),
    ("normalization.offset", lambda a: np.full_like(a, -1e308), "normalization.offset is beyond"),
    ("node.dense1.0", lambda a: np.full_like(a, 3e38), "a parameter is not finite, or beyond"),
    ("normalization.low", lambda a: a + (1 << 40), "range or scale"),
    ("normalization.high", lambda a: a - (1 << 20), "range or scale"),
    ("normalization.target_scale", lambda a: np.ones(2), "target_scale"),
    ("samples", lambda a: None, "samples"),
    ("samples", lambda a: a.astype(np.int64), "samples"),
    ("samples", lambda a: a[:, :2], "samples"),
    ("samples", lambda a: np.zeros((513, 4), np.int32), "513 samples"),
)


@pytest.mark.parametrize(("name", "change", "said"), BAD_ARRAYS)
def test_arrays_that_lie(model: Model, name: str, change: Callable[[np.ndarray], np.ndarray | None], said: str) -> None:
    container = unpack(model_bytes(model), Path("good.qnn"))
    arrays = dict(container.arrays)
    with np.errstate(invalid="ignore"):
        changed = change(arrays.pop(name))
    if changed is not None:
        arrays[name] = changed
    with pytest.raises(QnnError) as caught:
        model_of(Container("float", container.document, arrays), Path("bad.qnn"))
    assert str(caught.value).startswith("bad.qnn: ")
    assert said in str(caught.value)


def test_zero_and_negative_target_scales() -> None:
    model = made(curve(targets=1), "dense")
    container = unpack(model_bytes(model), Path("good.qnn"))
    for scale in (0.0, -1.0, 5e-324, 1e308):
        arrays = {**container.arrays, "normalization.target_scale": np.array([scale])}
        with pytest.raises(QnnError, match="not positive"):
            model_of(Container("float", container.document, arrays), Path("bad.qnn"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (b"hello", "not a .qnn file"),
        (b"PK\x03\x04" + b"\0" * 40, "not a .qnn file"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "m.qnn"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(QnnError, match=said):
        load_model(path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("version", 2, "version 2"), ("version", "1", "version"), ("kind", "magic", "kind"), ("format", "zip", "not a")],
)
def test_other_versions_and_kinds(tmp_path: Path, model: Model, key: str, value: object, said: str) -> None:
    path = tmp_path / "m.qnn"
    path.write_bytes(rezipped(model_bytes(model), lambda document: document.__setitem__(key, value)))
    with pytest.raises(QnnError, match=said):
        load_model(path)


@pytest.mark.parametrize(("kind", "said"), [("integer", "compiled"), ("training", "unfinished")])
def test_other_containers(tmp_path: Path, kind: str, said: str) -> None:
    path = tmp_path / "m.qnn"
    path.write_bytes(pack(Container(kind, {}, {})))
    with pytest.raises(QnnError, match=said):
        load_model(path)


def test_an_array_that_claims_to_be_huge(tmp_path: Path, model: Model) -> None:
    """A header that lies about its shape must neither allocate it nor crash."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 9999), }"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    path = tmp_path / "m.qnn"
    stream = io.BytesIO(model_bytes(model))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("more.npy", array)
    path.write_bytes(stream.getvalue())
    with pytest.raises(QnnError):
        load_model(path)


def rezipped(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The same file with a changed document, every checksum right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(entries["model.json"])
    change(document)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in {**entries, "model.json": json.dumps(document).encode()}.items():
            archive.writestr(name, content)
    return stream.getvalue()


@settings(max_examples=250)
@given(st.data())
def test_damaged_bytes_are_an_error_or_the_same_model(
    tmp_path_factory: pytest.TempPathFactory, model: Model, data: st.DataObject
) -> None:
    good = model_bytes(model)
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    damaged = damaged[: data.draw(st.one_of(st.just(len(good)), st.integers(1, len(good))))]
    path = tmp_path_factory.getbasetemp() / "damaged.qnn"
    path.write_bytes(damaged)
    try:
        again = load_model(path)
    except QnnError:
        return
    assert model_hash(again) == model_hash(model)


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["input", "dense1", "relu", "regression", "uint8"]),
    st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from places(item)


@settings(max_examples=300)
@given(st.data())
def test_any_change_of_the_document_is_an_error_or_a_sound_model(model: Model, data: st.DataObject) -> None:
    container = unpack(model_bytes(model), Path("good.qnn"))
    document = copy.deepcopy(dict(container.document))
    spots = list(places(document))
    where, key = spots[data.draw(st.integers(0, len(spots) - 1))]
    where[key] = data.draw(LEAVES)
    try:
        changed = model_of(Container("float", document, container.arrays), Path("bad.qnn"))
    except QnnError:
        return
    assert np.isfinite(forward(changed, changed.samples)).all()
    assert model_hash(model_of(unpack(model_bytes(changed), Path("again.qnn")), Path("again.qnn"))) == model_hash(
        changed
    )
