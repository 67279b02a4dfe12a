# SPDX-License-Identifier: MIT
"""Weights as two products in one multiplication take them, and the few that are beyond their range (SPEC 6.8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.ops.ckernel import WEIGHTS, CArray, CField, CStruct
from qnn.ops.dual import GROUP, PAIR_LIMIT, dual_words
from qnn.ops.op import TensorType

MAX_ENTRIES = MAX_PLACE = 65535  # uint16
INT8_MIN, INT8_MAX = -128, 127
BASES = 1 - INT8_MIN  # lowest weights that an output may have: INT8_MIN..0


@dataclass(frozen=True, eq=False)
class Split:
    """int8 weights (O, K) as kept + extras, where `kept` meets the condition of two products in one multiplication.

    lowest: int8 (O,), 0 or less. kept: int64 (O, K), each at least its output's lowest. outputs, inputs: int64 (E,)
    each, where the extras int8 (E,) belong, output by output.
    """

    lowest: np.ndarray
    kept: np.ndarray
    outputs: np.ndarray
    inputs: np.ndarray
    extras: np.ndarray

    @property
    def share(self) -> float:
        """The part of the weights that has an extra."""
        return len(self.extras) / self.kept.size

    def words(self) -> np.ndarray:
        """uint32 (O, groups): what the words of qnn/ops/dual.py hold."""
        return dual_words(self.kept, self.lowest)

    def fits(self, places: np.ndarray) -> bool:
        """Can c_runtime/qnn_rest.h count the entries and their `places` (E,)?"""
        return len(self.extras) <= MAX_ENTRIES and int(places.max(initial=0)) <= MAX_PLACE

    def struct(self, places: np.ndarray) -> CStruct:
        """The qnn_rest_t of c_runtime/qnn_rest.h; places: int64 (E,)."""
        starts = np.searchsorted(self.outputs, np.arange(len(self.kept) + 1))
        return CStruct(
            (
                CField("starts", CArray("uint16_t", starts, WEIGHTS)),
                CField("places", CArray("uint16_t", places, WEIGHTS)),
                CField("extras", CArray("int8_t", self.extras, WEIGHTS)),
            )
        )


def split_weights(weights: np.ndarray, x: TensorType) -> Split:
    """The int8 weights (O, K) for uint8 inputs of type x, with as few extras as one lowest weight an output allows."""
    values, limit = weights.astype(np.int64), PAIR_LIMIT // x.high
    first = np.flatnonzero(np.arange(weights.shape[1]) % GROUP < GROUP // 2)  # 0 and 1 of each group, before 2 and 3
    first = first[first + GROUP // 2 < weights.shape[1]]
    lowest = _fewest_extras(values, values[:, first] + values[:, first + GROUP // 2], limit)
    kept = np.maximum(values, lowest[:, None])
    sums = kept[:, first] + kept[:, first + GROUP // 2] - 2 * lowest[:, None]
    kept = _lowered(kept, first, np.maximum(sums - limit, 0))
    extra = values - kept
    outputs, inputs = np.nonzero(extra)
    return Split(lowest.astype(np.int8), kept, outputs, inputs, extra[outputs, inputs].astype(np.int8))


def _fewest_extras(values: np.ndarray, sums: np.ndarray, limit: int) -> np.ndarray:
    """int64 (O,): the lowest weight of each output that leaves the fewest extras; sums (O, P): of its pairs.

    With the lowest weight b a weight below b has an extra; so has one of a pair with sum - 2 b > limit, and the other
    as well where that is by more than an int8. Both happen to no pair, for a limit of 255 or more.
    """
    extras = np.cumsum(_counts(values + 1), axis=1)  # at b, those of values < b
    for over in (limit, limit + INT8_MAX):
        highest = np.minimum((sums - over - 1) // 2, 0)  # b at which the pair is still over
        extras = extras + np.cumsum(_counts(highest)[:, ::-1], axis=1)[:, ::-1]
    return np.argmin(extras, axis=1) + INT8_MIN


def _counts(bases: np.ndarray) -> np.ndarray:
    """int64 (O, 129): how often each of INT8_MIN..0 occurs in each row of bases (O, any)."""
    rows, columns = np.nonzero((bases >= INT8_MIN) & (bases <= 0))
    places = rows * BASES + bases[rows, columns] - INT8_MIN
    return np.bincount(places, minlength=len(bases) * BASES).reshape(len(bases), BASES)


def _lowered(kept: np.ndarray, first: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """`kept` (O, K) with each pair, at `first` and two behind, less by its excess (O, P), the larger one first."""
    second, lowered = first + GROUP // 2, kept.copy()
    from_larger = np.minimum(excess, INT8_MAX)
    larger = kept[:, first] >= kept[:, second]
    lowered[:, first] -= np.where(larger, from_larger, excess - from_larger)
    lowered[:, second] -= np.where(larger, excess - from_larger, from_larger)
    return lowered
