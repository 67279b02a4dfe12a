# SPDX-License-Identifier: MIT
"""Decimal numbers read from text exactly, many at a time: no binary fraction is ever between the text and the integer.

A number is kept as (-1)**negative * mantissa * 10**-decimals, without trailing zeros behind the decimal point.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from qnn.fixedpoint import INT32_MAX, INT32_MIN

TEXT, NUMBER, MISSING, INFINITE = 0, 1, 2, 3
MISSING_WORDS = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "?"))
INFINITE_WORDS = frozenset(("inf", "infinity"))
MAX_DECIMALS = 18
BIG = 1 << 40  # stands for every magnitude beyond int32; safe to negate and compare in int64

_WIDTH = 32  # characters that the fast path looks at
_DIGITS = 19  # significant digits that always fit uint64
_EXPONENT_LIMIT = 400
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_TEN = np.array([10**k for k in range(20)], dtype=np.uint64)
_TIMES = np.array([10 if 48 <= c <= 57 else 1 for c in range(256)], dtype=np.uint64)
_PLUS = np.array([c - 48 if 48 <= c <= 57 else 0 for c in range(256)], dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class Numbers:
    """Cells of text as numbers; all arrays have one element a cell.

    kind: uint8, NUMBER, MISSING, INFINITE or TEXT; only a NUMBER's value means something.
    mantissa: uint64. negative: bool. decimals: int32, negative for 1e5 and the like.
    comma, point: bool, whether the cell is a number with that sign before its decimals.
    """

    kind: np.ndarray
    mantissa: np.ndarray
    negative: np.ndarray
    decimals: np.ndarray
    comma: np.ndarray
    point: np.ndarray

    def reshape(self, *shape: int) -> Numbers:
        """The same numbers in arrays of `shape`."""
        return Numbers(*(array.reshape(shape) for array in self._arrays()))

    def __getitem__(self, key: Any) -> Numbers:
        return Numbers(*(array[key] for array in self._arrays()))

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return (self.kind, self.mantissa, self.negative, self.decimals, self.comma, self.point)

    def at(self, index: int) -> Decimal:
        """One number, exactly (index into the flattened arrays)."""
        magnitude = Decimal(int(self.mantissa.flat[index])).scaleb(-int(self.decimals.flat[index]))
        return -magnitude if self.negative.flat[index] else magnitude

    def values(self) -> np.ndarray:
        """float64 values: correctly rounded up to 15 digits and 22 decimals."""
        with np.errstate(over="ignore"):
            magnitude = self.mantissa.astype(np.float64)
            down = np.power(10.0, np.maximum(self.decimals, 0))
            up = np.power(10.0, np.maximum(-self.decimals, 0))
            magnitude = magnitude / down * up
        return np.where(self.negative, -magnitude, magnitude)


def parse(cells: Sequence[str], comma: bool = False, markers: Sequence[str] = ()) -> Numbers:
    """`cells` as numbers; with `comma` a decimal comma is as good as a decimal point.

    Missing are MISSING_WORDS and `markers`; a marker that is a number stands for every way to write that number.
    """
    numbers = _parse_stripped(cells, comma)
    rest = np.flatnonzero(numbers.kind == TEXT).tolist()
    if rest:
        stripped = [cells[i].strip() for i in rest]
        if any(len(cells[i]) != len(text) for i, text in zip(rest, stripped, strict=True)):
            _put(numbers, np.array(rest), _parse_stripped(stripped, comma))
        _parse_odd(numbers, cells, comma, frozenset(m.strip().lower() for m in markers))
    for marker in markers:
        _mark(numbers, marker, comma)
    return numbers


def integers(numbers: Numbers, decimals: np.ndarray) -> np.ndarray:
    """int64 multiples of 10**-decimals (broadcast), rounded half away from zero; beyond int32 some value beyond it."""
    shift = decimals - numbers.decimals
    with np.errstate(over="ignore"):
        up = _TEN[np.clip(shift, 0, 19)]
        beyond = (numbers.mantissa > np.uint64(BIG) // up) | (shift > 19)
        result = np.where(beyond & (numbers.mantissa != 0), np.uint64(BIG), numbers.mantissa * up)
    if (shift < 0).any():
        ten = _TEN[np.clip(-shift, 0, 19)]
        quotient = numbers.mantissa // ten
        rest = numbers.mantissa - quotient * ten
        quotient += rest >= ten - rest
        quotient[shift < -19] = 0
        result = np.where(shift < 0, np.minimum(quotient, np.uint64(BIG)), result)
    signed = result.astype(np.int64)
    return np.where(numbers.negative, -signed, signed)


def fitting_decimals(wanted: int, low: Decimal, high: Decimal) -> int:
    """The most decimals up to `wanted` with which `low` and `high` still round into int32; -1 if not even 0 do."""
    decimals = min(max(wanted, 0), MAX_DECIMALS)
    half = Decimal("0.5")
    while decimals >= 0 and not (high.scaleb(decimals) < INT32_MAX + half and low.scaleb(decimals) > INT32_MIN - half):
        decimals -= 1
    return decimals


def plain(value: Decimal) -> str:
    """The shortest text of `value` without an exponent: "1", "-0.25"."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_numeric(cell: str, comma: bool) -> bool:
    """Whether one cell is a number."""
    return bool(_NUMBER.fullmatch(_pointed(cell.strip(), comma)))


def is_missing(cell: str) -> bool:
    """Whether one cell is among the MISSING_WORDS."""
    return cell.strip().lower() in MISSING_WORDS


def _pointed(text: str, comma: bool) -> str:
    return text.replace(",", ".") if comma else text


def _parse_stripped(cells: Sequence[str], comma: bool) -> Numbers:
    """The fast path: short cells without blanks around them; all others are TEXT in its result."""
    try:
        texts = np.array(cells, dtype=f"S{_WIDTH}")
    except UnicodeEncodeError:
        texts = np.array([c if c.isascii() else "x" for c in cells], dtype=f"S{_WIDTH}")
    matrix = texts.view(np.uint8).reshape(len(cells), _WIDTH)
    width = int(matrix.any(axis=0).sum())
    letters = np.ascontiguousarray(matrix[:, : max(width, 1)].T)
    is_comma = (letters == 44).any(axis=0) if comma else np.zeros(len(cells), dtype=bool)
    is_point = (letters == 46).any(axis=0)
    if comma:
        letters[letters == 44] = 46
    is_exponent = (letters | 32) == 101
    read = _scientific(letters, is_exponent) if is_exponent.any() else _fixed(letters)
    mantissa, negative, decimals, valid = read
    if width == _WIDTH:
        valid &= letters[-1] == 0
    kind = np.where(valid, np.uint8(NUMBER), np.uint8(TEXT))
    kind[letters[0] == 0] = MISSING
    return Numbers(kind, mantissa, negative, decimals, is_comma & valid, is_point & valid)


def _fixed(letters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(mantissa, negative, decimals, valid) of cells without exponent; letters: (characters, cells), 0 for none."""
    cells = letters.shape[1]
    mantissa = np.zeros(cells, dtype=np.uint64)
    digits, behind, zeros, significant = (np.zeros(cells, dtype=np.uint8) for _ in range(4))
    points, started, bad = (np.zeros(cells, dtype=bool) for _ in range(3))
    for letter in letters:
        digit = (letter - np.uint8(48)) < 10
        point = letter == 46
        sign = (letter == 43) | (letter == 45)
        mantissa = mantissa * _TIMES[letter] + _PLUS[letter]
        bad |= ~(digit | point | sign | (letter == 0)) | (point & points) | (sign & started)
        started |= letter != 0
        points |= point
        digits += digit
        behind += digit & points
        zeros = (zeros + (letter == 48)) * ((letter == 48) | ~digit)
        if len(letters) > _DIGITS:
            significant += digit & (mantissa != 0)
    valid = ~bad & (digits > 0) & (significant <= _DIGITS)
    negative = (letters == 45).any(axis=0)
    strip = np.minimum(zeros, behind)
    rows = np.flatnonzero(strip)
    mantissa[rows] //= _TEN[np.minimum(strip[rows], _DIGITS)]
    decimals = behind.astype(np.int32) - strip
    decimals[mantissa == 0] = 0
    return mantissa, negative, decimals, valid


def _scientific(letters: np.ndarray, is_exponent: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As `_fixed`, of cells some of which have an e or E."""
    after = np.logical_or.accumulate(is_exponent, axis=0)
    mantissa, negative, decimals, valid = _fixed(_occupied(np.where(after, np.uint8(0), letters)))
    tail = np.where(after & ~is_exponent, letters, np.uint8(0))
    power, down, _, whole = _fixed(_occupied(tail))
    whole &= ~(tail == 46).any(axis=0) & (is_exponent.sum(axis=0) == 1)
    valid &= whole | ~after[-1]
    exponent = np.minimum(power, _EXPONENT_LIMIT).astype(np.int32)
    decimals -= np.where(down, -exponent, exponent)
    _normalize(mantissa, decimals)
    return mantissa, negative, decimals, valid


def _occupied(letters: np.ndarray) -> np.ndarray:
    """`letters` without the positions that no cell uses; at least one."""
    used = letters.any(axis=1)
    return letters[used] if used.any() else letters[:1]


def _normalize(mantissa: np.ndarray, decimals: np.ndarray) -> None:
    """In place, one way to write each number: 10e-1 as 1, 1e5 as 100000 (unless that is beyond uint64)."""
    decimals[mantissa == 0] = 0
    rows = np.flatnonzero(decimals < 0)
    rows = rows[(decimals[rows] >= -_DIGITS)]
    rows = rows[mantissa[rows] <= np.uint64((1 << 64) - 1) // _TEN[-decimals[rows]]]
    mantissa[rows] *= _TEN[-decimals[rows]]
    decimals[rows] = 0
    while len(rows := np.flatnonzero((decimals > 0) & (mantissa % np.uint64(10) == 0))):
        mantissa[rows] //= np.uint64(10)
        decimals[rows] -= 1


def _parse_odd(numbers: Numbers, cells: Sequence[str], comma: bool, markers: frozenset[str]) -> None:
    """Fill in what the fast path left as TEXT: words for missing and infinite, and very long numbers."""
    for i in np.flatnonzero(numbers.kind == TEXT).tolist():
        text = cells[i].strip()
        word = text.lower()
        if word in MISSING_WORDS or word in markers:
            numbers.kind[i] = MISSING
        elif word.lstrip("+-") in INFINITE_WORDS:
            numbers.kind[i] = INFINITE
        elif len(text) <= _EXPONENT_LIMIT and _NUMBER.fullmatch(_pointed(text, comma)):
            numbers.kind[i] = NUMBER
            numbers.comma[i], numbers.point[i] = "," in text, "." in text
            numbers.mantissa[i], numbers.negative[i], numbers.decimals[i] = _exact(_pointed(text, comma))


def _exact(text: str) -> tuple[int, bool, int]:
    """(mantissa, negative, decimals) of one number of any length, cut where it cannot change a rounding to int32."""
    sign, digits, power = Decimal(text).as_tuple()
    mantissa, decimals = int("".join(map(str, digits))), -int(power)
    cut = max(0, len(str(mantissa)) - (_DIGITS - 1))
    mantissa, lost = divmod(mantissa, 10**cut)
    # A last digit other than 0 and 5 keeps what was cut from looking like a tie or like nothing.
    mantissa += 1 if lost and mantissa % 5 == 0 else 0
    decimals -= cut
    normal = np.array([mantissa], dtype=np.uint64), np.array([decimals])
    _normalize(*normal)
    return int(normal[0][0]), sign == 1, int(np.clip(normal[1][0], -_EXPONENT_LIMIT, _EXPONENT_LIMIT))


def _mark(numbers: Numbers, marker: str, comma: bool) -> None:
    """Make every number that equals `marker` missing."""
    wanted = parse([marker], comma)
    if wanted.kind[0] == NUMBER:
        same = (numbers.mantissa == wanted.mantissa[0]) & (numbers.decimals == wanted.decimals[0])
        numbers.kind[same & (numbers.negative == wanted.negative[0]) & (numbers.kind == NUMBER)] = MISSING


def _put(numbers: Numbers, rows: np.ndarray, part: Numbers) -> None:
    numbers.kind[rows] = part.kind
    numbers.mantissa[rows], numbers.negative[rows], numbers.decimals[rows] = part.mantissa, part.negative, part.decimals
    numbers.comma[rows], numbers.point[rows] = part.comma, part.point
