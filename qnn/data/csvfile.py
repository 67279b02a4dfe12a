# SPDX-License-Identifier: MIT
"""What a CSV file looks like (separator, header, names), found from its first lines; and its rows, in chunks."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from qnn.data.decimals import is_missing, is_numeric
from qnn.data.options import AUTO, LoadOptions
from qnn.data.textsource import TextSource, lines, repaired
from qnn.errors import QnnError
from qnn.progress import Progress, silent

if TYPE_CHECKING:
    from _csv import Reader

SAMPLE_LINES = 200
SAMPLE_CHARACTERS = 1 << 20
CHUNK_CELLS = 1 << 17
# The order decides ties: a file with decimal commas is also split consistently by its commas.
CANDIDATES = ("\t", ";", "|", ",", " ")

Row = list[str]


@dataclass(frozen=True, eq=False)
class CsvFile:
    """A table of text.

    names: one a column; x1, x2, ... where the file has none. named: which columns the file names.
    sample: the first rows after the header. warnings: one line each.
    """

    source: TextSource
    separator: str
    header: bool
    names: tuple[str, ...]
    named: tuple[bool, ...]
    sample: tuple[Row, ...]
    warnings: tuple[str, ...]

    @property
    def subject(self) -> str:
        """Its name in errors."""
        return self.source.subject

    @property
    def comma(self) -> bool:
        """Whether numbers may have a decimal comma: only where a comma does not separate."""
        return self.separator != ","

    def empty_columns(self) -> tuple[int, ...]:
        """Columns without a name in the header and without content in the sample: trailing separators, mostly."""
        empty = (i for i, named in enumerate(self.named) if not named)
        return tuple(i for i in empty if not any(i < len(row) and row[i].strip() for row in self.sample))


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows, all as wide as the table, without blank ones; `unfiltered` has those too, after line `line`."""

    line: int
    unfiltered: Sequence[Row]
    rows: Sequence[Row]

    def line_of(self, index: int) -> int:
        """The file's line, from 1, on which rows[index] starts."""
        line = self.line + 1
        for row in self.unfiltered:
            if row is self.rows[index]:
                break
            line += 1 + sum(cell.count("\n") for cell in row)
        return line


def open_csv(source: TextSource, options: LoadOptions, known: Sequence[str] = ()) -> CsvFile:
    """Look at the first lines of `source`; `known` names make a first row that has them all a header.

    Raises QnnError for a file without rows and for a separator that is not there.
    """
    head = _head(source)
    separator = options.separator_character if options.separator != AUTO else _separator(head)
    rows = _rows(head, separator)
    if not rows:
        raise QnnError(source.subject, "has no rows", "use a file with content")
    _check_title(source, rows, head[0])
    auto = (bool(known) and set(known) <= {c.strip() for c in rows[0]}) or _looks_like_header(rows, separator != ",")
    header = auto if options.header == AUTO else options.header == "yes"
    first = [repaired(cell).strip() for cell in rows[0]] if header else [""] * len(rows[0])
    names, doubled = _unique(name or f"x{i + 1}" for i, name in enumerate(first))
    warnings = tuple(
        f"{source.subject}: several columns are called {name!r}; renamed {name}.2 and so on" for name in doubled
    )
    return CsvFile(source, separator, header, names, tuple(map(bool, first)), tuple(rows[header:]), warnings)


def chunks(table: CsvFile, progress: Progress = silent, part: int = 0, parts: int = 1) -> Iterator[Chunk]:
    """The rows of `table` after its header; `progress` hears of part `part` of `parts` passes over the file.

    Raises QnnError for rows of another width, quotes that do not end and files that are not text.
    """
    width, size = len(table.names), table.source.size
    with table.source.open() as (text, raw):
        reader = _reader(lines(text, table.subject, table.separator == " "), table.separator, strict=True)
        skip = table.header
        try:
            while True:
                start = reader.line_num
                unfiltered = list(islice(reader, max(1, CHUNK_CELLS // width)))
                if not unfiltered:
                    return
                rows = [row for row in unfiltered if any(row)]
                if skip and rows:
                    rows, skip = rows[1:], False
                chunk = Chunk(start, unfiltered, rows)
                _check_widths(chunk, width, table)
                yield chunk
                progress(min(raw.tell(), size) + part * size, parts * size, "reading")
        except csv.Error as error:
            raise QnnError(
                table.subject, f"line {reader.line_num}: {error}", "check its quotes and separator"
            ) from None


def _check_title(source: TextSource, rows: Sequence[Row], first: str) -> None:
    """Refuse a first line that is narrower than all others, which agree: a title or a comment."""
    widths = {len(row) for row in rows[1:]}
    if len(rows) > 2 and len(widths) == 1 and len(rows[0]) < min(widths):
        problem = f"line 1 has {_fields(len(rows[0]))}, the others {min(widths)}: {first.strip()[:40]!r}"
        raise QnnError(source.subject, problem, "remove it if it is a title or a comment, else complete it")


def _check_widths(chunk: Chunk, width: int, table: CsvFile) -> None:
    if {len(row) for row in chunk.rows} <= {width}:
        return
    index = next(i for i, row in enumerate(chunk.rows) if len(row) != width)
    found = f"line {chunk.line_of(index)} has {_fields(len(chunk.rows[index]))}, the first line {width}"
    name = next((name for name, c in _SEPARATOR_NAMES if c == table.separator), repr(table.separator))
    raise QnnError(table.subject, found, f"mend that line, or set --separator (here: {name})")


_SEPARATOR_NAMES = (("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("space", " "), ("pipe", "|"))


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _head(source: TextSource) -> list[str]:
    """The first lines that are not blank."""
    with source.open() as (text, _):
        found: list[str] = []
        characters = 0
        for line in lines(text, source.subject, strip=False):
            if line.strip():
                found.append(line)
                characters += len(line)
            if len(found) == SAMPLE_LINES or characters > SAMPLE_CHARACTERS:
                break
    return found


def _reader(text: Iterator[str], separator: str, strict: bool) -> Reader:
    return csv.reader(text, delimiter=separator, strict=strict, skipinitialspace=True)


def _rows(head: Sequence[str], separator: str) -> list[Row]:
    stripped = (line.strip(" \r\n") + "\n" for line in head) if separator == " " else iter(head)
    try:
        return [row for row in _reader(stripped, separator, strict=False) if any(row)]
    except csv.Error:
        return []


def _separator(head: Sequence[str]) -> str:
    """The candidate that splits most of the first lines into the same number of fields, more than one."""
    best, share = ",", 0.0
    for candidate in CANDIDATES:
        widths = Counter(len(row) for row in _rows(head, candidate))
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        if width > 1 and count / widths.total() > share:
            best, share = candidate, count / widths.total()
    return best


def _looks_like_header(rows: Sequence[Row], comma: bool) -> bool:
    """Whether some column starts with a word and goes on with numbers; of a single row, whether it has no number."""
    first, rest = rows[0], rows[1:21]
    words = [i for i, cell in enumerate(first) if not is_missing(cell) and not is_numeric(cell, comma)]
    if not rest:
        return len(words) > 0 and not any(is_numeric(cell, comma) for cell in first)
    for i in words:
        cells = [row[i] for row in rest if i < len(row) and not is_missing(row[i])]
        if cells and all(is_numeric(cell, comma) for cell in cells):
            return True
    return False


def _unique(names: Iterator[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(names, of which the second "a" is a.2 and so on; the names that came more than once)."""
    seen: Counter[str] = Counter()
    result: list[str] = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return tuple(result), tuple(name for name, count in seen.items() if count > 1)
