# SPDX-License-Identifier: MIT
"""What each choice brings: rows of a report that differ in one thing only, side by side."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qnn.report.cells import metric_text
from qnn.report.labels import DIMENSIONS

MOST = 24  # lines for each choice, and of seeds
NETWORK, SEED, BITS = "network", "seed", "bits"
COLUMNS = ("what changes", "from", "to", "with", "score", "SQNR, dB", "flash, bytes", "instructions")
WORDS = (1, 2, 3)
SAME = "same"
SPREAD_COLUMNS = ("rows", "seeds", "lowest", "mean", "highest")
Row = Mapping[str, Any]


def comparisons(rows: Sequence[Row], metric: str) -> list[tuple[str, ...]]:
    """Lines in the order of COLUMNS, at most MOST for each choice: the first row of its kind against the others.

    Methods come before widths. Networks are left out: what they bring is what the plots show.
    """
    found: list[tuple[str, ...]] = []
    for key, _ in sorted(DIMENSIONS, key=lambda dimension: dimension[0] == BITS):
        if key not in (NETWORK, SEED):
            found += (_line(key, first, row, rows, metric) for first, row in itertools.islice(_pairs(rows, key), MOST))
    return found


def _line(key: str, first: Row, second: Row, rows: Sequence[Row], metric: str) -> tuple[str, ...]:
    told = dict(DIMENSIONS)[key]
    applying = {name: value for name, value in second.items() if value is not None}
    beside = _others({**first, **applying}, key, rows)
    return (_named(key), told(first[key]), told(second[key]), beside, *_changes(first, second, metric))


def _pairs(rows: Sequence[Row], key: str) -> Iterator[tuple[Row, Row]]:
    """Rows with different values of `key` that agree in all else, in order; each with the first of its kind.

    A row has several partners where those differ among themselves in what does not apply to it: 8 bits are compared
    with 4 bits of each rounding.
    """
    valued = [row for row in rows if row.get(key) is not None]
    for index, row in enumerate(valued):
        partners: list[Row] = []  # that do not agree with each other
        for first in valued[:index]:
            if _agree(first, row, key) and not any(_agree(partner, first, key) for partner in partners):
                partners.append(first)
        yield from ((first, row) for first in partners if first[key] != row[key])


def _agree(one: Row, other: Row, key: str) -> bool:
    """Do two rows differ in nothing but `key`? What does not apply to one of them (None) does not separate them."""
    values = ((one.get(name), other.get(name)) for name, _ in DIMENSIONS if name != key)
    return all(first == second or first is None or second is None for first, second in values)


def seed_spread(rows: Sequence[Row], metric: str) -> list[tuple[str, ...]]:
    """Lines in the order of SPREAD_COLUMNS, at most MOST: of rows that only their seeds tell apart."""
    found = []
    for group in _groups([row for row in rows if row.get(SEED) is not None], SEED):
        scores = [row[metric] for row in group]
        seeds = ", ".join(str(row.get(SEED)) for row in group)
        ends = (min(scores), statistics.fmean(scores), max(scores))
        found.append((_others(group[0], SEED, rows) or "all", seeds, *(metric_text(metric, score) for score in ends)))
    return found[:MOST]


def _groups(rows: Sequence[Row], key: str) -> Iterator[Sequence[Row]]:
    """Two or more rows each that agree in all but `key`, in order."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(other) for other, _ in DIMENSIONS if other != key), []).append(row)
    return (group for group in groups.values() if len({group_row.get(key) for group_row in group}) > 1)


def _others(row: Row, key: str, rows: Sequence[Row]) -> str:
    """What else the row is, as far as rows differ in it."""
    keys = [
        (other, told) for other, told in DIMENSIONS if other != key and len({r.get(other) for r in rows} - {None}) > 1
    ]
    return ", ".join(told(row[other]) for other, told in keys if row.get(other) is not None)


def _named(key: str) -> str:
    return key.replace("_", " ")


def _changes(first: Row, second: Row, metric: str) -> tuple[str, ...]:
    return (
        _score(first[metric], second[metric], metric),
        _decibels(first, second),
        *(_less(first, second, key) for key in ("flash_bytes", "instructions")),
    )


def _score(before: float, after: float, metric: str) -> str:
    """+0.12 points of accuracy, or -3.1 % rmse."""
    if before == after:
        return SAME
    if metric == "accuracy":
        return f"{100 * (after - before):+.2f} points"
    return f"{100 * (after / before - 1):+.1f} % rmse" if before else f"{after - before:+.3g}"


def _decibels(first: Row, second: Row) -> str:
    """How much closer to the float network the output is, on the stored samples."""
    before, after = ((row.get("fidelity") or {}).get("sqnr_db") for row in (first, second))
    return "n/a" if before is None or after is None else f"{after - before:+.1f}"


def _less(first: Row, second: Row, key: str) -> str:
    if first.get(key) is None or second.get(key) is None:
        return "n/a"
    change = second[key] - first[key]
    return f"{change:+,.0f}" if round(change) else SAME
