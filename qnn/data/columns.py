# SPDX-License-Identifier: MIT
"""Which columns of a table are inputs and which are labels: as the options say, or as a trained model needs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qnn.data.csvfile import CsvFile
from qnn.data.options import FIRST, LAST, LoadOptions
from qnn.errors import QnnError
from qnn.schema import Schema


@dataclass(frozen=True)
class Roles:
    """Column numbers, from 0: the inputs, the labels (none for data without), those that must turn out empty."""

    features: tuple[int, ...]
    labels: tuple[int, ...]
    empty: tuple[int, ...]


def roles_for_training(table: CsvFile, options: LoadOptions) -> Roles:
    """Every column that is not left out is an input or a label. Raises QnnError if nothing is left to learn from."""
    empty = table.empty_columns()
    dropped = {_find(table, name, "--drop-columns") for name in options.drop_columns}
    left = [i for i in range(len(table.names)) if i not in dropped and i not in empty]
    labels = _labels(table, options.label, left)
    chosen = _chosen(table, options.inputs)
    features = tuple(i for i in left if i not in labels and i in chosen)
    if not features or not labels:
        problem = f"has {_columns(len(left))} to use; inputs and a label are needed"
        raise QnnError(table.subject, problem, "check --separator, --label, --inputs and --drop-columns")
    return Roles(features, labels, empty)


def roles_for_model(table: CsvFile, options: LoadOptions, schema: Schema) -> Roles:
    """The columns that `schema` needs: by name if the file and the model have names, else by position.

    Labels may be absent; where they are not, they are told, or called like the targets, or hold the known classes,
    or stand where the options say. Raises QnnError if the columns cannot be told.
    """
    wanted = tuple(feature.name for feature in schema.features)
    missing = [name for name in wanted if name not in table.names]
    if wanted and not missing:
        features = tuple(table.names.index(name) for name in wanted)
        rest = [i for i in range(len(table.names)) if i not in features and i not in table.empty_columns()]
        labels = _known_labels(table, options, schema, rest)
        if not labels and table.header and (schema.task == "classification" or not _named(schema.targets)):
            place = rest[:1] if options.label == (FIRST,) else rest[-1:]
            at_the_edge = 0 if options.label == (FIRST,) else len(table.names) - len(table.empty_columns()) - 1
            labels = tuple(place) if place == [at_the_edge] and _label_count(schema) == 1 else ()
        if labels or table.header or len(table.names) > len(wanted) + _label_count(schema):
            return Roles(features, labels, ())
    if missing and table.header and _named(wanted):
        problem = f"lacks the column{_s(missing)} {_list(missing)}, which the model reads"
        raise QnnError(table.subject, problem, "rename its columns, or remove its header to go by position")
    return _by_position(table, options, schema, len(wanted) or _elements(schema.shape))


def _chosen(table: CsvFile, patterns: Sequence[str]) -> frozenset[int]:
    """The columns that the `patterns` of --inputs name, where * stands for any characters; all where there are none."""
    if not patterns:
        return frozenset(range(len(table.names)))
    found: set[int] = set()
    for pattern in patterns:
        shape = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
        matches = [i for i, name in enumerate(table.names) if shape.fullmatch(name)]
        found.update(matches if "*" in pattern and matches else [_find(table, pattern, "--inputs")])
    return frozenset(found)


def _by_position(table: CsvFile, options: LoadOptions, schema: Schema, count: int) -> Roles:
    """`count` inputs in the file's order, and the labels beside them if there are as many columns more."""
    empty = table.empty_columns()
    left = [i for i, name in enumerate(table.names) if name not in options.drop_columns]
    both = count + _label_count(schema)
    for columns in (left, [i for i in left if i not in empty]):
        if len(columns) in (count, both):
            labels = _labels(table, options.label, columns) if len(columns) == both else ()
            features = tuple(i for i in columns if i not in labels)
            if len(features) != count:
                problem = f"has {_columns(len(features))} besides the label; the model reads {count}"
                raise QnnError(table.subject, problem, "check --label")
            return Roles(features, labels, tuple(i for i in empty if i not in columns))
    problem = f"has {_columns(len(left))}; the model reads {count}, or {both} with the label"
    raise QnnError(table.subject, problem, "leave columns out with --drop-columns")


def _known_labels(table: CsvFile, options: LoadOptions, schema: Schema, rest: Sequence[int]) -> tuple[int, ...]:
    """Among the columns that are no inputs, those that are labels for sure."""
    told = tuple(name for name in options.label if name not in (FIRST, LAST) or name in table.names)
    if told:
        return tuple(_find(table, name, "--label") for name in told)
    if schema.task == "regression":
        found = tuple(table.names.index(name) for name in schema.targets if name in table.names)
        return found if len(found) == len(schema.targets) and set(found) <= set(rest) else ()
    known = set(schema.classes)
    left = [i for i in rest if table.names[i] not in options.drop_columns]
    holds = (i for i in left if all(i < len(row) and row[i].strip() in known for row in table.sample))
    return tuple(holds)[:1] if table.sample else ()


def _named(names: Sequence[str]) -> bool:
    """Whether columns have names of their own, other than x1, x2, ..."""
    return not all(re.fullmatch("x[0-9]+", name) for name in names)


def _labels(table: CsvFile, label: Sequence[str], columns: Sequence[int]) -> tuple[int, ...]:
    """The columns that `label` names; "first" and "last" are of `columns`, unless a column is called that."""
    places = {FIRST: columns[:1], LAST: columns[-1:]}
    found: list[int] = []
    for name in label:
        found += [_find(table, name, "--label")] if name in table.names or name not in places else places[name]
    return tuple(dict.fromkeys(found))


def _find(table: CsvFile, name: str, option: str) -> int:
    if name in table.names:
        return table.names.index(name)
    near = difflib.get_close_matches(name, table.names, 1)
    remedy = f"did you mean {near[0]!r}?" if near else f"its columns are {_list(table.names)}"
    raise QnnError(table.subject, f"has no column {name!r} ({option})", remedy)


def _label_count(schema: Schema) -> int:
    return len(schema.targets) or 1


def _elements(shape: Sequence[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _s(items: Sequence[object]) -> str:
    return "" if len(items) == 1 else "s"


def _list(names: Iterable[str]) -> str:
    """Up to eight names, quoted."""
    quoted = [repr(name) for name in names]
    return ", ".join(quoted[:8]) + (f" and {len(quoted) - 8} more" if len(quoted) > 8 else "")
