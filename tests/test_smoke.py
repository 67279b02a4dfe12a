# SPDX-License-Identifier: MIT
"""The smoke detector's 12-8-4-1: what it loses at 8 bits, its flash, and its instructions for every input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from qnn.calibration import calibrate
from qnn.compiler import Build, compile_model, write_build
from qnn.data import LoadOptions, load
from qnn.data.dataset import Dataset
from qnn.engines.engine import ObjectSizes
from qnn.engines.image import Images
from qnn.engines.interface import interface_of
from qnn.engines.job import pack
from qnn.engines.measure import count_instructions
from qnn.engines.unicorn_engine import model_calls
from qnn.evaluation import evaluate
from qnn.metrics import score_samples
from qnn.model import Model
from qnn.segments import has_segments
from qnn.toolchain import GCC
from qnn.training import train

FLOAT, LOST = 0.999, 0.0005
FLASH, INSTRUCTIONS = 1300, 1500
INSTRUCTIONS_CLANG = 1520  # it saves more registers around loops
ROWS = 8 + 4 + 1
ENDS = np.iinfo(np.int32)


@pytest.fixture(scope="module")
def trained(data_dir: Path) -> tuple[Dataset, Model]:
    """The data, and the network as `qnn train` trains it."""
    dataset = load(data_dir / "smoke" / "train.csv", LoadOptions())
    model = train(dataset, "dense 8 relu, dense 4 relu, dense").model
    assert model is not None
    return dataset, model


@pytest.fixture(scope="module")
def build(trained: tuple[Dataset, Model]) -> Build:
    """The network at 8 bits."""
    _, model = trained
    return compile_model(model, calibrate(model, model.samples), "smoke")


@pytest.fixture(scope="module")
def images(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """The build as RV32 code, by the preferred compiler."""
    folder = tmp_path_factory.mktemp("smoke")
    write_build(build, folder)
    with closing(Images(folder, interface_of(build.graph))) as made:
        yield made


def test_float_and_8_bits(trained: tuple[Dataset, Model], build: Build) -> None:
    dataset, model = trained
    assert dataset.y is not None
    x, y = dataset.x[dataset.test], dataset.y[dataset.test]
    real = score_samples(model, x, y).value
    assert real >= FLOAT
    assert evaluate(build.graph, x, y).score.value >= real - LOST


def test_flash(images: Images) -> None:
    sizes: ObjectSizes = images.sizes
    assert sizes.code + sizes.rodata <= FLASH
    assert sizes.data + sizes.bss == 0


def test_instructions_of_every_input(trained: tuple[Dataset, Model], build: Build, images: Images) -> None:
    """From raw integers to the class, at every alignment.

    The map of a feature costs what its own reading makes it cost, so readings that are dearest one by one are dearest
    together. Behind the maps only clamps depend on the readings: an instruction a row.
    """
    dataset, model = trained
    x = dataset.x[dataset.test]
    normalization = model.normalization
    edges = [normalization.low, normalization.high, np.full(12, ENDS.min), np.full(12, ENDS.max)]
    for index in np.flatnonzero(has_segments(normalization.segments)):
        line = normalization.segments[index]
        inner = normalization.low.copy()
        for exponent in line[line >= 0]:
            inner[index] += 1 << int(exponent)
            edges += [inner.copy(), inner - 1]
    tried = np.clip(np.concatenate([x, edges]), ENDS.min, ENDS.max).astype(np.int32)
    dearest = tried[0].copy()
    for feature in range(tried.shape[1]):
        one = np.repeat(dearest[None], len(edges), axis=0)
        one[:, feature] = tried[-len(edges) :, feature]
        dearest = one[int(np.argmax(classify_counts(images, one)))]
    counts = classify_counts(images, np.concatenate([tried, dearest[None]]))
    assert max(counts) - counts[-1] <= ROWS  # otherwise another reading is dearer
    assert counts[-1] + ROWS <= (INSTRUCTIONS if images.compiler.kind == GCC else INSTRUCTIONS_CLANG)


def classify_counts(images: Images, x: np.ndarray) -> Sequence[int]:
    """The instructions of smoke_classify on each row."""
    image = images.image()
    jobs = (pack(images.interface, row[None], misalign=index % 4, order="<") for index, row in enumerate(x))
    return list(count_instructions(image, ((job, model_calls(image, job)[1]) for job in jobs)))
