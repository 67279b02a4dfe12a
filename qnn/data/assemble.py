# SPDX-License-Identifier: MIT
"""From a reader's table to a data set: schema, checks, split, hash."""

from __future__ import annotations

import numpy as np

from qnn.data.arrays import rescaled
from qnn.data.dataset import Dataset
from qnn.data.options import LoadOptions
from qnn.data.split import sha256_of, split_rows
from qnn.data.table import Classes, Table, Targets, for_model
from qnn.errors import QnnError
from qnn.schema import DataRecord, Schema

BLOCK_ROWS = 1 << 16
SHOWN_NAMES = 8


def assemble(table: Table, source: str, options: LoadOptions, schema: Schema | None) -> Dataset:
    """Split and describe `table`, which errors and the record call `source`.

    With `schema` it becomes what that model reads, else it must be fit to learn from. Raises QnnError for data
    without labels, of one class, of constant columns only, or of another shape.
    """
    table = fitted(table, schema, source) if schema else table
    found = schema or schema_of(table, source)
    y = None if table.labels is None else _label_array(table.labels)
    test_fraction = 0.0 if table.test else options.test_fraction
    sha256 = sha256_of(table.x, y)
    record = DataRecord(
        source, sha256, options.seed, options.validation_fraction, test_fraction, options.reading, options.split
    )
    count = len(table.x)
    if y is None:
        none = np.zeros(0, dtype=np.int64)
        train, validation, test = none, none, np.arange(count, dtype=np.int64)
    else:
        train, validation, test = split_rows(count, table.test, record)
    warnings = table.warnings if schema else table.warnings + _lessons(table, found, train, source)
    return Dataset(found, record, table.x, y, train, validation, test, warnings)


def fitted(table: Table, schema: Schema, subject: str) -> Table:
    """`table` as the model with `schema` reads it: in its decimals, of its shape, with its class indices."""
    if table.features and len(table.features) == len(schema.features):
        wide = rescaled(table.x, table.features, schema.features)
        limits = np.iinfo(schema.dtype)
        if schema.dtype == "int32":
            wide = np.clip(wide, limits.min, limits.max).astype(np.int32)
        table = Table(wide, table.features, table.labels, table.test, table.warnings)
    return for_model(table, schema, subject)


def schema_of(table: Table, subject: str) -> Schema:
    """What a model that learns from `table` reads and gives. Raises QnnError if there are no labels."""
    shape, dtype = table.x.shape[1:], table.x.dtype.name
    if isinstance(table.labels, Classes):
        return Schema(shape, dtype, table.features, "classification", table.labels.names, (), ())
    if isinstance(table.labels, Targets):
        return Schema(shape, dtype, table.features, "regression", (), table.labels.names, table.labels.decimals)
    raise QnnError(subject, "has no labels to learn from", "use data with labels")


def _label_array(labels: Classes | Targets) -> np.ndarray:
    return labels.codes if isinstance(labels, Classes) else labels.values


def _lessons(table: Table, schema: Schema, train: np.ndarray, subject: str) -> tuple[str, ...]:
    """Warnings about what the training part cannot teach. Raises QnnError if that is everything."""
    if isinstance(table.labels, Classes):
        if len(schema.classes) < 2:
            raise QnnError(subject, f"has one class only ({schema.classes[0]!r})", "use data with two classes or more")
        seen = np.bincount(table.labels.codes[train], minlength=len(schema.classes)) > 0
        unseen = [name for name, any_row in zip(schema.classes, seen, strict=True) if not any_row]
        warnings = [f"{subject}: no training rows of the classes {_names(unseen)}"] if unseen else []
    elif isinstance(table.labels, Targets):
        values = table.labels.values
        still = [name for name, flat in zip(schema.targets, (values == values[:1]).all(axis=0), strict=True) if flat]
        if still:
            raise QnnError(subject, f"the target {_names(still)} is the same in every row", "name another --label")
        warnings = []
    constant = _constant(table.x, train)
    if constant.all() and _constant(table.x, np.arange(len(table.x), dtype=np.int64)).all():
        raise QnnError(subject, "has nothing but constant columns", "use data with inputs that vary")
    names = [f.name for f, flat in zip(table.features, constant, strict=True) if flat] if table.features else []
    if names:
        warnings.append(f"{subject}: constant and without influence: {_names(names)}")
    return tuple(warnings)


def _constant(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Whether each element of a flat sample is the same in all `rows`: bool."""
    flat = x.reshape(len(x), -1)
    result = np.ones(flat.shape[1], dtype=bool)
    for start in range(0, len(rows), BLOCK_ROWS):
        result &= (flat[rows[start : start + BLOCK_ROWS]] == flat[rows[0]]).all(axis=0)
    return result


def _names(names: list[str]) -> str:
    rest = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {rest} more" if rest > 0 else "")
