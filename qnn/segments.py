# SPDX-License-Identifier: MIT
"""A monotone line of two, four or eight segments, for readings that lie close together here and far apart there.

Each segment is 2**exponent raw integers wide and rises by 1, so that a byte says all of it and a chip follows the line
by shifts (SPEC 5.21). Telephony compands speech in the same way (ITU-T G.711).
"""

from __future__ import annotations

import numpy as np

SEGMENTS = 8  # at most
COUNTS = (2, 4, 8)
STEP_BITS = 8  # all segments of a line together have 256 steps, or 65536 where readings become int16
MOST_EXPONENT = 31
NONE = -1  # behind the exponents of a line of fewer segments, and in place of them where there is no line


def has_segments(exponents: np.ndarray) -> np.ndarray:
    """bool (F,): which features of int8 exponents (F, 8), or of none at all (0, 8), have segments."""
    return np.asarray((exponents != NONE).any(axis=1))


def segment_bits(count: int, step_bits: int = STEP_BITS) -> int:
    """How many bits the steps of one of `count` segments have; of 256 steps it is also the least exponent: 7, 6 or 5.

    A step is then never finer than a raw integer.
    """
    return step_bits - (count.bit_length() - 1)


def line_of(exponents: np.ndarray) -> np.ndarray:
    """int8 (2,), (4,) or (8,), or (0,): the exponents of one feature, from its (8,) filled up with NONE."""
    return exponents[exponents != NONE]


def filled(line: np.ndarray) -> np.ndarray:
    """int8 (8,): the exponents of a line, filled up with NONE."""
    return np.concatenate([line, np.full(SEGMENTS - len(line), NONE)]).astype(np.int8)


def are_lines(exponents: np.ndarray) -> bool:
    """Is every row of int8 (F, 8) a line of segments or none?"""
    for row in exponents:
        line = line_of(row)
        if len(line) == 0:
            continue
        inside = len(line) in COUNTS and segment_bits(len(line)) <= line.min() and line.max() <= MOST_EXPONENT
        if not inside or not np.array_equal(filled(line), row):
            return False
    return True


def position(distance: np.ndarray, line: np.ndarray) -> np.ndarray:
    """How high a line is, 0 to its number of segments, at int64 distances (...) from its lower end; float64, exact."""
    widths = 2.0 ** line.astype(np.float64)
    starts = np.concatenate([[0.0], np.cumsum(widths)[:-1]])
    return np.asarray(np.clip((distance[..., None] - starts) / widths, 0.0, 1.0).sum(axis=-1))


def span(line: np.ndarray) -> int:
    """How many raw integers a line covers."""
    return sum(1 << int(exponent) for exponent in line)
