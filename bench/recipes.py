# SPDX-License-Identifier: MIT
"""The reference networks of `make accuracy`: how each is trained, and what it must reach."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qnn.training import TrainOptions
from qnn.training.options import LAST

DEFAULT = TrainOptions()


@dataclass(frozen=True)
class Reference:
    """A network to train: its median integer accuracy must reach `floor`. validation: the part held out; None: usual.

    teacher: the network that it also learns from. aware: quantization-aware training after that, aware_teacher: whom it
    learns from then; None: not at all. one_teacher: whether all seeds learn from the teachers of seed 0. rivals:
    networks of about the same cost, which --choose compares.
    """

    name: str
    data: str
    net: str
    floor: float
    most_lost: float  # by integers, in points
    options: TrainOptions = DEFAULT
    validation: float | None = None
    teacher: Reference | None = None
    aware: TrainOptions | None = None
    aware_teacher: Reference | None = None
    one_teacher: bool = False
    rivals: tuple[str, ...] = ()


# The recipe was chosen on held-out training images; here it gets all of them, so there is no epoch to select:
# qnn train mnist --net cnn-29k --validation 0 --keep last --smoothing 0 --elastic 0.8 --epochs 40 -o teacher.qnn
# qnn train mnist --net cnn-7k --validation 0 --keep last --smoothing 0 --teacher teacher.qnn --epochs 100
ALL_OF_IT = TrainOptions(epochs=100, keep=LAST, smoothing=0.0)
TEACHER = Reference("teacher", "mnist", "cnn-29k", 0.996, 0.05, replace(ALL_OF_IT, epochs=40, elastic=0.8), 0.0)
LARGE = "conv 5x5 24 stride 2 bn relu, conv 3x3 48 bn relu, maxpool 2, conv 3x3 96 bn relu, dense"
LARGE_TEACHER = replace(TEACHER, name="large-teacher", net=LARGE, options=replace(TEACHER.options, epochs=36))
# Weights of four bits: float networks of so many epochs, then quantization-aware training, each with a teacher:
# qnn train mnist --from float.qnn --qat 4 --validation 0 --keep last --smoothing 0 --teacher teacher.qnn --epochs 40 \
#     --rate 0.002
FOUR_BITS = replace(ALL_OF_IT, epochs=40, qat="4", rate=0.002)


def four_bits(
    name: str,
    net: str,
    floor: float,
    epochs: int,
    aware: int,
    aware_teacher: Reference = TEACHER,
    most_lost: float = 0.1,
) -> Reference:
    """A network for MNIST with weights of four bits: `epochs` of float training, `aware` of quantization-aware one."""
    return Reference(
        name,
        "mnist",
        net,
        floor,
        most_lost,
        replace(ALL_OF_IT, epochs=epochs),
        validation=0.0,
        teacher=TEACHER,
        aware=replace(FOUR_BITS, epochs=aware),
        aware_teacher=aware_teacher,
        one_teacher=True,
    )


TINY = "avgpool 2, conv 5x5 6 stride 2 bn relu, conv 3x3 16 stride 2 bn relu, dense"
FAST = "conv 5x5 4 stride 2 bn relu, conv 3x3 16 stride 2 bn relu, conv 3x3 32 bn relu, dense"
WIDE = "conv 5x5 8 stride 2 bn relu, conv 3x3 16 bn relu, maxpool 2, conv 3x3 48 bn relu, dense"
BROAD = "conv 5x5 8 stride 2 bn relu, conv 3x3 24 bn relu, maxpool 2, conv 3x3 50 bn relu, dense"
SMALL = "conv 5x5 6 stride 2 bn relu, conv 3x3 8 bn relu, maxpool 2, conv 3x3 28 bn relu, dense"
# Chosen among these, of about as many bytes and instructions, on held-out training images:
# python bench/accuracy.py --choose NAME --seeds 2
TINY_RIVALS = (
    "avgpool 2, conv 4x4 5 stride 2 bn relu, conv 3x3 19 stride 2 bn relu, dense",
    "avgpool 2, conv 4x4 4 stride 2 bn relu, conv 3x3 20 stride 2 bn relu, dense",
    "avgpool 2, conv 4x4 6 stride 2 bn relu, conv 3x3 18 stride 2 bn relu, dense",
)
SMALL_RIVALS = (
    "conv 5x5 4 stride 2 bn relu, conv 3x3 10 bn relu, maxpool 2, conv 3x3 28 bn relu, dense",
    "conv 5x5 4 stride 2 bn relu, conv 3x3 12 bn relu, maxpool 2, conv 3x3 24 bn relu, dense",
)
FAST_RIVALS = (
    "conv 5x5 6 stride 2 bn relu, maxpool 2, conv 3x3 24 bn relu, conv 3x3 32 bn relu, dense",
    "conv 5x5 4 stride 2 bn relu, conv 3x3 8 bn relu, maxpool 2, conv 3x3 28 bn relu, dense",
)
# The first one takes 550,027 instructions once trained, more than the 550,000 that were to be the most.
WIDE_RIVALS = (
    "conv 5x5 6 stride 2 bn relu, conv 3x3 20 bn relu, maxpool 2, conv 3x3 44 bn relu, dense",
    "conv 5x5 6 stride 2 bn relu, conv 3x3 18 bn relu, maxpool 2, conv 3x3 44 bn relu, dense",
)
BROAD_RIVALS = (
    "conv 5x5 10 stride 2 bn relu, conv 3x3 20 bn relu, maxpool 2, conv 3x3 56 bn relu, dense",
    "conv 5x5 10 stride 2 bn relu, conv 3x3 22 bn relu, maxpool 2, conv 3x3 48 bn relu, dense",
)

REFERENCES = (
    Reference("digits", "digits", "dense 32 relu, dense 10", 0.96, 0.5),
    Reference("mlp", "mnist", "dense 64 relu, dense 10", 0.98, 0.10),
    Reference("cnn-7k", "mnist", "cnn-7k", 0.994, 0.05, ALL_OF_IT, 0.0, TEACHER),
    Reference("cnn-5k", "mnist", "cnn-5k", 0.992, 0.05, ALL_OF_IT, 0.0, TEACHER),
    replace(
        four_bits("cnn-1k-w4", TINY, 0.97, epochs=25, aware=30, most_lost=1.0),
        teacher=None,
        aware=replace(FOUR_BITS, epochs=30, rate=0.003),
        rivals=TINY_RIVALS,
    ),
    replace(four_bits("cnn-3k-w4", SMALL, 0.9925, epochs=40, aware=20), rivals=SMALL_RIVALS),
    replace(four_bits("cnn-4k-w4", FAST, 0.9925, epochs=60, aware=40), rivals=FAST_RIVALS),
    four_bits("cnn-5k-w4", "cnn-5k", 0.9935, epochs=60, aware=40),
    replace(four_bits("cnn-6k-w4", WIDE, 0.995, epochs=60, aware=40, aware_teacher=LARGE_TEACHER), rivals=WIDE_RIVALS),
    replace(
        four_bits("cnn-9k-w4", BROAD, 0.9957, epochs=60, aware=40, aware_teacher=LARGE_TEACHER), rivals=BROAD_RIVALS
    ),
)
