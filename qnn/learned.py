# SPDX-License-Identifier: MIT
"""What quantization-aware training leaves in a model: the widths, steps and ranges that it was trained with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from qnn.errors import QnnError
from qnn.precision import TERNARY
from qnn.scales import Scales, read_scales, scales_bytes
from qnn.schemafile import Document
from qnn.widths import ACTIVATION_BITS, EIGHT_NAME, TRAINED, WEIGHT_BITS, Width, Widths

AGAIN = "train the model again"


@dataclass(frozen=True)
class Reached:
    """What the rounded network scored when training kept it: the metric's name, its value, on how many rows of what."""

    metric: str
    value: float
    samples: int
    rows: str

    def __str__(self) -> str:
        value = f"{100 * self.value:.2f} %" if self.metric == "accuracy" else f"{self.value:.5g}"
        return f"{self.metric} {value} on {self.samples:,} {self.rows}"


@dataclass(frozen=True)
class Learned:
    """The Widths of a model, with the steps of its weights, and its Scales: with them it compiles as it was trained.

    reached: None before the first epoch, and in older files.
    """

    widths: Widths
    scales: Scales
    reached: Reached | None = None

    def with_steps(self, steps: dict[str, np.ndarray]) -> Learned:
        """The same with other steps, float32 (O,) by the layer's name."""
        layers = tuple(
            (name, replace(width, steps=tuple(steps[name].tolist()))) if name in steps else (name, width)
            for name, width in self.widths.layers
        )
        return replace(self, widths=replace(self.widths, layers=layers))

    def with_ranges(self, ranges: Mapping[str, tuple[float, float]]) -> Learned:
        """The same with other ranges, low and high by the tensor's name, that every width then goes by."""
        tensors = tuple(
            replace(tensor, range=replace(tensor.range, low=ranges[name][0], high=ranges[name][1], clips=()))
            if (name := tensor.name) in ranges
            else tensor
            for tensor in self.scales.tensors
        )
        return replace(self, scales=replace(self.scales, tensors=tensors))


def default_bits(learned: Learned | None) -> str:
    """What --bits is where nobody says it."""
    return EIGHT_NAME if learned is None else TRAINED


def left_out_text(subject: str, options: str) -> str:
    """A line on widths that take the place of those that `subject` was trained for."""
    verb = "leave" if " and " in options else "leaves"
    trained = f"--bits {TRAINED}, the default, takes them"
    return f"{subject} was trained for few bits: {options} {verb} its learned steps and ranges out; {trained}"


def learned_of(learned: Learned | None, subject: str) -> Learned:
    """What --bits trained asks for. Raises QnnError where the model has nothing of the kind."""
    if learned is None:
        raise QnnError(subject, "was not trained for few bits, as --bits trained wants", "train it with --qat")
    return learned


def learned_document(learned: Learned) -> dict[str, Any]:
    """As JSON, for a model file."""
    widths = learned.widths
    reached = {} if learned.reached is None else {"reached": asdict(learned.reached)}
    return {
        "input": widths.input,
        "default": {"weights": widths.default.weights, "activations": widths.default.activations},
        "layers": [{"name": name, **vars(width), "steps": list(width.steps)} for name, width in widths.layers],
        "scales": json.loads(scales_bytes(learned.scales)),
        **reached,
    }


def read_learned(document: Document, outputs: dict[str, int]) -> Learned:
    """The Learned in a document; `outputs`: how many each layer with weights has, by its name. Raises QnnError."""
    layers = []
    for item in document.list("layers"):
        name, steps = item.text("name"), item.numbers("steps")
        fits = len(steps) in (0, outputs.get(name, -1)) and all(float(np.float32(step)) == step > 0 for step in steps)
        if not fits:
            raise QnnError(document.path, f"its learned steps of {name[:40]!r} do not fit", AGAIN)
        layers.append((name, replace(_width(item), steps=steps)))
    widths = Widths(document.integer("input"), _width(document.child("default")), tuple(layers))
    if widths.input not in (8, 16) or len({name for name, _ in layers}) != len(layers):
        raise QnnError(document.path, "its learned widths contradict themselves", AGAIN)
    reached = _reached(document.child("reached")) if "reached" in document.values else None
    return Learned(widths, read_scales(document.child("scales")), reached)


def _reached(document: Document) -> Reached:
    return Reached(
        document.text("metric"), document.number("value"), document.integer("samples"), document.text("rows")
    )


def _width(document: Document) -> Width:
    width = Width(document.integer("weights"), document.integer("activations"))
    if width.weights not in (*WEIGHT_BITS, TERNARY) or width.activations not in ACTIVATION_BITS:
        raise QnnError(document.path, "its learned widths are out of range", AGAIN)
    return width
