# SPDX-License-Identifier: MIT
"""`thermistor`: a simulated thermometer, as a microcontroller sees it. Inputs are raw ADC counts, the target is degC.

The circuit. A 10 kOhm NTC (beta model R = R25 * exp(B * (1/T - 1/298.15 K)), T in kelvin) is the lower half of a
divider below a 10 kOhm resistor at the supply; one 12-bit ADC with a 2.5 V reference of its own reads, through equal
2:1 dividers, the bridge and the supply, and directly a 1.2 V bandgap and a board temperature sensor (10 mV/K, 0.5 V at
0 degC). Bridge / supply is ratiometric: supply and reference cancel.

What the textbook formula does not know, and the counts tell:
- this NTC's R25 and B are off by their tolerance, and B grows with temperature (a real curve is not a pure beta);
- the supply drifts by 10 %, and the NTC heats itself: by V^2 / R / dissipation;
- the upper resistor follows the board's temperature; so do the wires, which lead board heat to the sensor;
- the reference drifts with the board's temperature, which moves the board sensor's counts; the bandgap shows it;
- the ADC bends (integral nonlinearity) and has an offset, and every reading has noise;
- the sensor lags: a first-order delay of 5 s; the bridge's reading 4 s before tells how fast it moves.

Every draw is made from raw 64-bit words of a PCG64 generator, so that all versions of NumPy give the same samples.
"""

from __future__ import annotations

import numpy as np

from qnn.data.table import Table, Targets
from qnn.schema import Feature

SAMPLES = 6000
SEED = 20240607
FEATURES = ("bridge", "bridge_before", "supply", "bandgap", "board")
TARGET = "temperature"
TARGET_DECIMALS = 3

ZERO_CELSIUS = 273.15
T25 = 298.15
NOMINAL_R25, NOMINAL_B, NOMINAL_UPPER = 10_000.0, 3950.0, 10_000.0
FULL_SCALE, REFERENCE, BANDGAP = 4095, 2.5, 1.2
LAG_SECONDS, STEP_SECONDS = 5.0, 4.0


def thermistor() -> Table:
    """6000 independent samples: x (6000, 5) int32 ADC counts, one target in degC with 3 decimals (milli-degrees)."""
    bits = np.random.PCG64(SEED)
    celsius = _uniform(bits, -20.0, 100.0)
    board = 25.0 + 0.35 * (celsius - 25.0) + _uniform(bits, -12.0, 20.0)
    supply = _uniform(bits, 3.0, 3.6)
    slope = 0.12 * _normal(bits)
    now = _resistance(_sensor(celsius - LAG_SECONDS * slope, board, supply))
    before = _resistance(_sensor(celsius - (LAG_SECONDS + STEP_SECONDS) * slope, board, supply))
    upper = NOMINAL_UPPER * 1.004 * (1.0 + 120e-6 * (board - 25.0))
    reference = REFERENCE * 1.003 * (1.0 - 60e-6 * (board - 25.0) + 2e-6 * (board - 25.0) ** 2)
    readings = (
        0.5 * supply * now / (now + upper),
        0.5 * supply * before / (before + upper),
        0.5 * supply,
        BANDGAP * np.ones(SAMPLES),
        0.5 + 0.01 * board,
    )
    x = np.column_stack([_adc(volts / reference, bits) for volts in readings])
    y = np.rint(celsius * 1000.0)[:, None] / 1000.0
    return Table(x, tuple(Feature(name) for name in FEATURES), Targets(y, (TARGET,), (TARGET_DECIMALS,)))


def textbook(x: np.ndarray) -> np.ndarray:
    """degC (N,) from counts (N, 5) by the beta formula with the data sheet's nominal values, without any correction."""
    ratio = x[:, 0] / x[:, 2]
    resistance = NOMINAL_UPPER * ratio / (1.0 - ratio)
    return np.asarray(1.0 / (1.0 / T25 + np.log(resistance / NOMINAL_R25) / NOMINAL_B) - ZERO_CELSIUS)


def _sensor(celsius: np.ndarray, board: np.ndarray, supply: np.ndarray) -> np.ndarray:
    """The NTC's own temperature in degC: its surroundings, heat through the wires, and its own heat (1.2 mW/K)."""
    surroundings = celsius + 0.03 * (board - celsius)
    resistance = _resistance(surroundings)
    power = (supply / (resistance + NOMINAL_UPPER)) ** 2 * resistance
    return surroundings + power / 1.2e-3


def _resistance(celsius: np.ndarray) -> np.ndarray:
    """Of this very NTC, in ohm."""
    beta = NOMINAL_B * 0.99 * (1.0 + 2.5e-4 * (celsius - 25.0))
    return NOMINAL_R25 * 1.03 * np.exp(beta * (1.0 / (celsius + ZERO_CELSIUS) - 1.0 / T25))


def _adc(ratio: np.ndarray, bits: np.random.PCG64) -> np.ndarray:
    """Counts (int32) of a voltage over the reference: offset, a bend of 4 counts, noise of 0.5 counts, rounding."""
    ideal = ratio * (FULL_SCALE + 1)
    bend = 4.0 * np.sin(2.0 * np.pi * ratio)
    counts = np.floor(ideal + 3.0 + bend + 0.5 * _normal(bits) + 0.5)
    return np.clip(counts, 0, FULL_SCALE).astype(np.int32)


def _uniform(bits: np.random.PCG64, low: float, high: float) -> np.ndarray:
    return low + (high - low) * ((bits.random_raw(SAMPLES) >> np.uint64(11)) * 2.0**-53)


def _normal(bits: np.random.PCG64) -> np.ndarray:
    """Close to normal: the sum of 12 uniform numbers less 6, of unit variance, never beyond 6."""
    words = bits.random_raw((SAMPLES, 3))
    quarters = [(words >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)]
    total = sum(quarter.sum(axis=1).astype(np.float64) for quarter in quarters)
    return np.asarray((total + 6.0) / 65536.0 - 6.0)
