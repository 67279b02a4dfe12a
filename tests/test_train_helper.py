# SPDX-License-Identifier: MIT
"""The second process of a training: the same bits as without it, whatever happens to it; nothing of it is left."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from learnable import pictures, same
from test_train_maps import EVERY, NET, QUICK
from test_train_resume import stop_after

from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.process import Companion
from qnn.training import TrainOptions, TrainResult, train
from qnn.training.helper import DONE, START, Helper, helper_for
from qnn.training.job import Callbacks, prepare

OPTIONS = replace(QUICK, epochs=3, cutout=3)


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Companion]]:
    """Helpers help even small trainings; the list of those that were started, which must have ended after the test."""
    companions: list[Companion] = []

    class Noted(Companion):
        def __init__(self, module: str, argument: str) -> None:
            super().__init__(module, argument)
            companions.append(self)

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("qnn.training.helper.Companion", Noted)
    monkeypatch.setattr("qnn.training.loop.WORTH_HELP", 0)
    monkeypatch.setattr("qnn.training.loop.processors", lambda: 2)
    yield companions
    assert all(companion.ended for companion in companions)
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.fixture(scope="module")
def alone() -> TrainResult:
    """A training by one process."""
    return train(pictures(), EVERY, OPTIONS)


def test_two_processes_give_the_same_model(helped: list[Companion], alone: TrainResult) -> None:
    assert same(train(pictures(), EVERY, OPTIONS), alone)
    assert len(helped) == 1


def test_rows_may_come_in_any_order(helped: list[Companion], monkeypatch: pytest.MonkeyPatch) -> None:
    data = pictures()
    data = replace(data, train=data.train[::-1])
    together = train(data, NET, OPTIONS)
    monkeypatch.setattr("qnn.training.loop.processors", lambda: 1)
    assert same(train(data, NET, OPTIONS), together)
    assert len(helped) == 1


def test_a_teacher_and_a_resumed_training(helped: list[Companion], tmp_path: Path) -> None:
    data, path = pictures(), tmp_path / "m.qnn"
    teacher = train(data, NET, replace(OPTIONS, epochs=1)).model
    whole = train(data, "conv 3x3 2 bn relu, dense", OPTIONS, teacher=teacher)
    part = train(data, "conv 3x3 2 bn relu, dense", OPTIONS, path, teacher=teacher, should_stop=stop_after(9))
    assert part.stopped
    rest = train(data, None, OPTIONS, path, teacher=teacher, resume=True)
    assert same(rest, whole)
    assert len(helped) == 4


@pytest.mark.parametrize("when", [0, 1, 12])
def test_if_it_dies_the_training_goes_on_to_the_same_model(
    helped: list[Companion], alone: TrainResult, when: int
) -> None:
    calls = iter(range(when))

    def kill_then() -> bool:
        if next(calls, None) is None:
            helped[0].close()
        return False

    assert same(train(pictures(), EVERY, OPTIONS, should_stop=kill_then), alone)


@pytest.mark.parametrize("python", ["/nowhere/python", "", None])
def test_if_it_cannot_be_started_the_training_does_without(
    helped: list[Companion], alone: TrainResult, monkeypatch: pytest.MonkeyPatch, python: str | None
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    assert same(train(pictures(), EVERY, OPTIONS), alone)
    assert helped == []


@pytest.mark.parametrize("writer", ["qnn.training.helper.save_model", "qnn.training.helper.np.save"])
def test_if_its_files_cannot_be_written_the_training_does_without(
    helped: list[Companion], alone: TrainResult, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    def full(*_: object) -> None:
        if writer.endswith("save_model"):
            raise QnnError("model.qnn", "cannot be written (No space left on device)", "free some space")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, full)
    assert same(train(pictures(), EVERY, OPTIONS), alone)
    assert helped == []


def test_if_it_fails_at_once_the_training_does_without(
    helped: list[Companion], alone: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [place for place in sys.path if "site-packages" not in place])  # without numpy
    assert same(train(pictures(), EVERY, OPTIONS), alone)
    assert len(helped) == 1


def test_an_exception_ends_it(helped: list[Companion]) -> None:
    def interrupt() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(pictures(), NET, OPTIONS, should_stop=interrupt)
    assert len(helped) == 1


def test_dense_and_short_trainings_need_none(helped: list[Companion], monkeypatch: pytest.MonkeyPatch) -> None:
    train(pictures(), "dense 8 relu, dense", OPTIONS)
    monkeypatch.setattr("qnn.training.loop.WORTH_HELP", 1 << 35)
    train(pictures(), NET, OPTIONS)
    monkeypatch.setattr("qnn.training.loop.WORTH_HELP", 0)
    monkeypatch.setattr("qnn.training.loop.processors", lambda: 1)
    train(pictures(), NET, OPTIONS)
    assert helped == []


def helper_of(data: Dataset, options: TrainOptions) -> tuple[object, np.ndarray]:
    job, _ = prepare(data, NET, options, None, Callbacks(lambda *_: None, lambda: False))
    vector = np.concatenate([array.ravel() for node in job.model.nodes for array in node.parameters])
    return helper_for(job.model, None, data, job.options), vector


def test_it_has_the_training_rows_only_and_tells_the_loss(helped: list[Companion]) -> None:
    data = pictures()
    y = data.y.copy()
    y[data.test] = 99  # a class that does not exist: reading it would fail
    data = replace(data, y=y, train=data.train[::2])
    context, vector = helper_of(data, OPTIONS)
    with context as helper:
        assert isinstance(helper, Helper)
        assert sorted(path.name for path in Path(tempfile.gettempdir()).glob("qnn-*/*.npy")) == ["x.npy", "y.npy"]
        for rows in (data.train[-7:][::-1], data.train[:1]):
            gradient = np.full_like(vector, np.nan)
            helper.start(vector, rows, 0.5, 1 << 62)
            loss = helper.finish(gradient)
            assert loss is not None
            assert 0 < loss < 10
            assert np.isfinite(gradient).all()


def test_a_companion_answers_byte_by_byte_and_ends() -> None:
    companion = Companion("qnn.training.helper", os.devnull)  # no folder: it ends at once
    assert companion.answer() == b""
    companion.close()
    assert companion.ended
    assert not companion.tell(START)
    assert companion.answer() != DONE
