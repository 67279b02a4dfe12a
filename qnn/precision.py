# SPDX-License-Identifier: MIT
"""How fine a layer's weights are (SPEC 4.6)."""

from __future__ import annotations

from dataclasses import dataclass

TERNARY = 1  # stands for weights of -1, 0 and 1, which take two bits
NARROW_BELOW = 8  # bits: such weights may use all values that their bits have, and the largest may be clipped
FULL_SPAN = 2 * 127
MSE, UNCLIPPED = "mse", "off"  # are the largest weights clipped, and how far
CLIPPINGS = (MSE, UNCLIPPED)
HEADROOM_SPAN = 127  # rounding both ends makes it 128 at most: two weights above the lowest stay within 257


@dataclass(frozen=True)
class Precision:
    """How weights become integers.

    bits: of the weights, 2 to 8, 16 or TERNARY. span: the steps between a channel's lowest and highest weight of 8
    bits; HEADROOM_SPAN lets the fast kernels multiply two weights at once. steps: of every output channel, float32
    values, where training has learned them; else empty, and the weights decide. clipping: one of CLIPPINGS, of weights
    of less than 8 bits.
    """

    bits: int = 8
    span: int = FULL_SPAN
    steps: tuple[float, ...] = ()
    clipping: str = MSE


EIGHT_BITS = Precision()


def weight_limits(bits: int) -> tuple[int, int]:
    """The lowest and the highest weight of `bits`: 2 to 16, or TERNARY. From 8 bits on they are symmetric."""
    if bits == TERNARY:
        return -1, 1
    half = 1 << (bits - 1)
    return (-half if bits < NARROW_BELOW else 1 - half), half - 1
