# SPDX-License-Identifier: MIT
"""Functions of 16-bit values as straight lines: within a step of the real function, on every value, in few bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from qnn.curves import curve_of
from qnn.errors import QnnError
from qnn.layers.sigmoid import sigmoid
from qnn.ops.curve import Curve
from qnn.ops.op import TensorType

Function = Callable[[np.ndarray], np.ndarray]
CASES: tuple[tuple[str, Function, float, float, int], ...] = (  # function, input's end, output's end, most bytes
    ("tanh", np.tanh, 6.0, 1.0, 820),
    ("tanh, short", np.tanh, 1.5, 0.91, 520),
    ("sigmoid", sigmoid, 12.0, 1.0, 680),
    ("leaky relu", lambda x: np.maximum(x, 0.1 * x), 3.0, 3.0, 9),
    ("relu6", lambda x: np.clip(x, 0, 6), 9.0, 6.0, 840),
    ("identity", lambda x: x, 3.0, 4.0, 9),
    ("exp", np.exp, 3.0, 21.0, 1400),
    ("step", lambda x: np.where(x > 0.3, 1.0, -1.0), 1.0, 1.0, 3400),
    ("beyond the output", lambda x: 5 * x, 1.0, 1.0, 1700),
)


def bytes_of(curve: Curve) -> int:
    return curve.entries.nbytes + curve.firsts.nbytes + curve.shifts.nbytes


@pytest.mark.parametrize("low", [-32768, -20001, 0])
@pytest.mark.parametrize(("name", "function", "x_end", "y_end", "most"), CASES, ids=[case[0] for case in CASES])
def test_every_value_is_within_a_step(
    name: str, function: Function, x_end: float, y_end: float, most: int, low: int
) -> None:
    x = TensorType((1,), "int16", low, 32767, x_end / 32767)
    whole = TensorType((1,), "int16", -32768, 32767, y_end / 32767)
    for y in (
        whole,
        TensorType((1,), "int16", 0, 20000, y_end / 32767),
        TensorType((1,), "uint8", 0, 255, 2 * y_end / 255, 128),
    ):
        curve = curve_of(x, y, function)
        curve.check(name, (x,), y)
        q = np.arange(low, 32768)
        exact = np.clip(np.floor(function(q * x.scale) / y.scale + 0.5) + y.zero_point, y.low, y.high)
        assert np.abs(curve.reference((q,)) - exact).max() <= 1
        assert y is not whole or bytes_of(curve) <= most


def test_lines_are_as_long_as_they_can_be() -> None:
    """Twice as long anywhere, and some value is more than a step off."""
    x, y = (TensorType((1,), "int16", -32768, 32767, end / 32767) for end in (6.0, 1.0))
    curve, exact = curve_of(x, y, np.tanh), np.floor(np.tanh(np.arange(-32768, 32769) * x.scale) / y.scale + 0.5)
    for segment, shift in enumerate(curve.shifts.tolist()):
        start, end = segment << curve.bits, (segment + 1) << curve.bits
        knots = np.arange(start, end + 1, 2 << shift)
        lines = np.floor(np.interp(np.arange(start, end), knots, exact[knots]) + 0.5)
        assert shift == curve.bits or np.abs(lines - exact[start:end]).max() > 1


X, Y = TensorType((4,), "int16", -100, 100), TensorType((4,), "int16", -5, 5)
GOOD = Curve(-100, 7, np.array([0, 2], np.uint16), np.array([6, 7], np.uint8), np.array([-5, 0, 5, 0], np.int16))


def test_a_lawful_curve_by_hand() -> None:
    GOOD.check("curve", (X,), Y)
    values = np.array([[-100, -99, -68, -36, 27, 28, 92, 100]])
    assert GOOD.reference((values,)).tolist() == [[-5, -5, -2, 0, 5, 5, 3, 2]]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"low": -99}, "do not reach"),
        ({"bits": 6}, "do not reach|too long"),
        ({"bits": 17}, "segments do not fit"),
        ({"firsts": np.array([0], np.uint16)}, "segments do not fit"),
        ({"firsts": np.array([0, 3], np.uint16)}, "too few entries"),
        ({"firsts": np.array([0, 2], np.int16)}, "table does not fit"),
        ({"shifts": np.array([8, 7], np.uint8)}, "too long"),
        ({"shifts": np.array([5, 7], np.uint8)}, None),
        ({"shifts": np.array([4, 7], np.uint8)}, "too few entries"),
        ({"entries": np.array([-6, 0, 5, 0], np.int16)}, "leaves the output's range"),
        ({"entries": np.array([-5, 0, 5, 0], np.int32)}, "table does not fit"),
    ],
)
def test_unlawful_curves_are_refused(changes: dict[str, object], problem: str | None) -> None:
    curve = dataclasses.replace(GOOD, **changes)
    if problem is None:
        with pytest.raises(QnnError, match="too few entries"):
            dataclasses.replace(curve, entries=GOOD.entries[:3]).check("curve", (X,), Y)
        return
    with pytest.raises(QnnError, match=problem):
        curve.check("curve", (X,), Y)
