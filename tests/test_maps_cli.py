# SPDX-License-Identifier: MIT
"""Convolutional networks from the command line: looked at before training, trained, taught, compiled, run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from learnable import pictures

from qnn.modelfile import load_model

NET = "conv 3x3 4 bn relu, maxpool 2, dense"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images in data.npz, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    data = pictures(side=16, count=300)
    np.savez(tmp_path / "data.npz", x=data.x, y=data.y)
    return tmp_path


def test_a_network_is_seen_before_it_is_trained(qnn: Run) -> None:
    code, out, err = qnn("inspect", "--net", "cnn-5k")
    assert (code, err) == (0, "")
    for text in ("12x12x6", "10x10x12", "5x5x12", "3x3x24", "5,770", "111,888", "5,758"):
        assert text in out
    document = json.loads(qnn("inspect", "--net", "cnn-5k", "--json")[1])
    assert (document["parameters"], document["macs"], document["weight_bytes"]) == (5770, 111888, 5758)
    assert [node["layer"] for node in document["nodes"]][:4] == ["conv2d", "batch_norm", "relu", "conv2d"]
    assert document["nodes"][3]["inputs"] == ["relu1"]
    assert qnn("inspect", "--net", "cnn-5k", "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        (("--net", "dense 8 relu, dense", "--input", "64", "--outputs", "3"), [3]),
        (("--net", "conv1d 3 4 relu, gap", "--input", "20"), [4]),
        (("--net", "conv 3x3 4, gap", "--input", "20x30"), [4]),
        (("--net", "bn, dense 2", "--input", "6"), [2]),
    ],
)
def test_any_input_may_be_asked_about(qnn: Run, words: tuple[str, ...], shape: list[int]) -> None:
    document = json.loads(qnn("inspect", *words, "--json")[1])
    assert document["nodes"][-1]["shape"] == shape


def test_a_batch_norm_weighs_something_only_where_it_does_not_fold(qnn: Run) -> None:
    document = json.loads(qnn("inspect", "--net", "bn, conv 3x3 2 bn relu, dense 3", "--input", "6x6x1", "--json")[1])
    assert [node["weight_bytes"] for node in document["nodes"]] == [5, 26, 0, 0, 0, 108]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "either a file or --net"),
        (("model.qnn", "--net", "dense 3"), "either a file or --net"),
        (("--net", "cnn-6k"), "did you mean 'cnn-"),
        (("--net", "dense 3", "--input", "0x3"), "--input 0x3"),
        (("--net", "dense 3", "--input", "1x2x3x4"), "--input"),
        (("--net", "dense 3", "--input", "9999x9999"), "--input"),
        (("--net", "dense 3", "--input", "-3"), "--input"),
        (("--net", "dense 3", "--input", "\u0663"), "--input"),
        (("--net", "conv 9x9 3, dense 3", "--input", "8x8"), "9x9 kernel on a map of 8x8"),
    ],
)
def test_mistakes_of_inspect_are_one_line(qnn: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = qnn("inspect", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_train_teach_compile_simulate(folder: Path, qnn: Run) -> None:
    common = ("--epochs", "6", "--batch", "32", "--quiet")
    assert qnn("train", "data.npz", "--net", "conv 3x3 8 bn relu, gap, dense", "-o", "big.qnn", *common) == (0, "", "")
    code, out, err = qnn(
        *("train", "data.npz", "--net", NET, "--teacher", "big.qnn", "--distill", "0.9", "--temperature", "3"),
        *("--cutout", "4", "--rotate", "5", "-o", "small.qnn", "--epochs", "6", "--json"),
    )
    assert code == 0, err
    document = json.loads(out)
    options = document["options"]
    assert (options["distill"], options["temperature"], options["cutout"], options["rotate"]) == (0.9, 3.0, 4, 5.0)
    assert (options["shift"], options["zoom"], options["shear"], options["smoothing"]) == (2, 0.12, 0.15, 0.03)
    assert load_model(folder / "small.qnn").net == "conv 3x3 4 bn relu, maxpool 2, dense 4"
    assert qnn("compile", "small.qnn", "-o", "build", "--quiet")[0] == 0
    assert "accuracy" in qnn("simulate", "build")[1]
    code, out, err = qnn("inspect", "build")
    assert (code, err) == (0, "")
    manifest = json.loads((folder / "build" / "manifest.json").read_text())
    assert f"Scratch memory: {manifest['ram']['scratch']:,} bytes" in out
    assert "(workspace of dense1)" in out
    drawn = [
        line for line in out.splitlines() if re.fullmatch(r"(conv2d1|max_pool1|dense1) +[A-Z+.]{20,} +[0-9,]+", line)
    ]
    assert [line.split()[0] for line in drawn] == ["conv2d1", "max_pool1", "dense1"]
    assert "A" in drawn[0].split()[1]
    assert "+" in drawn[2].split()[1]
    assert {"A", "B"} <= set(drawn[1].split()[1])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--teacher", "no.qnn"), "no.qnn"),
        (("--teacher", "data.npz"), "data.npz"),
        (("--teacher", "no.qnn", "--distill", "2"), "--distill 2"),
        (("--teacher", "no.qnn", "--temperature", "0"), "--temperature 0"),
        (("--distill", "0.5"), "--distill: says nothing without a teacher"),
        (("--temperature", "2"), "--temperature: says nothing without a teacher"),
        (("--rotate", "999"), "--rotate 999"),
        (("--cutout", "16"), "--cutout 16"),
        (("--net", "conv 17x17 3, dense"), "17x17 kernel on a map of 16x16"),
        (("--net", "conv 1x1 9000, gap, dense", "--batch", "500"), "--batch 500: of this network needs about 12 GB"),
    ],
)
def test_mistakes_of_train_are_one_line(folder: Path, qnn: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = qnn("train", "data.npz", "--epochs", "1", "--quiet", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["data.npz"]


def test_a_teacher_that_is_not_there_leaves_the_model_and_the_one_before(folder: Path, qnn: Run) -> None:
    words = ("train", "data.npz", "--net", "gap, dense", "--epochs", "1", "--quiet")
    assert qnn(*words)[0] == qnn(*words, "--seed", "1")[0] == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {"model.qnn", "model.previous.qnn"} <= set(before)
    assert qnn(*words, "--teacher", "no.qnn")[0] == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_teacher_of_another_split_is_refused(folder: Path, qnn: Run) -> None:
    assert qnn("train", "data.npz", "--net", NET, "-o", "big.qnn", "--epochs", "1", "--seed", "4", "--quiet")[0] == 0
    code, _, err = qnn("train", "data.npz", "--net", NET, "--teacher", "big.qnn", "--epochs", "1")
    assert code == 2
    assert "--seed 4" in err
