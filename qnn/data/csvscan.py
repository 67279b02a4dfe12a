# SPDX-License-Identifier: MIT
"""The first pass over a CSV file: how many rows, what is missing, how many decimals and which range each column has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from operator import itemgetter

import numpy as np

from qnn.data.columns import Roles
from qnn.data.csvfile import Chunk, CsvFile, Row, chunks
from qnn.data.decimals import INFINITE, MISSING, NUMBER, TEXT, Numbers, parse
from qnn.data.options import LoadOptions, check_memory
from qnn.data.table import MAX_CLASSES, LabelFacts
from qnn.errors import QnnError
from qnn.progress import Progress

ROW_BYTES = 32  # row numbers, and the order in which they are drawn


@dataclass(frozen=True, eq=False)
class Scan:
    """What the first pass found in the rows that are kept.

    decimals: (columns,) int32, of the inputs, then of the labels; low, high: their exact limits.
    labels: what each label column holds. dropped: rows left out for missing values.
    """

    rows: int
    dropped: int
    decimals: np.ndarray
    low: tuple[Decimal, ...]
    high: tuple[Decimal, ...]
    labels: tuple[LabelFacts, ...]


class _Tally:
    """What has been seen so far of some columns."""

    def __init__(self, columns: int) -> None:
        self.decimals = np.zeros(columns, dtype=np.int32)
        self.low, self.high = [Decimal(0)] * columns, [Decimal(0)] * columns
        self._least, self._most = np.full(columns, np.inf), np.full(columns, -np.inf)
        self.comma, self.point = np.zeros(columns, dtype=bool), np.zeros(columns, dtype=bool)

    def add(self, numbers: Numbers, first: int = 0) -> None:
        """Take in `numbers` (rows, some columns from `first` on); other cells than numbers are skipped."""
        rows, count = numbers.kind.shape
        if not rows:
            return
        part = slice(first, first + count)
        is_number = numbers.kind == NUMBER
        values = numbers.values()
        decimals = np.where(is_number, numbers.decimals, 0)
        self.decimals[part] = np.maximum(self.decimals[part], decimals.max(axis=0))
        self.comma[part] |= numbers.comma.any(axis=0)
        self.point[part] |= numbers.point.any(axis=0)
        for sign, best, exact in ((-1.0, self._least, self.low), (1.0, self._most, self.high)):
            place = np.where(is_number, values * sign, -np.inf).argmax(axis=0)
            found = values[place, np.arange(count)]
            better = is_number[place, np.arange(count)] & (found * sign > best[part] * sign)
            for i in np.flatnonzero(better):
                best[first + i] = found[i]
                exact[first + i] = numbers.at(int(place[i]) * count + int(i))


class _Labels:
    """What has been seen so far of one label column."""

    def __init__(self) -> None:
        self.text = False
        self.values: set[str] | None = set()

    def add(self, cells: Sequence[str], numbers: Numbers) -> None:
        """Take in distinct `cells`, which `numbers` are the numbers of."""
        self.text |= bool((numbers.kind == TEXT).any())
        if self.values is not None:
            self.values.update(cells)
            if len(self.values) > 4 * MAX_CLASSES or len({v.strip() for v in self.values}) > MAX_CLASSES:
                self.values = None


def numbers_of(table: CsvFile, rows: Sequence[Row], columns: Sequence[int], options: LoadOptions) -> Numbers:
    """The cells of `columns` as numbers, (rows, columns)."""
    if tuple(columns) == tuple(range(len(table.names))):
        cells = list(chain.from_iterable(rows))
    elif len(columns) == 1:
        cells = [row[columns[0]] for row in rows]
    else:
        cells = list(chain.from_iterable(map(itemgetter(*columns), rows)))
    return parse(cells, table.comma, options.missing).reshape(len(rows), len(columns))


def missing_rows(table: CsvFile, chunk: Chunk, roles: Roles, numbers: Numbers, options: LoadOptions) -> np.ndarray:
    """Whether a value is missing: bool (rows, inputs and labels)."""
    marks = [numbers.kind == MISSING]
    for column in roles.labels:
        cells = [row[column] for row in chunk.rows]
        distinct = list(set(cells))
        kinds = parse(distinct, table.comma, options.missing).kind
        gone = {cell for cell, kind in zip(distinct, kinds, strict=True) if kind == MISSING}
        mark = (
            np.fromiter((c in gone for c in cells), dtype=bool, count=len(cells))
            if gone
            else np.zeros(len(cells), bool)
        )
        marks.append(mark[:, None])
    return np.concatenate(marks, axis=1)


def kept_rows(chunk: Chunk, keep: np.ndarray) -> Sequence[Row]:
    """The rows of `chunk` that the mask `keep` marks."""
    return chunk.rows if keep.all() else [chunk.rows[i] for i in np.flatnonzero(keep).tolist()]


def scan_csv(table: CsvFile, roles: Roles, options: LoadOptions, row_bytes: int, progress: Progress) -> Scan:
    """Read everything once, keep only facts. `row_bytes` is what a row will take in memory.

    Raises QnnError for text, infinity or missing values where numbers are needed, and for too many rows.
    """
    columns = (*roles.features, *roles.labels)
    missing = np.zeros(len(columns), dtype=np.int64)
    tally, labels = _Tally(len(columns)), [_Labels() for _ in roles.labels]
    rows = dropped = first_gap = 0
    for chunk in chunks(table, progress, 0, 2):
        _check_empty(table, roles.empty, chunk)
        numbers = numbers_of(table, chunk.rows, roles.features, options)
        _check_numbers(table, roles.features, chunk, numbers)
        gaps = missing_rows(table, chunk, roles, numbers, options)
        keep = np.logical_not(gaps.any(axis=1))
        tally.add(numbers if keep.all() else numbers[keep])
        for place, column in enumerate(roles.labels):
            cells = list({row[column] for row in kept_rows(chunk, keep)})
            found = parse(cells, table.comma, options.missing).reshape(len(cells), 1)
            _check_infinite(table, column, cells, found)
            labels[place].add(cells, found)
            tally.add(found, len(roles.features) + place)
        missing += gaps.sum(axis=0)
        if not first_gap and not keep.all():
            first_gap = chunk.line_of(int(np.argmin(keep)))
        rows, dropped = rows + int(keep.sum()), dropped + int((~keep).sum())
        check_memory(table.subject, rows * (row_bytes + ROW_BYTES), options.max_memory, f"its {rows:,} or more rows")
    _check_missing(table, columns, missing, (rows, dropped, first_gap), options)
    _check_signs(table, columns, tally)
    whole = tally.decimals[len(roles.features) :] == 0
    facts = (
        LabelFacts(label.text, bool(integer), None if label.values is None else frozenset(label.values))
        for label, integer in zip(labels, whole, strict=True)
    )
    return Scan(rows, dropped, tally.decimals, tuple(tally.low), tuple(tally.high), tuple(facts))


def _check_empty(table: CsvFile, empty: Sequence[int], chunk: Chunk) -> None:
    for column in empty:
        for index, row in enumerate(chunk.rows):
            if row[column].strip():
                problem = f"column {table.names[column]!r} has no name and is empty up to line {chunk.line_of(index)}"
                raise QnnError(table.subject, problem, f"use --drop-columns {table.names[column]}, or fill it")


def _check_numbers(table: CsvFile, columns: Sequence[int], chunk: Chunk, numbers: Numbers) -> None:
    """Refuse text and infinity among the inputs."""
    for kind, what in ((TEXT, "text"), (INFINITE, "infinity")):
        wrong = numbers.kind == kind
        if not wrong.any():
            continue
        places = np.flatnonzero(wrong.any(axis=0)).tolist()
        names = [table.names[columns[i]] for i in places]
        row = int(wrong[:, places[0]].argmax())
        cell = chunk.rows[row][columns[places[0]]][:40]
        quoted = ", ".join(map(repr, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        one = len(names) == 1
        problem = f"column{'' if one else 's'} {quoted} hold{'s' if one else ''} {what}, such as {cell!r} in line "
        listed = ",".join(names[:8]) + (",..." if len(names) > 8 else "")
        drop = "--drop-columns " + (listed if re.fullmatch(r"[\w.,-]+", listed) else f'"{listed}"')
        remedy = f"leave {'it' if one else 'them'} out with {drop}"
        other = f", or name the label with --label, or a word for missing values with --missing {cell!r}"
        raise QnnError(
            table.subject, problem + str(chunk.line_of(row)), remedy + (other if kind == TEXT else ", or mend it")
        )


def _check_infinite(table: CsvFile, column: int, cells: Sequence[str], numbers: Numbers) -> None:
    where = np.flatnonzero(numbers.kind[:, 0] == INFINITE)
    if len(where):
        raise QnnError(
            table.subject, f"label {table.names[column]!r} is {cells[where[0]]!r} somewhere", "mend that row"
        )


def _check_missing(
    table: CsvFile, columns: Sequence[int], missing: np.ndarray, counts: tuple[int, int, int], options: LoadOptions
) -> None:
    """Refuse missing values unless their rows are to be left out, and tables of which nothing is left.

    counts: rows that are whole, rows that are not, the line of the first that is not.
    """
    rows, dropped, first = counts
    if (dropped and not options.drop_missing) or not rows:
        if not dropped:
            raise QnnError(table.subject, "has no rows under its header", "use a file with content")
        order = [i for i in np.argsort(-missing, kind="stable") if missing[i]]
        names = ", ".join(f"{table.names[columns[i]]!r} {missing[i]:,}" for i in order[:8])
        names += f" and {len(order) - 8} columns more" if len(order) > 8 else ""
        total = int(missing.sum())
        values = "1 value is" if total == 1 else f"{total:,} values are"
        where = "every row" if not rows else f"{dropped:,} of {rows + dropped:,} rows"
        where += f", first in line {first}"
        remedy = "leave out columns with --drop-columns" + (
            ", or leave out those rows with --drop-missing" if rows else ""
        )
        raise QnnError(table.subject, f"{values} missing, in {where} (by column: {names})", remedy)


def _check_signs(table: CsvFile, columns: Sequence[int], tally: _Tally) -> None:
    """Refuse a column in which 1,234 may be a thousand or one and a bit."""
    for i in np.flatnonzero(tally.comma & tally.point).tolist():
        problem = f"column {table.names[columns[i]]!r} has decimal points and decimal commas"
        raise QnnError(table.subject, problem, "write all numbers with the same sign and without thousands separators")
