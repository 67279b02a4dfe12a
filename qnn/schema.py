# SPDX-License-Identifier: MIT
"""What a sample is and where samples came from: known to data, float models and integer graphs alike."""

from __future__ import annotations

from dataclasses import dataclass

TASKS = ("classification", "regression")
RANDOM, CHRONOLOGICAL = "random", "chronological"
SPLITS = (RANDOM, CHRONOLOGICAL)


@dataclass(frozen=True)
class Feature:
    """One element of a flat sample: its name and its decimal unit (a raw integer r means r * 10**-decimals)."""

    name: str
    decimals: int = 0


@dataclass(frozen=True)
class Schema:
    """What goes into a network and what comes out.

    shape: one sample's shape, (F,) or (H, W, C).
    dtype: the raw integers' type, "uint8" (pixels, bytes), "int8" or "int16" (imported models) or "int32" (readings in
    units of 10**-decimals).
    features: one per element of a flat sample; empty for images.
    task: "classification" or "regression".
    classes: class names, in the order of the class indices (classification, else empty).
    targets: target names (regression, else empty).
    target_decimals: of each target, the decimals its values have in the data.
    """

    shape: tuple[int, ...]
    dtype: str
    features: tuple[Feature, ...]
    task: str
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    target_decimals: tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """How a table was read, as in data.LoadOptions; test_file is "" where there was none."""

    label: tuple[str, ...] = ("last",)
    drop_columns: tuple[str, ...] = ()
    drop_missing: bool = False
    missing: tuple[str, ...] = ()
    header: str = "auto"
    separator: str = "auto"
    test_file: str = ""
    inputs: tuple[str, ...] = ()
    input_units: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataRecord:
    """Which data a model was trained on, how it was read and split, to find the same rows again.

    sha256: of the samples, hex. seed, validation_fraction (of what is not test), test_fraction: the split, which is
    "random", or "chronological" where rows are in the order of time.
    """

    source: str
    sha256: str
    seed: int
    validation_fraction: float
    test_fraction: float
    reading: Reading = Reading()
    split: str = RANDOM
