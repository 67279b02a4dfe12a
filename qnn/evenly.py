# SPDX-License-Identifier: MIT
"""Some of many, evenly spaced."""

from __future__ import annotations

import numpy as np


def evenly(count: int, most: int) -> np.ndarray:
    """int64, ascending: at most `most` places of `count` things, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
