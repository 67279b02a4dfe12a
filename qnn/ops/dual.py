# SPDX-License-Identifier: MIT
"""When two products fit one multiplication, and the weights' layout for it (SPEC 6.5)."""

from __future__ import annotations

import numpy as np

from qnn.ops.op import TensorType

GROUP = 4  # inputs of one word of weights
PAIR_LIMIT = 65535


def lowest_weights(weights: np.ndarray) -> np.ndarray:
    """int8 (O,): the lowest weight of each output of int8 weights (O, K), or 0 where all are positive."""
    return np.minimum(weights.min(axis=1), 0).astype(np.int8)


def grouped(weights: np.ndarray) -> np.ndarray:
    """int64 (O, groups, GROUP) of int8 weights (O, K): less the output's lowest one, 0 beyond K."""
    raised = weights.astype(np.int64) - lowest_weights(weights)[:, None]
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


def dual_words(weights: np.ndarray) -> np.ndarray:
    """uint32 (O, groups): w2 + w3 * 2**8 + w0 * 2**16 + w1 * 2**24 of each group of int8 weights (O, K)."""
    w0, w1, w2, w3 = np.moveaxis(grouped(weights), 2, 0)
    return (w2 + (w3 << 8) + (w0 << 16) + (w1 << 24)).astype(np.uint32)


def blocked(words: np.ndarray, rows: int) -> np.ndarray:
    """The words (O, groups) as the kernels read them: blocks of `rows` outputs, group by group, then row by row."""
    whole = len(words) - len(words) % rows
    blocks = words[:whole].reshape(-1, rows, words.shape[1]).transpose(0, 2, 1)
    return np.concatenate([blocks.reshape(-1), words[whole:].reshape(-1)])
