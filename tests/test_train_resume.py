# SPDX-License-Identifier: MIT
"""What is on disk while training goes on, and going on after an interruption: bit for bit the same result."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learnable import curve, hash_of, pictures, readings, same

from qnn.errors import QnnError
from qnn.modelfile import load_model, model_hash
from qnn.training import Epoch, TrainOptions, read_unfinished, train
from qnn.training.resume import Unfinished, resume_path, unfinished_bytes
from qnn.training.state import State

NET = "dense 10 relu, dropout 0.2, dense"
OPTIONS = TrainOptions(epochs=6, batch=32, shift=1)


def stop_after(batches: int) -> Callable[[], bool]:
    """A should_stop that says yes after so many batches."""
    calls = iter(range(batches))
    return lambda: next(calls, None) is None


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("batches", [0, 3, 17, 41])
def test_resuming_gives_what_no_interruption_gives(tmp_path: Path, optimizer: str, batches: int) -> None:
    data, options = pictures(), replace(OPTIONS, optimizer=optimizer)
    whole = train(data, NET, options, tmp_path / "whole.qnn")
    path = tmp_path / "model.qnn"
    part = train(data, NET, options, path, should_stop=stop_after(batches))
    assert part.stopped
    assert len(part.history) == batches // 7  # batches an epoch
    assert path.exists() == (part.model is not None) == (batches >= 7)
    assert resume_path(path).exists()
    rest = train(data, None, options, path, resume=True)
    assert same(rest, whole)
    assert path.read_bytes() == (tmp_path / "whole.qnn").read_bytes()
    assert not resume_path(path).exists()


def test_interrupted_many_times_and_the_model_lost(tmp_path: Path) -> None:
    data, path = curve(), tmp_path / "model.qnn"
    options = replace(OPTIONS, shift=0, averaging=0)
    whole = train(data, NET, options)
    result, tries = train(data, NET, options, path, should_stop=stop_after(13)), 0
    while result.stopped and tries < options.epochs:
        path.unlink(missing_ok=True)
        result, tries = train(data, NET, options, path, resume=True, should_stop=stop_after(13)), tries + 1
    assert same(result, whole)
    assert model_hash(load_model(path)) == hash_of(whole.model)


def test_the_best_model_is_on_disk_after_every_epoch(tmp_path: Path) -> None:
    data, path, seen = readings(), tmp_path / "deep" / "model.qnn", []

    def observe(epoch: Epoch) -> None:
        model = load_model(path)
        unfinished = read_unfinished(path)
        assert len(unfinished.state.history) == epoch.number
        stored = np.concatenate([p.ravel() for node in model.nodes for p in node.parameters])
        np.testing.assert_array_equal(stored, unfinished.state.best)
        seen.append(epoch.best)

    train(data, NET, replace(OPTIONS, shift=0, epochs=12), path, observer=observe)
    assert len(seen) == 12
    assert [p.name for p in path.parent.iterdir()] == ["model.qnn"]


def test_more_epochs_may_be_asked_for_when_resuming(tmp_path: Path) -> None:
    data, path = pictures(), tmp_path / "model.qnn"
    train(data, NET, OPTIONS, path, should_stop=stop_after(20))
    result = train(data, NET, replace(OPTIONS, epochs=9, patience=50), path, resume=True)
    assert len(result.history) == 9


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "--seed 0"),
        ({"batch": 16}, "--batch 32"),
        ({"weight_decay": 0.5}, "--weight-decay 0.002"),
        ({"optimizer": "sgd"}, "--optimizer adam"),
    ],
)
def test_another_training_is_not_resumed(tmp_path: Path, change: dict[str, object], said: str) -> None:
    data, path = pictures(), tmp_path / "model.qnn"
    train(data, NET, OPTIONS, path, should_stop=stop_after(10))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(QnnError, match=said):
        train(data, NET, replace(OPTIONS, **change), path, resume=True)
    with pytest.raises(QnnError, match='--net "dense 10 relu'):
        train(data, "dense 3 relu, dense", OPTIONS, path, resume=True)
    other = replace(data, record=replace(data.record, sha256="11" * 32))
    with pytest.raises(QnnError, match="other data"):
        train(other, NET, OPTIONS, path, resume=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match="nothing to resume"):
        train(pictures(), NET, OPTIONS, tmp_path / "model.qnn", resume=True)


def test_a_model_is_no_resume_file(tmp_path: Path) -> None:
    path = tmp_path / "model.qnn"
    train(pictures(), NET, replace(OPTIONS, epochs=1), path)
    path.rename(resume_path(path))
    with pytest.raises(QnnError, match="not an unfinished training"):
        read_unfinished(path)


def test_an_interrupted_write_leaves_the_last_epoch_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails in the middle of an epoch's write: both files are those of the epoch before."""
    data, path, stored = pictures(), tmp_path / "model.qnn", []
    real = os.fsync

    def full(descriptor: int) -> None:
        if len(stored) >= 3:
            raise OSError(28, "No space left on device")
        real(descriptor)

    def observe(epoch: Epoch) -> None:
        stored.append((path.read_bytes(), resume_path(path).read_bytes()))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(QnnError, match="No space left"):
        train(data, NET, OPTIONS, path, observer=observe)
    assert (path.read_bytes(), resume_path(path).read_bytes()) == stored[-1]
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.undo()
    assert same(train(data, NET, OPTIONS, path, resume=True), train(data, NET, OPTIONS))


def test_an_output_that_cannot_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    epochs: list[Epoch] = []
    with pytest.raises(QnnError, match="cannot be written"):
        train(pictures(), NET, OPTIONS, tmp_path / "file" / "model.qnn", observer=epochs.append)
    assert epochs == []


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train(pictures(), NET, replace(OPTIONS, epochs=1))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def resume_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("resume") / "model.qnn"
    train(readings(), "dense 2 relu, dense", replace(OPTIONS, shift=0), path, should_stop=stop_after(20))
    return resume_path(path).read_bytes()


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_resume_file_is_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, resume_bytes: bytes, data: st.DataObject
) -> None:
    """Flipped or missing bytes: a QnnError, or a file that reads as before."""
    damaged = bytearray(resume_bytes)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    damaged = damaged[: data.draw(st.one_of(st.just(len(damaged)), st.integers(0, len(damaged))))]
    path = tmp_path_factory.getbasetemp() / "damaged.qnn"
    resume_path(path).write_bytes(damaged)
    try:
        unfinished = read_unfinished(path)
    except QnnError:
        return
    assert unfinished_bytes(unfinished) == resume_bytes


def test_the_random_state_survives(tmp_path: Path) -> None:
    """Also with half a word left over in the generator."""
    rng = np.random.Generator(np.random.PCG64(9))
    rng.integers(0, 10, 3, dtype=np.uint32)
    v = np.zeros(3, np.float32)
    record = readings().record
    state = State(v, v, v, (v,), rng, 0, ())
    path = tmp_path / "m.qnn"
    resume_path(path).write_bytes(unfinished_bytes(Unfinished("dense 1", TrainOptions(), record, state)))
    again = read_unfinished(path).state.rng
    assert again.bit_generator.state == rng.bit_generator.state
    np.testing.assert_array_equal(again.random(9), rng.random(9))
