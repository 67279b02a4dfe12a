# SPDX-License-Identifier: MIT
"""The parameters of c_runtime/qnn_requantize.h (SPEC 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qnn.fixedpoint import GEMMLOWP, HALF_EVEN, INT16X8, QNN, Requantization, has_halves
from qnn.ops.ckernel import TABLES, CArray, CField, CStruct
from qnn.ops.rounding import OneRounding, one_rounding

PARTS = (
    (QNN, 0, ()),
    (GEMMLOWP, 1, ("QNN_GEMMLOWP", "QNN_RULES")),
    (HALF_EVEN, 2, ("QNN_EVEN", "QNN_RULES")),
    (INT16X8, 3, ("QNN_INT16X8",)),
)
"""Rounding rules: their number in c_runtime/qnn_requantize.h, and its optional part for them."""


@dataclass(frozen=True, eq=False)
class Finish:
    """How a kernel finishes its sums.

    bias: int64 (O,), what the sums start from. struct: the qnn_requantize_t.
    """

    bias: np.ndarray
    struct: CStruct


def finish(requantization: Requantization, bias: np.ndarray, low: np.ndarray, high: np.ndarray) -> Finish:
    """How sums that start from `bias` and stay within low..high (int64, one each per channel) become results.

    A rule that rounds twice becomes one rounding where that is proven to give the same (SPEC 3.7).
    """
    if requantization.rounding == GEMMLOWP:
        ones = one_rounding(requantization, low, high)
        if ones is not None:
            offsets = np.array([one.offset for one in ones], np.int64)
            return Finish(bias + offsets, _struct_of(ones, requantization))
    if requantization.rounding == HALF_EVEN and not has_halves(requantization, low, high):
        requantization = replace(requantization, rounding=QNN)
    return Finish(bias, requantize_struct(requantization, len(bias)))


def requantize_struct(requantization: Requantization, channels: int, long: bool = False) -> CStruct:
    """The qnn_requantize_t of `requantization`, one entry per channel; prescale is null where none is needed.

    long: for sums of 64 bits, which INT16X8 takes as they are.
    """
    r = requantization
    if r.rounding == INT16X8:
        if long:
            return _struct(channels, r.multiplier, r.zero_point, r.shift, None, r)
        r = r.once()
    if r.rounding == GEMMLOWP:
        return _twice_struct(r, channels)
    prescale = r.prescale if np.any(r.prescale) else None
    return _struct(channels, r.multiplier, r.constant, r.shift, prescale, r)


def _twice_struct(r: Requantization, channels: int) -> CStruct:
    """The multipliers are doubled, unsigned. The results of a channel that is still are its zero point."""
    doubled = (2 * r.multiplier.astype(np.int64)).astype(np.uint32).view(np.int32)
    multiplier, shift = np.where(r.still, 0, doubled), np.where(r.still, 1, r.shift)
    zero = 2 * r.zero_point.astype(np.int64) + 1
    return _struct(channels, multiplier, np.where(r.still, zero, r.constant), shift, r.prescale, r)


def _struct_of(ones: tuple[OneRounding, ...], r: Requantization) -> CStruct:
    multiplier, constant, shift, prescale = (
        np.array([getattr(one, name) for one in ones], np.int64)
        for name in ("multiplier", "constant", "shift", "prescale")
    )
    once = Requantization(r.multiplier, r.shift, r.prescale, r.zero_point, r.low, r.high)
    return _struct(len(ones), multiplier, constant, shift, prescale if prescale.any() else None, once)


def _struct(
    channels: int,
    multiplier: np.ndarray,
    constant: np.ndarray,
    shift: np.ndarray,
    prescale: np.ndarray | None,
    r: Requantization,
) -> CStruct:
    def spread(ctype: str, values: np.ndarray) -> CArray:
        return CArray(ctype, np.broadcast_to(values, (channels,)), TABLES)

    number, features = next(entry[1:] for entry in PARTS if entry[0] == r.rounding)
    return CStruct(
        (
            CField("multiplier", spread("int32_t", multiplier)),
            CField("constant", spread("int32_t", constant)),
            CField("shift", spread("uint8_t", shift)),
            CField("prescale", None if prescale is None else spread("uint8_t", prescale)),
            CField("low", r.low),
            CField("high", r.high),
            CField("rule", number),
        ),
        features,
    )
