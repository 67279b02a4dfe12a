# SPDX-License-Identifier: MIT
"""Residuals of a regression: what is answered less what is right, for a report's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qnn.evenly import evenly

SHOWN = 400  # points of a plot


def residuals(names: Sequence[str], answers: np.ndarray, y: np.ndarray) -> list[dict[str, Any]]:
    """Of each target its name, right values and errors, of at most SHOWN evenly spaced rows, as JSON.

    answers, y: (N, T) in the targets' unit.
    """
    rows = evenly(len(y), SHOWN)
    errors = answers - y
    return [
        {"target": name, "values": _short(y[rows, i]), "errors": _short(errors[rows, i])}
        for i, name in enumerate(names)
    ]


def _short(values: np.ndarray) -> list[float]:
    """As numbers of six digits: a plot shows no more."""
    return [float(f"{value:.6g}") for value in values.tolist()]
