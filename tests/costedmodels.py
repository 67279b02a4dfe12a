# SPDX-License-Identifier: MIT
"""Whole networks whose instructions are predicted and counted: for test_instructions and `bench/run.py costs`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from benchmodels import DS_CNN, MAPS, MLP, MODELS, bell_shaped, build_of
from golden import FOLDER
from networks import Example

from qnn.calibration import calibrate
from qnn.compiler import Build, build_graph, integer_graph, write_build
from qnn.data.synthetic import random_samples
from qnn.engines.image import Images
from qnn.engines.interface import interface_of
from qnn.engines.job import pack
from qnn.engines.measure import count_instructions
from qnn.engines.unicorn_engine import model_calls
from qnn.files import write_whole
from qnn.graph import Graph
from qnn.graphfile import load_graph
from qnn.instructions.predict import zeros_of
from qnn.mixed import choices_of, widths_of
from qnn.model import Model
from qnn.scales import Scales
from qnn.simulator import simulate, tensor_names
from qnn.toolchain import Compiler
from qnn.widths import MIXED, widths_named

TOLERANCE = 0.05  # of a prediction
COUNTS = Path(__file__).parent / "instructions.json"
COMMITTED = ("cnn-1k-w4", "cnn-3k-w4", "cnn-5k", "cnn-5k-w4", "cnn-7k")
PRESETS = ("cnn-1k", "cnn-5k", "cnn-7k", "cnn-9k")
TURNS = (4, 16, 8, 8, 4, 5, 8)  # the widths of a mixed network, choice by choice, again and again


@dataclass(frozen=True)
class Costed:
    """A network with a count of its own: an example at some widths, or a committed integer model."""

    name: str
    example: Example | None = None
    bits: str = "8"


def _images(net: str) -> Example:
    return Example(net.replace("-", "_").replace(" ", "_")[:20], net, (28, 28, 1), "uint8", 10)


SUM = "conv 3x3 8 same relu, residual(conv 3x3 8 relu, conv 3x3 8) relu, maxpool 2, flatten, dense 10"
RESIDUAL = Example("residual", SUM, (12, 12, 1), "uint8", 10)
KEYWORDS = Example("ds_cnn", DS_CNN, (49, 10, 1), "uint8", 12)
COSTED = (
    *(Costed(name) for name in COMMITTED),
    *(Costed(f"{net} {bits}", _images(net), bits) for net in PRESETS for bits in ("8", "w4a8", "16", MIXED)),
    *(Costed(f"cnn-5k {bits}", _images("cnn-5k"), bits) for bits in ("w2a8", "w5a8")),
    Costed("cnn-9k w3a8", _images("cnn-9k"), "w3a8"),
    *(Costed(f"784-64-10 {bits}", MLP, bits) for bits in ("w2a8", "w4a8", "w6a8", "16")),
    *(Costed(f"maps {bits}", MAPS, bits) for bits in ("8", "w4a8", "w3a8", MIXED)),
    *(Costed(f"residual {bits}", RESIDUAL, bits) for bits in ("8", "w4a8")),
    Costed("ds-cnn w4a8", KEYWORDS, "w4a8"),
)
BUDGETED = tuple(model for model in MODELS if model.name not in ("digits", "thermistor"))


@cache
def _source(example: Example) -> tuple[Model, Scales]:
    """What all widths of an example share."""
    source = bell_shaped(example)
    return source, calibrate(source, source.samples)


@cache
def costed_graph(model: Costed) -> tuple[Graph, np.ndarray]:
    """The integer graph, and one raw sample (1, *shape)."""
    if model.example is None:
        graph = load_graph(FOLDER / model.name / "model.qnn")
        return graph, random_samples(graph.schema, (), (), 1, np.random.default_rng(0))
    source, scales = _source(model.example)
    if model.bits == MIXED:
        choices = choices_of(source, scales)
        widths = widths_of(choices, tuple(_width(index, choice.weights) for index, choice in enumerate(choices)))
    else:
        widths = widths_named(model.bits)
    return integer_graph(source, scales, model.example.name, widths=widths), source.samples[:1]


@cache
def costed_build(model: Costed) -> tuple[Build, np.ndarray]:
    """The build of it, and the same sample."""
    graph, x = costed_graph(model)
    return build_graph(graph, None, x[0]), x


def _width(index: int, weights: bool) -> int:
    width = TURNS[index % len(TURNS)]
    return width if weights or width > 8 else 8


@cache
def zeros_at(model: Costed) -> Mapping[str, float]:
    """The groups of zeros of each tensor for that sample."""
    graph, x = costed_graph(model)
    return zeros_of(simulate(graph, x, tensor_names(graph)))


def budgeted_build(name: str) -> tuple[Build, np.ndarray]:
    """The build of a model with a budget, and the raw sample (1, *shape) that is its typical one."""
    build, x = build_of(next(model for model in MODELS if model.name == name))
    return build, x[1:]


def counted(model: Costed, compiler: Compiler) -> int:
    """Instructions of NAME_run for the model's sample, exact."""
    build, x = costed_build(model)
    interface = interface_of(build.graph)
    with tempfile.TemporaryDirectory(prefix="qnn-") as folder:
        write_build(build, Path(folder))
        with closing(Images(Path(folder), interface, compiler)) as images:
            job = pack(interface, x, misalign=0, order="<")
            return next(count_instructions(images.image(), [(job, model_calls(images.image(), job)[0])]))


def load_counts() -> dict[str, dict[str, int]]:
    """What was counted, by compiler (see budget_name), then by network."""
    return json.loads(COUNTS.read_text()) if COUNTS.exists() else {}


def save_counts(compiler: str, counts: Mapping[str, int]) -> None:
    """Write what was counted with one compiler beside the others'."""
    found = {**load_counts(), compiler: dict(counts)}
    write_whole(COUNTS, (json.dumps(found, indent=1, sort_keys=True) + "\n").encode())
