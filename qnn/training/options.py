# SPDX-License-Identifier: MIT
"""How to train: the choices a user has, each with the value that suits most data."""

from __future__ import annotations

import math
import typing
from dataclasses import dataclass, fields, replace

from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.layers.initial import INITS
from qnn.optimizers import OPTIMIZERS
from qnn.schedules import SCHEDULES
from qnn.schemafile import Document, read_plain
from qnn.training.augment import Augmentation

AUTOMATIC = 0
UNDECIDED = -1
STEPS = {"classification": 12_500, "regression": 40_000}  # what a small network needs, whatever the data's size
EPOCHS_LEAST, EPOCHS_MOST = 3, 300
BATCH_LEAST, BATCH_MOST = 16, 128
BATCHES = 128  # wanted in an epoch
RATES = {"adam": 0.01, "sgd": 0.05}
QAT_SHARE = 0.25  # of the rate, where training goes on with trained weights
CHANGE_FROM = 16  # pixels a side: smaller images lose too much to a shift
DENSE_CHANGES = Augmentation(shift=1)
CONVOLUTION_CHANGES = Augmentation(shift=2, rotate=12, zoom=0.12, shear=0.15, elastic=0.4)
CONVOLUTION_STEPS = 2  # times as many
CONVOLUTION_SMOOTHING = 0.03

BOUNDS: tuple[tuple[str, float, float], ...] = (
    ("epochs", 0, 1_000_000),
    ("batch", 0, 1 << 16),
    ("rate", 0, 100),
    ("momentum", 0, 0.9999),
    ("weight_decay", 0, 10),
    ("l2", 0, 10),
    ("smoothing", UNDECIDED, 0.9),
    ("averaging", 0, 0.999999),
    ("shift", UNDECIDED, 16),
    ("rotate", UNDECIDED, 180),
    ("zoom", UNDECIDED, 0.9),
    ("shear", UNDECIDED, 2),
    ("elastic", UNDECIDED, 16),
    ("cutout", 0, 64),
    ("distill", 0, 1),
    ("temperature", 0.1, 100),
    ("patience", 0, 1_000_000),
    ("seed", 0, (1 << 63) - 1),
)
BEST, LAST = "best", "last"
CHOICES = (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("init", INITS), ("keep", (BEST, LAST)))


@dataclass(frozen=True)
class TrainOptions:
    """How to train. Raises QnnError for a value that makes no sense.

    epochs, batch, rate: 0, smoothing, shift, rotate, zoom, shear, elastic: -1 means "as suits the data" (`resolved`).
    optimizer: "adam" or "sgd"; momentum: Sgd's, and the first of Adam's two.
    schedule: of the learning rate, whose peak is `rate`: one of SCHEDULES.
    weight_decay: decoupled, times the rate (Loshchilov, Hutter 2019); l2: a term l2 / 2 * |w|**2 of the loss.
    smoothing: of the labels. averaging: decay per step of the moving average of the parameters, which is what is
    evaluated and kept; 0 turns it off. init: "he" or "xavier".
    shift, rotate, zoom, shear, elastic, cutout: how images are changed at random while training, as in Augmentation.
    distill: the part of the loss that asks for a teacher's outputs instead of the labels; temperature: of its softmax.
    patience: stop when so many epochs brought nothing better; 0: never.
    normalize: how columns become the network's inputs: one of normalization.CHOICES, or NAME=CHOICE, commas between.
    qat: the bits that weights and activations will have, as widths.with_weight_bits names them; "": nothing is rounded.
    keep: the "best" epoch on the validation rows, or the "last", which needs none of them.
    """

    epochs: int = AUTOMATIC
    batch: int = AUTOMATIC
    optimizer: str = "adam"
    rate: float = AUTOMATIC
    momentum: float = 0.9
    schedule: str = "one-cycle"
    weight_decay: float = 0.002
    l2: float = 0.0
    smoothing: float = UNDECIDED
    averaging: float = 0.999
    init: str = "he"
    shift: int = UNDECIDED
    rotate: float = UNDECIDED
    zoom: float = UNDECIDED
    shear: float = UNDECIDED
    elastic: float = UNDECIDED
    cutout: int = 0
    distill: float = 0.7
    temperature: float = 2.0
    patience: int = 0
    keep: str = BEST
    normalize: str = "auto"
    qat: str = ""
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


def resolved(options: TrainOptions, dataset: Dataset, convolves: bool = False) -> TrainOptions:
    """`options` with every automatic value replaced by what suits `dataset` and a network with or without convolutions.

    Raises QnnError where one cannot be.
    """
    samples, classes = len(dataset.train), dataset.schema.task == "classification"
    batch = options.batch or min(BATCH_MOST, max(BATCH_LEAST, 1 << (samples // BATCHES | 1).bit_length() - 1))
    steps = STEPS[dataset.schema.task] * (CONVOLUTION_STEPS if convolves else 1)
    epochs = options.epochs or min(EPOCHS_MOST, max(EPOCHS_LEAST, round(steps / math.ceil(samples / batch))))
    smoothing = options.smoothing
    if smoothing == UNDECIDED:
        smoothing = CONVOLUTION_SMOOTHING if convolves and classes else 0.0
    rate = options.rate or RATES[options.optimizer] * (QAT_SHARE if options.qat else 1)
    options = replace(options, epochs=epochs, batch=batch, smoothing=smoothing, rate=rate)
    return _with_changes(options, dataset.schema.shape, convolves)


def augmentation_of(options: TrainOptions) -> Augmentation:
    """How images are changed while training."""
    return Augmentation(**{field.name: getattr(options, field.name) for field in fields(Augmentation)})


def _with_changes(options: TrainOptions, shape: tuple[int, ...], convolves: bool) -> TrainOptions:
    """`options` with the changes of images that suit samples of `shape`, where the user did not decide."""
    images = len(shape) == 3
    usual = CONVOLUTION_CHANGES if convolves else DENSE_CHANGES
    if not images or min(shape[:2]) < CHANGE_FROM:
        usual = Augmentation()
    decided = {
        field.name: getattr(usual if getattr(options, field.name) == UNDECIDED else options, field.name)
        for field in fields(Augmentation)
    }
    found = Augmentation(**decided)
    for name, value in vars(found).items():
        too_far = name in ("shift", "cutout") and images and value >= min(shape[:2])
        if value and (not images or too_far):
            raise QnnError(f"--{name} {value}", f"samples of shape {shape} cannot be changed so", f"use --{name} 0")
    return replace(options, **decided)


def changed(old: TrainOptions, new: TrainOptions, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The fields, apart from `allowed`, in which two sets of options differ."""
    names = (field.name for field in fields(TrainOptions))
    return tuple(name for name in names if name not in allowed and getattr(old, name) != getattr(new, name))


def read_options(document: Document) -> TrainOptions:
    """The TrainOptions in a document. Raises QnnError naming the file."""
    hints = typing.get_type_hints(TrainOptions)
    values = {name: read_plain(document, name, hint) for name, hint in hints.items()}
    try:
        return TrainOptions(**typing.cast(dict[str, typing.Any], values))
    except QnnError as error:
        problem = f"{error.subject} {error.problem}"
        raise QnnError(document.path, problem, "train again without --resume") from None
