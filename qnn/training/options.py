# SPDX-License-Identifier: MIT
"""How to train: the choices a user has, each with the value that suits most data."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.layers.initial import INITS
from qnn.optimizers import OPTIMIZERS
from qnn.schedules import SCHEDULES

AUTOMATIC = 0
AUGMENT_AUTOMATIC = -1
STEPS = {"classification": 12_500, "regression": 40_000}  # what a small network needs, whatever the data's size
EPOCHS_LEAST, EPOCHS_MOST = 3, 300
BATCH_LEAST, BATCH_MOST = 16, 128
BATCHES = 128  # wanted in an epoch
RATES = {"adam": 0.01, "sgd": 0.05}
SHIFT_FROM = 16  # pixels a side: smaller images lose too much to a shift

BOUNDS: tuple[tuple[str, float, float], ...] = (
    ("epochs", 0, 1_000_000),
    ("batch", 0, 1 << 16),
    ("rate", 0, 100),
    ("momentum", 0, 0.9999),
    ("weight_decay", 0, 10),
    ("l2", 0, 10),
    ("smoothing", 0, 0.9),
    ("averaging", 0, 0.999999),
    ("augment", -1, 16),
    ("patience", 0, 1_000_000),
    ("seed", 0, (1 << 63) - 1),
)
CHOICES = (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("init", INITS))


@dataclass(frozen=True)
class TrainOptions:
    """How to train. Raises QnnError for a value that makes no sense.

    epochs, batch, rate: 0 means "as suits the data" (`resolved`).
    optimizer: "adam" or "sgd"; momentum: Sgd's, and the first of Adam's two.
    schedule: of the learning rate, whose peak is `rate`: one of SCHEDULES.
    weight_decay: decoupled, times the rate (Loshchilov, Hutter 2019); l2: a term l2 / 2 * |w|**2 of the loss.
    smoothing: of the labels. averaging: decay per step of the moving average of the parameters, which is what is
    evaluated and kept; 0 turns it off. init: "he" or "xavier".
    augment: images are shifted at random by up to so many pixels while training; -1: by 1 if they are large enough.
    patience: stop when so many epochs brought nothing better; 0: never.
    """

    epochs: int = AUTOMATIC
    batch: int = AUTOMATIC
    optimizer: str = "adam"
    rate: float = AUTOMATIC
    momentum: float = 0.9
    schedule: str = "one-cycle"
    weight_decay: float = 0.002
    l2: float = 0.0
    smoothing: float = 0.0
    averaging: float = 0.999
    init: str = "he"
    augment: int = AUGMENT_AUTOMATIC
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in BOUNDS:
            value = getattr(self, name)
            if not low <= value <= high:
                raise QnnError(
                    f"{option_name(name)} {value}", f"is outside {low:g} to {high:g}", "choose another value"
                )
        for name, choices in CHOICES:
            value = getattr(self, name)
            if value not in choices:
                raise QnnError(f"{option_name(name)} {value}", "is unknown", f"use {' or '.join(choices)}")


def option_name(field: str) -> str:
    """How the command line calls a field of TrainOptions."""
    return f"--{field.replace('_', '-')}"


def resolved(options: TrainOptions, dataset: Dataset) -> TrainOptions:
    """`options` with every automatic value replaced by what suits `dataset`. Raises QnnError where one cannot be."""
    samples, shape = len(dataset.train), dataset.schema.shape
    batch = options.batch or min(BATCH_MOST, max(BATCH_LEAST, 1 << (samples // BATCHES | 1).bit_length() - 1))
    steps = STEPS[dataset.schema.task]
    epochs = options.epochs or min(EPOCHS_MOST, max(EPOCHS_LEAST, round(steps / math.ceil(samples / batch))))
    augment = options.augment
    if augment == AUGMENT_AUTOMATIC:
        augment = 1 if len(shape) == 3 and min(shape[:2]) >= SHIFT_FROM else 0
    if augment and (len(shape) != 3 or augment >= min(shape[:2])):
        raise QnnError(f"--augment {augment}", f"samples of shape {shape} cannot be shifted so", "use --augment 0")
    rate = options.rate or RATES[options.optimizer]
    return replace(options, epochs=epochs, batch=batch, augment=augment, rate=rate)


def changed(old: TrainOptions, new: TrainOptions, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The fields, apart from `allowed`, in which two sets of options differ."""
    names = (field.name for field in fields(TrainOptions))
    return tuple(name for name in names if name not in allowed and getattr(old, name) != getattr(new, name))
