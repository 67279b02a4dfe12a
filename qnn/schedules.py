# SPDX-License-Identifier: MIT
"""How the learning rate changes: factors of the peak rate, by the part of all steps that is done (0 to 1)."""

from __future__ import annotations

import math

SCHEDULES: tuple[str, ...] = ("one-cycle", "cosine", "exponential", "step", "constant")
WARM_UP = 0.2
FIRST = 0.04
DECAY = 0.01
STEPS = 3
STEP_FACTOR = 0.1


def rate_factor(schedule: str, done: float) -> float:
    """The factor when `done` of all steps (0 <= done < 1) are over.

    one-cycle: rises from 0.04 to 1 in the first fifth, then falls to 0, along cosines (Smith, Topin 2017).
    cosine: falls from 1 to 0 along a cosine (Loshchilov, Hutter 2017). exponential: decays from 1 to 0.01.
    step: 1, 0.1, 0.01, a third of the time each. constant: 1.
    """
    if schedule == "one-cycle":
        if done < WARM_UP:
            return FIRST + (1.0 - FIRST) * (1.0 - _half_cosine(done / WARM_UP))
        return _half_cosine((done - WARM_UP) / (1.0 - WARM_UP))
    if schedule == "cosine":
        return _half_cosine(done)
    if schedule == "exponential":
        return float(DECAY**done)
    if schedule == "step":
        return float(STEP_FACTOR ** math.floor(done * STEPS))
    return 1.0


def _half_cosine(part: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return 0.5 * (1.0 + math.cos(math.pi * part))
