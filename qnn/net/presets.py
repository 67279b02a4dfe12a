# SPDX-License-Identifier: MIT
"""Networks that have a name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A network that has a name."""

    name: str
    text: str


PRESETS: tuple[Preset, ...] = (
    Preset("mlp-16", "dense 16 relu, dense"),
    Preset("mlp-32", "dense 32 relu, dense"),
    Preset("mlp-64", "dense 64 relu, dense"),
    Preset("mlp-128", "dense 128 relu, dense"),
    Preset("mlp-32-32", "dense 32 relu, dense 32 relu, dense"),
    Preset("mlp-64-32", "dense 64 relu, dense 32 relu, dense"),
    Preset("cnn-1k", "avgpool 2, conv 4x4 4 stride 2 bn relu, conv 3x3 12 bn relu, maxpool 2, dense"),
    Preset("cnn-5k", "conv 5x5 6 stride 2 bn relu, conv 3x3 12 bn relu, maxpool 2, conv 3x3 24 bn relu, dense"),
    Preset("cnn-7k", "conv 5x5 7 stride 2 bn relu, conv 3x3 14 bn relu, maxpool 2, conv 3x3 28 bn relu, dense"),
    Preset("cnn-9k", "conv 5x5 8 stride 2 bn relu, conv 3x3 16 bn relu, maxpool 2, conv 3x3 32 bn relu, dense"),
    Preset("cnn-17k", "conv 5x5 8 stride 2 bn relu, conv 3x3 24 bn relu, maxpool 2, conv 3x3 48 bn relu, dense"),
    Preset("cnn-29k", "conv 5x5 16 stride 2 bn relu, conv 3x3 32 bn relu, maxpool 2, conv 3x3 64 bn relu, dense"),
)
"""Named after what they weigh on 28x28 images of 10 classes, except mlp, named after its widths."""
