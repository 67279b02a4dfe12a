# SPDX-License-Identifier: MIT
"""What `thermistor` is without a network: the Steinhart-Hart equation, fitted to the same noisy readings."""

from __future__ import annotations

import numpy as np

from qnn.data.thermistor import NOMINAL_UPPER, ZERO_CELSIUS

NAME = "Steinhart-Hart"


def steinhart_hart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """float64 (3,): A, B, C of 1 / T = A + B ln R + C (ln R)^3 (Steinhart and Hart 1968), by least squares of T.

    x: counts (N, 5) of `thermistor`, whose bridge by supply gives R; y: degC (N, 1).
    """
    kelvin = y[:, 0] + ZERO_CELSIUS
    # 1/T weighted by T^2 is, to first order, an error in T: the fit minimizes what it is measured by.
    weight = np.square(kelvin)
    found, *_ = np.linalg.lstsq(_terms(x) * weight[:, None], weight / kelvin, rcond=None)
    return np.asarray(found)


def celsius_by(coefficients: np.ndarray, x: np.ndarray) -> np.ndarray:
    """degC (N, 1) of counts x (N, 5)."""
    return np.asarray(1.0 / (_terms(x) @ coefficients) - ZERO_CELSIUS)[:, None]


def _terms(x: np.ndarray) -> np.ndarray:
    """float64 (N, 3): 1, ln R and (ln R)^3; a bridge at either end of its supply counts as half a count from there."""
    supply = np.maximum(x[:, 2].astype(np.float64), 1.0)
    ratio = np.clip(x[:, 0] / supply, 0.5 / supply, 1.0 - 0.5 / supply)
    log = np.log(NOMINAL_UPPER * ratio / (1.0 - ratio))
    return np.column_stack([np.ones(len(x)), log, log**3])
