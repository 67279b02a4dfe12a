# SPDX-License-Identifier: MIT
"""Where weights start."""

from __future__ import annotations

import math

import numpy as np

from qnn.layers.layer import Shape

INITS = ("he", "xavier")


def initial_weights(shape: Shape, inputs: int, outputs: int, rng: np.random.Generator, init: str) -> np.ndarray:
    """Normally distributed float32 weights, for `inputs` summands an output and `outputs` uses of an input.

    "he": variance 2 / inputs (He et al. 2015, for ReLU); "xavier": 2 / (inputs + outputs) (Glorot, Bengio 2010).
    """
    variance = 2.0 / inputs if init == "he" else 2.0 / (inputs + outputs)
    return (rng.standard_normal(shape, dtype=np.float32) * np.float32(math.sqrt(variance))).astype(np.float32)
