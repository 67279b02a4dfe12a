# SPDX-License-Identifier: MIT
"""The one requantization against exact fractions (SPEC 3)."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnn.errors import QnnError
from qnn.fixedpoint import (
    HALF_EVEN,
    INT32_MAX,
    INT32_MIN,
    MAX_SHIFT,
    QNN,
    Requantization,
    encode_scale,
    has_halves,
    requantization,
)

ACCUMULATORS = st.one_of(
    st.integers(INT32_MIN, INT32_MAX),
    st.sampled_from([INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX]),
    st.integers(-5000, 5000),
)
FACTORS = st.floats(min_value=2.0**-30, max_value=2.0**20, allow_nan=False)


def apply(params: Requantization, accumulator: int) -> int:
    return int(params.apply(np.array([[accumulator]], dtype=np.int64))[0, 0])


@given(FACTORS, ACCUMULATORS, st.integers(0, 255))
def test_uint8_result_is_one_exact_rounding(factor: float, accumulator: int, zero_point: int) -> None:
    params = requantization(np.array([factor]), zero_point, 0, 255)
    params.check("test", 1, (INT32_MIN, INT32_MAX))
    result = apply(params, accumulator)
    assert result == oracle.exact_requantize(accumulator, params, 0)
    assert result == oracle.requantize(accumulator, params, 0)


@given(FACTORS, ACCUMULATORS)
def test_int16_result_is_one_exact_rounding(factor: float, accumulator: int) -> None:
    params = requantization(np.array([factor]), 0, -32768, 32767)
    params.check("test", 1, (INT32_MIN, INT32_MAX))
    assert apply(params, accumulator) == oracle.exact_requantize(accumulator, params, 0)


@given(st.integers(-(1 << 20), 1 << 20), st.integers(1, 12))
def test_ties_round_up(numerator: int, bits: int) -> None:
    """An accumulator exactly between two steps goes to the upper one."""
    params = requantization(np.array([2.0**-bits]), 0, -32768, 32767)
    accumulator = numerator * (1 << bits) + (1 << (bits - 1))
    assert apply(params, accumulator) == max(-32768, min(32767, numerator + 1))


@given(st.one_of(FACTORS, st.integers(-20, 2).map(lambda e: 2.0**e)), ACCUMULATORS, st.integers(0, 255))
def test_halves_become_even(factor: float, accumulator: int, zero_point: int) -> None:
    once = requantization(np.array([factor]), zero_point, 0, 255)
    params = dataclasses.replace(once, rounding=HALF_EVEN)
    params.check("test", 1, (INT32_MIN, INT32_MAX))
    assert apply(params, accumulator) == oracle.requantize(accumulator, params, 0)


@given(st.integers(1, 12), st.integers(0, 1 << 14))
def test_where_no_half_is_reached_the_rules_agree(bits: int, most: int) -> None:
    """Factors with few bits: every accumulator up to `most` is tried."""
    params = dataclasses.replace(requantization(np.array([3 * 2.0**-bits]), 5, -32768, 32767), rounding=HALF_EVEN)
    acc = np.arange(-most, most + 1, dtype=np.int64)
    same = np.array_equal(params.apply(acc[:, None]), dataclasses.replace(params, rounding=QNN).apply(acc[:, None]))
    assert same or has_halves(params, np.array([-most]), np.array([most]))
    assert has_halves(params, np.array([-most]), np.array([most])) == (most >= 1 << (bits - 1))


@given(st.floats(min_value=2.0**-60, max_value=2.0**27, allow_nan=False, exclude_max=True))
def test_encoding_is_the_nearest_and_in_range(factor: float) -> None:
    multiplier, shift, prescale = encode_scale(factor)
    assert 0 <= multiplier < 1 << 31
    assert 1 <= shift <= MAX_SHIFT
    assert prescale == 0 or (shift == 1 and multiplier >= 1 << 30)
    assert multiplier >= 1 << 30 or shift == MAX_SHIFT
    assert prescale == 0 or factor >= 0.25 * (1 - 2.0**-31)
    unit = Fraction(2) ** (prescale - shift - 32)
    assert abs(multiplier * unit - Fraction(factor)) <= unit / 2


def test_multiplier_that_rounds_to_two_to_the_31_is_renormalized() -> None:
    below_a_power_of_two = float(np.nextafter(0.125, 0))
    assert encode_scale(below_a_power_of_two) == (1 << 30, 1, 0)
    assert encode_scale(float(np.nextafter(0.25, 0))) == (1 << 30, 1, 1)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan"), 2.0**27])
def test_impossible_factors_are_refused(factor: float) -> None:
    with pytest.raises(QnnError, match="cannot be encoded"):
        encode_scale(factor)


def test_check_refuses_a_constant_that_leaves_int32() -> None:
    good = requantization(np.array([2.0**-22]), 0, -(1 << 15), 1 << 15)
    params = dataclasses.replace(good, zero_point=np.array([1 << 12], np.int32))
    with pytest.raises(QnnError, match="leaves int32"):
        params.check("node", 1, (-(1 << 31), INT32_MAX))


def test_check_refuses_a_prescale_that_could_change_results() -> None:
    """The limit may act only where the result is saturated: here the output is too wide for that."""
    params = requantization(np.array([4.0]), 0, -(1 << 30), 1 << 30)
    with pytest.raises(QnnError, match="does not provably saturate"):
        params.check("node", 1, (INT32_MIN, INT32_MAX))
    params.check("node", 1, (-1000, 1000))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("multiplier", np.array([-1], np.int32)),
        ("multiplier", np.array([1], np.int64)),
        ("shift", np.array([0], np.uint8)),
        ("shift", np.array([23], np.uint8)),
        ("prescale", np.array([31], np.uint8)),
        ("prescale", np.array([1], np.uint8)),
        ("zero_point", np.array([0, 0, 0], np.int32)),
    ],
)
def test_check_refuses_fields_out_of_range(field: str, values: np.ndarray) -> None:
    good = requantization(np.array([0.01]), 0, 0, 255)
    broken = Requantization(
        **{
            name: values if name == field else getattr(good, name)
            for name in ("multiplier", "shift", "prescale", "zero_point", "low", "high")
        }
    )
    with pytest.raises(QnnError, match="node"):
        broken.check("node", 1, (-1000, 1000))
