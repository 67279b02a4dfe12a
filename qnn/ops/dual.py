# SPDX-License-Identifier: MIT
"""When several products fit one multiplication, and the weights' layout for it (SPEC 6.5, 6.6)."""

from __future__ import annotations

import numpy as np

from qnn.ops.op import TensorType

GROUP = 4  # inputs of one word of weights
NARROW_GROUP = 8  # the same of weights of four bits
PAIR_LIMIT = 65535
UINT8_MAX = 255
NARROW_MAX = 15  # steps above the lowest weight that four bits hold


def lowest_weights(weights: np.ndarray) -> np.ndarray:
    """int8 (O,): the lowest weight of each output of int8 weights (O, K), or 0 where all are positive."""
    return np.minimum(weights.min(axis=1), 0).astype(np.int8)


def grouped(weights: np.ndarray, lowest: np.ndarray | None = None) -> np.ndarray:
    """int64 (O, groups, GROUP) of weights (O, K) of int8's range: less the output's lowest one (O,), 0 beyond K."""
    raised = weights.astype(np.int64) - (lowest_weights(weights) if lowest is None else lowest)[:, None]
    missing = -weights.shape[1] % GROUP
    return np.pad(raised, ((0, 0), (0, missing))).reshape(len(weights), -1, GROUP)


def dual_problem(weights: np.ndarray, x: TensorType) -> str:
    """Why int8 weights (O, K) and inputs of type x do not allow two products in one multiplication; "" if they do."""
    if x.low < 0:
        return "its input may be negative"
    groups = grouped(weights)
    pairs = groups[:, :, :2] + groups[:, :, 2:]  # weights 0 and 2, 1 and 3
    worst = int(pairs.max()) * x.high
    if worst > PAIR_LIMIT:
        return f"a pair of weights reaches {int(pairs.max())} steps above the lowest, {worst} with the largest inputs"
    return ""


def dual_words(weights: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """uint32 (O, groups): w2 + w3 * 2**8 + w0 * 2**16 + w1 * 2**24 of each group of weights (O, K) less lowest (O,)."""
    w0, w1, w2, w3 = np.moveaxis(grouped(weights, lowest), 2, 0)
    return (w2 + (w3 << 8) + (w0 << 16) + (w1 << 24)).astype(np.uint32)


def blocked(words: np.ndarray, rows: int) -> np.ndarray:
    """The words (O, groups) as the kernels read them: blocks of `rows` outputs, group by group, then row by row."""
    whole = len(words) - len(words) % rows
    blocks = words[:whole].reshape(-1, rows, words.shape[1]).transpose(0, 2, 1)
    return np.concatenate([blocks.reshape(-1), words[whole:].reshape(-1)])


def narrow_problem(weights: np.ndarray, x: TensorType) -> str:
    """Why int8 weights (O, K) and inputs of type x do not fit the kernels for four bits; "" if they do (SPEC 6.7)."""
    if x.low < 0 or x.high > UINT8_MAX:
        return "its input is no byte"
    worst = int(grouped(weights).max())
    return f"a weight is {worst} steps above the lowest" if worst > NARROW_MAX else ""


def narrow_words(weights: np.ndarray) -> np.ndarray:
    """uint32 (O, words): eight raised weights w0..w7 each, w2 w6 w3 w7 w0 w4 w1 w5 from the lowest four bits up."""
    places = _eights(weights)[:, :, (2, 6, 3, 7, 0, 4, 1, 5)] << (4 * np.arange(NARROW_GROUP))
    return np.asarray(places.sum(axis=2), np.uint32)


def narrow_chunk(weights: np.ndarray, x: TensorType) -> int:
    """The most words of int8 weights (O, K) that may be summed before the sums are taken apart (SPEC 6.7).

    In every chunk of so many words of every output, the sum of all products stays below 2**16; so does that of the
    products below it, of inputs and the other weights of their pairs, in which each weight occurs once at most.
    """
    sums = _eights(weights).sum(axis=2) * x.high  # (O, words)
    chunk = sums.shape[1]
    while chunk > 1 and _largest_chunk(sums, chunk) > PAIR_LIMIT:
        chunk -= 1
    return chunk


def _largest_chunk(sums: np.ndarray, chunk: int) -> int:
    return max(int(sums[:, start : start + chunk].sum(axis=1).max()) for start in range(0, sums.shape[1], chunk))


def _eights(weights: np.ndarray) -> np.ndarray:
    """int64 (O, words, NARROW_GROUP): the raised weights, 0 beyond K."""
    groups = grouped(weights)
    return np.pad(groups, ((0, 0), (0, groups.shape[1] % 2), (0, 0))).reshape(len(weights), -1, NARROW_GROUP)
