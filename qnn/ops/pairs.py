# SPDX-License-Identifier: MIT
"""Convolutions whose windows are read from a map that is packed once: when, and the weights' layout (SPEC 6.9)."""

from __future__ import annotations

import numpy as np

from qnn.fixedpoint import INT32_MAX, QNN, Requantization
from qnn.ops.op import TensorType
from qnn.ops.window import Window

EIGHT = 8  # weights in a word
WINDOWS = 4  # side by side in c_runtime/qnn_conv2d_pairs.h
WORD_BYTES = 4
HALF = 1 << 15
RAISED = 8  # what is added to weights, so that they are not negative in their words
MOST_BYTES = 16384  # of the packed map, beyond which packing windows one by one needs less memory


def map_words(window: Window) -> int:
    """Words of the packed map, with the padding that windows cover."""
    rows = (window.out_height - 1) * window.stride_height + window.kernel_height
    columns = (window.out_width - 1) * window.stride_width + window.kernel_width
    return rows * (-(-columns * window.channels // 2))


def row_words(window: Window) -> int:
    """Words of a row of one window."""
    return -(-window.kernel_width * window.channels // 2)


def reads_pairs(window: Window, weights: np.ndarray, x: TensorType) -> bool:
    """May windows of uint8 be read from a packed map?

    All of them must begin at even inputs, weights (O, KH, KW, C) lie within -8..7, and the map be small.
    """
    even = window.stride_width * window.channels % 2 == 0 and window.pad_left * window.channels % 2 == 0
    inside = weights.min() >= -RAISED and weights.max() < RAISED
    return bool(even and inside and x.dtype == "uint8" and WORD_BYTES * map_words(window) <= MOST_BYTES)


def fits_shifted(requantization: Requantization, bound: tuple[int, int]) -> bool:
    """May accumulators within `bound` be shifted by every prescale as they are, and rounded once?"""
    largest = max(abs(end) for end in bound) << int(requantization.prescale.max())
    return requantization.rounding == QNN and largest <= INT32_MAX


def eights(weights: np.ndarray) -> np.ndarray:
    """int64 (O, words, 8) of filters (O, KH, KW, C), row by row; odd rows and the last word have weights of 0 more."""
    filters, height = weights.shape[:2]
    rows = weights.reshape(filters, height, -1).astype(np.int64)
    even = np.pad(rows, ((0, 0), (0, 0), (0, rows.shape[2] % 2))).reshape(filters, -1)
    return np.pad(even, ((0, 0), (0, -even.shape[1] % EIGHT))).reshape(filters, -1, EIGHT)


def pair_words(found: np.ndarray) -> np.ndarray:
    """uint32 (O, words) of weights (O, words, 8), RAISED: w1 w3 w5 w7 w0 w2 w4 w6 from the lowest four bits up."""
    places = (found[:, :, (1, 3, 5, 7, 0, 2, 4, 6)] + RAISED) << (4 * np.arange(EIGHT))
    return np.asarray(places.sum(axis=2), np.uint32)


def pair_chunk(found: np.ndarray, x: TensorType) -> int:
    """The most words of weights (O, words, 8) that may be summed before the sums are taken apart (SPEC 6.9).

    In every chunk of so many words of every filter, the sums of all products and of those that are in the lower half,
    of the second weights of pairs, stay within int16, whatever the inputs of type x.
    """
    parts = (found, found[:, :, 1::2])
    ends = [np.abs(np.where(part * sign > 0, part, 0).sum(axis=2)) * x.high for part in parts for sign in (1, -1)]
    chunk = found.shape[1]
    while chunk > 1 and max(_largest(sums, chunk) for sums in ends) >= HALF:
        chunk -= 1
    return chunk


def _largest(sums: np.ndarray, chunk: int) -> int:
    return max(int(sums[:, start : start + chunk].sum(axis=1).max()) for start in range(0, sums.shape[1], chunk))


def workspace(window: Window) -> int:
    """Bytes for the packed map, and for four windows of whole words of weights."""
    words = -(-window.kernel_height * row_words(window) // WINDOWS) * WINDOWS
    return WORD_BYTES * (map_words(window) + WINDOWS * words)
