# SPDX-License-Identifier: MIT
"""How weights lie in flash where kernels compute several outputs at a time."""

from __future__ import annotations

import numpy as np

ROWS = 4  # outputs that share one pass over the inputs in c_runtime/qnn_dense.h and the like


def interleave_rows(weights: np.ndarray) -> np.ndarray:
    """(O * I,): blocks of ROWS outputs of weights (O, I), input by input; the outputs left over follow row by row."""
    outputs, count = weights.shape
    whole = outputs - outputs % ROWS
    blocks = weights[:whole].reshape(-1, ROWS, count).transpose(0, 2, 1)
    return np.concatenate([blocks.reshape(-1), weights[whole:].reshape(-1)])
