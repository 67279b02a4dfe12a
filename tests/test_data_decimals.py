# SPDX-License-Identifier: MIT
"""Numbers from text: every one equals what exact decimal arithmetic says."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qnn.data.decimals import (
    BIG,
    INFINITE,
    MISSING,
    NUMBER,
    TEXT,
    fitting_decimals,
    integers,
    is_numeric,
    parse,
    plain,
)

signs = st.sampled_from(["", "-", "+"])
digits = st.text("0123456789", min_size=1, max_size=24)
exponents = st.one_of(
    st.just(""), st.integers(-30, 30).map(lambda e: f"e{e}"), st.integers(0, 9).map(lambda e: f"E+{e}")
)
numbers = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{whole}{fraction}{exponent}",
    signs,
    digits,
    st.one_of(st.just(""), st.just("."), digits.map(lambda d: "." + d)),
    exponents,
)


def rounded(text: str, decimals: int) -> int:
    scaled = Decimal(text).scaleb(decimals)
    return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP)) if abs(scaled) < BIG else BIG


@given(st.lists(numbers, min_size=1, max_size=8), st.integers(0, 18))
@example(["0.5", "-0.5", "1.5", "2147483647.5"], 0)
@example(["0.49999999999999999999999", "0.50000000000000000000001"], 0)
@example(["18446744073709551615", "9999999999999999999e-19"], 9)
@settings(max_examples=300)
def test_integers_are_the_exactly_rounded_decimals(cells: list[str], decimals: int) -> None:
    found = parse(cells)
    assert (found.kind == NUMBER).all()
    raw = integers(found, np.array(decimals)).tolist()
    for text, value in zip(cells, raw, strict=True):
        expected = rounded(text, decimals)
        if abs(expected) < 1 << 31:
            assert value == expected
        else:
            assert abs(value) >= 1 << 31
            assert (value > 0) == (Decimal(text) > 0)


@given(st.lists(numbers, min_size=1, max_size=8))
@settings(max_examples=200)
def test_decimals_are_the_fewest_that_are_exact(cells: list[str]) -> None:
    found = parse(cells)
    for i, text in enumerate(cells):
        value = Decimal(text)
        if len(value.as_tuple().digits) <= 18:
            assert found.at(i) == value
            fewest = max(0, -int(value.normalize().as_tuple().exponent)) if value else 0
            assert max(0, int(found.decimals[i])) == fewest


@given(st.lists(st.text(max_size=12), min_size=1, max_size=8))
@settings(max_examples=300)
def test_any_text_is_one_kind_and_never_a_wrong_number(cells: list[str]) -> None:
    cells = [cell.replace("\0", "") for cell in cells]
    found = parse(cells)
    for cell, kind in zip(cells, found.kind.tolist(), strict=True):
        assert (kind == NUMBER) == is_numeric(cell, comma=False)


@pytest.mark.parametrize(
    "cell",
    [
        "1 2",
        "1_0",
        "--1",
        "+-1",
        "1-",
        "1.2.3",
        ".",
        "-",
        "e5",
        "1e",
        "1e5e3",
        "1e1.5",
        "0x10",
        "\uff11\uff12",
        "1,5",
        "5%",
    ],
)
def test_lookalikes_are_text(cell: str) -> None:
    assert parse([cell]).kind[0] == TEXT


@pytest.mark.parametrize("cell", ["", " ", "NA", "n/a", "nan", "NaN", "NULL", "?", "#N/A"])
def test_missing_words(cell: str) -> None:
    assert parse([cell]).kind[0] == MISSING


@pytest.mark.parametrize("cell", ["inf", "-inf", "Infinity", "+INF"])
def test_infinity(cell: str) -> None:
    assert parse([cell]).kind[0] == INFINITE


def test_markers_are_missing_however_they_are_written() -> None:
    found = parse(["-200", "-200.0", "-2e2", "-200.1", "200", "none", "0"], markers=("-200", "none"))
    assert found.kind.tolist() == [MISSING] * 3 + [NUMBER] * 2 + [MISSING, NUMBER]
    assert parse(["-200", "0"]).kind.tolist() == [NUMBER, NUMBER]


def test_decimal_comma_only_where_it_is_allowed() -> None:
    found = parse(["2,6", "2.6", "-,5", "1.234,5", "1,2,3"], comma=True)
    assert found.kind.tolist() == [NUMBER, NUMBER, NUMBER, TEXT, TEXT]
    assert [found.at(i) for i in range(3)] == [Decimal("2.6"), Decimal("2.6"), Decimal("-0.5")]
    assert found.comma.tolist() == [True, False, True, False, False]
    assert found.point.tolist() == [False, True, False, False, False]


def test_blanks_around_a_number_do_not_matter() -> None:
    found = parse(["  7.5 ", "\t-3", "8"])
    assert [found.at(i) for i in range(3)] == [Decimal("7.5"), Decimal(-3), Decimal(8)]


def test_a_million_numbers_come_back_exactly(rng: np.random.Generator) -> None:
    raw = rng.integers(-(1 << 31), 1 << 31, 1 << 16)
    cells = [f"{value / 1000:.3f}" for value in raw.tolist()]
    assert integers(parse(cells), np.array(3)).tolist() == raw.tolist()
    cells = [f"{value:.18e}" for value in raw.tolist()]
    assert integers(parse(cells), np.array(0)).tolist() == raw.tolist()


@pytest.mark.parametrize(
    ("wanted", "low", "high", "decimals"),
    [
        (6, "0", "0.5", 6),
        (12, "0", "0.5", 9),
        (0, "-2147483648", "0", 0),
        (0, "-2147483648.5", "0", -1),
        (0, "0", "2147483647.4", 0),
        (0, "0", "2147483647.5", -1),
        (3, "0", "2147483.647", 3),
        (3, "0", "2147483.648", 2),
        (30, "0", "1e-15", 18),
    ],
)
def test_as_many_decimals_as_int32_holds(wanted: int, low: str, high: str, decimals: int) -> None:
    assert fitting_decimals(wanted, Decimal(low), Decimal(high)) == decimals


def test_plain_text_of_a_number() -> None:
    assert [plain(Decimal(text)) for text in ("1.0", "-0.250", "100", "1E+2", "0")] == ["1", "-0.25", "100", "100", "0"]
