# SPDX-License-Identifier: MIT
"""Random networks whose kernels' costs are measured: every kind of layer, at every width, made in every way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from networks import Example, model_of

from qnn.calibration import calibrate
from qnn.compiler import Build, compile_model
from qnn.errors import QnnError
from qnn.headroom import OFF, WEIGHTS
from qnn.instructions.predict import zeros_of
from qnn.mixed import choices_of, widths_of
from qnn.model import Model, no_segments
from qnn.ops.choices import BALANCED, ON, SIZE, Choices
from qnn.segments import NONE, SEGMENTS, filled
from qnn.simulator import simulate, tensor_names

SIZES = (3, 4, 5, 7, 8, 10, 12, 16, 17, 24, 32, 33, 48, 64)
LARGE = 5  # every such network has large layers
WIDE = 7  # every such network has 16 bits
LARGE_SIZES, LARGE_INPUTS, LARGE_FILTERS = (32, 64, 96, 128), (256, 400, 640, 784), (16, 24, 32, 48, 64)
INPUTS = (3, 5, 8, 12, 16, 21, 32, 40, 64, 100, 144, 200, 256)
FILTERS = (1, 2, 3, 4, 5, 6, 8, 9, 12, 16)
ACTIVATIONS = (" relu", " relu", " relu", " tanh", " leaky_relu 0.1", "")
WEIGHT_BITS, ACTIVATION_BITS = (8, 8, 8, 4, 4, 16), (8, 8, 8, 5, 16)
TIGHT_BITS = (2, 3, 4, 5, 6)  # of weights where they are stored so
READINGS = (100, 2000, 1 << 20, 3_000_000_000)  # how wide the ranges of raw readings are
LAYERS = ("conv", "conv", "conv", "depthwise", "pointwise", "maxpool", "avgpool", "residual", "concat")
FIRST_HELD = 100_000  # the seed of the first network that costs are never fitted to


@dataclass(frozen=True, eq=False)
class Costed:
    """A network of the table: its build and one raw sample (1, *shape)."""

    build: Build
    x: np.ndarray

    @cached_property
    def zeros(self) -> Mapping[str, float]:
        """The groups of zeros of each tensor for that sample."""
        graph = self.build.graph
        return zeros_of(simulate(graph, self.x, tensor_names(graph)))


def costed(seed: int, choices: Choices) -> Costed | None:
    """Network number `seed`, made by `choices`; None where its layers do not fit each other."""
    rng = np.random.default_rng(seed)
    large = seed % LARGE == LARGE - 1
    net, shape, dtype, outputs = (_dense if seed % 3 == 0 else _convolutional)(rng, large)
    example = Example(f"n{seed}", net, shape, dtype, outputs * (outputs > 1), int(outputs == 1))
    try:
        model = model_of(example, seed)
        if dtype == "int32":
            model = _with_odd_ranges(model, rng)
        scales = calibrate(model, model.samples)
        found = choices_of(model, scales)
    except QnnError:
        return None
    weights, activations = int(rng.choice(WEIGHT_BITS)), int(rng.choice(ACTIVATION_BITS))
    mixed = rng.random() < 1 / 3
    if choices.pack == ON:
        weights, activations, mixed = int(rng.choice(TIGHT_BITS)), 8, False
    elif seed % WIDE == WIDE - 1:
        weights, activations, mixed = 16, 16, False
    bits = tuple(
        (int(rng.choice(WEIGHT_BITS)) if mixed else weights)
        if choice.weights
        else max(int(rng.choice(ACTIVATION_BITS)) if mixed else activations, choice.candidates[0])
        for choice in found
    )
    headroom, widths = str(rng.choice([WEIGHTS, OFF])), widths_of(found, bits)
    build = compile_model(model, scales, example.name, headroom, widths=widths, choices=choices)
    return Costed(build, model.samples[:1])


def _with_odd_ranges(model: Model, rng: np.random.Generator) -> Model:
    """The model with readings that begin and end anywhere, some of them on lines of segments."""
    features = model.samples.shape[1]
    widths = rng.choice(READINGS, features) if rng.random() < 0.5 else np.full(features, READINGS[1])
    low = -(widths // 2) if rng.random() < 0.7 else np.zeros(features, np.int64)
    lines = np.full((features, SEGMENTS), NONE, np.int8)
    if rng.random() < 0.4:
        for index in np.flatnonzero(rng.random(features) < 0.5):
            line = np.sort(rng.integers(7, 15, int(rng.choice((2, 4, 8))))).astype(np.int8)
            lines[index], widths[index] = filled(line), int((1 << line.astype(np.int64)).sum())
    high = np.minimum(low + widths, np.iinfo(np.int32).max)
    heights = np.where((lines != NONE).any(axis=1), (lines != NONE).sum(axis=1), widths)
    segments = lines if (lines != NONE).any() else no_segments()
    found = replace(model.normalization, low=low, high=high, offset=low.astype(float), scale=1.0 / heights)
    samples = rng.integers(low, high + 1, model.samples.shape).astype(np.int32)
    return replace(model, normalization=replace(found, segments=segments), samples=samples)


def _dense(rng: np.random.Generator, large: bool) -> tuple[str, tuple[int, ...], str, int]:
    sizes = [int(rng.choice(LARGE_SIZES if large else SIZES)) for _ in range(rng.integers(1, 4))]
    layers = [f"dense {size}{rng.choice((*ACTIVATIONS, ' sigmoid'))}" for size in sizes]
    outputs = int(rng.integers(1, 13))
    dtype = "uint8" if rng.random() < 0.7 else "int32"
    inputs = int(rng.choice(LARGE_INPUTS if large else INPUTS))
    return ", ".join((*layers, f"dense {outputs}")), (inputs,), dtype, outputs


def _convolutional(rng: np.random.Generator, large: bool) -> tuple[str, tuple[int, ...], str, int]:
    height, width = (int(size) for size in rng.integers(6, 15, 2))
    channels = int(rng.choice((16, 32, 64) if large else (1, 1, 1, 2, 3, 4, 6, 8)))
    outputs = int(rng.integers(2, 13))
    layers = [_layer(rng, LARGE_FILTERS if large else FILTERS) for _ in range(rng.integers(1, 4))]
    end = rng.choice(("flatten", "gap", "maxpool 2, flatten"))
    return ", ".join((*layers, end, f"dense {outputs}")), (height, width, channels), "uint8", outputs


def _layer(rng: np.random.Generator, sizes: tuple[int, ...]) -> str:
    kind, filters = rng.choice(LAYERS), int(rng.choice(sizes))
    rest = f"{rng.choice(('', '', ' stride 2'))} {rng.choice(('same', 'same', 'valid'))}{rng.choice(ACTIVATIONS)}"
    if kind == "conv":
        return f"conv {rng.choice(('3x3', '3x3', '5x5', '2x2', '1x1', '3x1', '4x4'))} {filters}{rest}"
    if kind == "depthwise":
        return f"depthwise {rng.choice(('3x3', '3x3', '5x5', '2x3'))}{rest}"
    if kind == "pointwise":
        return f"conv 1x1 {filters}{rng.choice(ACTIVATIONS)}"
    if kind == "residual":
        return f"residual(conv 3x3 {filters} relu, conv 3x3 {filters}) relu"
    if kind == "concat":
        return f"concat(conv 1x1 {filters} relu; conv 3x3 {max(filters // 2, 1)} relu; linear)"
    return f"{kind} 2"


class Way(NamedTuple):
    """A way to make networks, and how many: those that costs are fitted to, and those that are held out from it."""

    name: str
    make: Callable[[int], Costed | None]
    fitted: int
    held: int


WAYS = (
    Way("speed", partial(costed, choices=Choices()), 675, 200),
    Way("size", partial(costed, choices=Choices(optimize=SIZE)), 120, 25),
    Way("balanced", partial(costed, choices=Choices(optimize=BALANCED)), 120, 25),
    Way("constant time", partial(costed, choices=Choices(constant_time=True)), 120, 25),
    Way("packed", partial(costed, choices=Choices(pack=ON)), 120, 30),
)
