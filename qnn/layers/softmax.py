# SPDX-License-Identifier: MIT
"""softmax: positive outputs that sum to 1.

A function, not a layer: a classifier's model ends with its logits; the loss, and whoever shows probabilities, apply it.
"""

from __future__ import annotations

import numpy as np


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) / sum(exp(x)) along the last axis, without overflow; a new array of x's shape and type."""
    output = x - x.max(axis=-1, keepdims=True)
    np.exp(output, out=output)
    output /= output.sum(axis=-1, keepdims=True)
    return output
