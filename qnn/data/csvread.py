# SPDX-License-Identifier: MIT
"""The second pass over a CSV file: exact integers in each column's own decimal unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from qnn.columnwise import assigned, unit_decimals
from qnn.data.columns import Roles, roles_for_model, roles_for_training
from qnn.data.csvfile import Chunk, CsvFile, chunks, open_csv
from qnn.data.csvscan import Scan, kept_rows, missing_rows, numbers_of, scan_csv
from qnn.data.decimals import fitting_decimals, integers
from qnn.data.options import LoadOptions
from qnn.data.table import Classes, Table, Targets, choose_task, class_names
from qnn.data.textsource import TextSource
from qnn.errors import QnnError
from qnn.progress import Progress
from qnn.schema import Feature, Schema

MAX_TARGET_DECIMALS = 9


@dataclass(frozen=True, eq=False)
class _Plan:
    """How the second pass turns text into arrays: type and decimals of the inputs, class of every label text."""

    table: CsvFile
    roles: Roles
    options: LoadOptions
    scan: Scan
    dtype: str
    decimals: np.ndarray
    names: tuple[str, ...]
    codes: Mapping[str, int]


def read_csv(source: TextSource, options: LoadOptions, schema: Schema | None, progress: Progress) -> Table:
    """The samples in a CSV file; with `schema`, those that its model reads, in its decimals, of its shape.

    Raises QnnError for everything that is not a clean table of numbers with labels.
    """
    known = tuple(feature.name for feature in schema.features) if schema else ()
    table = open_csv(source, options, known)
    roles = roles_for_model(table, options, schema) if schema else roles_for_training(table, options)
    width = 1 if schema and schema.dtype == "uint8" else 4
    scan = scan_csv(table, roles, options, len(roles.features) * width + 8 * len(roles.labels), progress)
    plan = _plan(table, roles, options, scan, schema)
    x, y, beyond = _fill(plan, progress)
    if beyond and plan.dtype == "uint8":
        raise QnnError(table.subject, "has values beyond 0..255; the model reads bytes", "use data of the model's type")
    as_found = schema is None and not options.input_units
    decimals = _reduced(x, plan.decimals, scan.decimals[: x.shape[1]]) if as_found else plan.decimals
    features = tuple(Feature(table.names[c], int(d)) for c, d in zip(roles.features, decimals, strict=True))
    shaped = x.reshape(-1, *schema.shape) if schema else x
    return Table(shaped, features, _labels(plan, y), 0, table.warnings + _warnings(plan, beyond))


def _plan(table: CsvFile, roles: Roles, options: LoadOptions, scan: Scan, schema: Schema | None) -> _Plan:
    task = schema.task if schema else choose_task(table.subject, options.task, scan.labels)
    classes = class_names(table.subject, scan.labels[0]) if task == "classification" and scan.labels else {}
    names = tuple(dict.fromkeys(classes.values()))
    codes = {text: names.index(name) for text, name in classes.items()}
    if schema is None:
        return _Plan(
            table, roles, options, scan, "int32", _decimals(table, roles, scan, options.input_units), names, codes
        )
    if schema.task == "regression" and any(label.text for label in scan.labels):
        raise QnnError(table.subject, "has text as label; the model's targets are numbers", "name them with --label")
    units = [feature.decimals for feature in schema.features] or [0] * len(roles.features)
    if schema.dtype == "uint8" and (scan.decimals[: len(units)] > 0).any():
        raise QnnError(table.subject, "holds fractions; the model reads bytes, 0 to 255", "store raw pixel values")
    for feature, decimals in zip(schema.features, scan.decimals, strict=False):
        if decimals > 0 and not feature.decimals and not options.input_units:
            problem = f"input {feature.name!r} holds fractions; the model reads whole numbers there"
            raise QnnError(table.subject, problem, "give readings in the unit that the model was trained on")
    return _Plan(table, roles, options, scan, schema.dtype, np.array(units, dtype=np.int32), names, codes)


def _decimals(table: CsvFile, roles: Roles, scan: Scan, units: Sequence[str]) -> np.ndarray:
    """Of each input, the decimals that its integers count: of its unit, else as many as it has and int32 holds."""
    decimals = np.zeros(len(roles.features), dtype=np.int32)
    given = assigned(units, [table.names[column] for column in roles.features], "--input-unit")
    for i, (column, unit) in enumerate(zip(roles.features, given, strict=True)):
        wanted = int(scan.decimals[i]) if unit is None else unit_decimals(unit, "--input-unit", fewest=0)
        decimals[i] = _fitting(table, column, scan, i, wanted)
        if unit is not None and decimals[i] < wanted:
            problem = f"{unit} is too fine for column {table.names[column]!r}: its values leave 32-bit integers"
            raise QnnError("--input-unit", problem, f"use {Decimal(1).scaleb(-int(decimals[i])):f} or coarser")
    return decimals


def _fitting(table: CsvFile, column: int, scan: Scan, place: int, wanted: int) -> int:
    low, high = scan.low[place], scan.high[place]
    decimals = fitting_decimals(wanted, low, high)
    if decimals < 0:
        problem = f"column {table.names[column]!r} reaches {max(low, high, key=abs):.3g}, beyond 32-bit integers"
        raise QnnError(table.subject, problem, "store it in a larger unit, or leave it out with --drop-columns")
    return decimals


def _fill(plan: _Plan, progress: Progress) -> tuple[np.ndarray, np.ndarray | None, int]:
    """(raw inputs (rows, inputs), label codes (rows,) or values (rows, targets), how many inputs saturated)."""
    limits = np.iinfo(plan.dtype)
    x = np.empty((plan.scan.rows, len(plan.roles.features)), dtype=plan.dtype)
    y = _no_labels_yet(plan)
    done = beyond = 0
    for chunk in chunks(plan.table, progress, 1, 2):
        raw, labels = _convert(plan, chunk)
        end = done + len(raw)
        if end > len(x) or (plan.codes and labels is not None and (labels < 0).any()):
            break
        # Beyond the limits are a model's unusual inputs; its header saturates them in the same way.
        clipped = np.clip(raw, limits.min, limits.max)
        beyond += int((clipped != raw).sum())
        x[done:end] = clipped
        if y is not None and labels is not None:
            y[done:end] = labels
        done = end
    else:
        if done == len(x):
            return x, y, beyond
    raise QnnError(plan.table.subject, "changed while it was being read", "try again when it is complete")


def _no_labels_yet(plan: _Plan) -> np.ndarray | None:
    if not plan.roles.labels:
        return None
    if plan.codes:
        return np.empty(plan.scan.rows, dtype=np.int64)
    return np.empty((plan.scan.rows, len(plan.roles.labels)), dtype=np.float64)


def _convert(plan: _Plan, chunk: Chunk) -> tuple[np.ndarray, np.ndarray | None]:
    """One chunk's (inputs as int64, labels)."""
    numbers = numbers_of(plan.table, chunk.rows, plan.roles.features, plan.options)
    keep = np.logical_not(missing_rows(plan.table, chunk, plan.roles, numbers, plan.options).any(axis=1))
    raw = integers(numbers[keep], plan.decimals)
    rows = kept_rows(chunk, keep)
    if not plan.roles.labels:
        return raw, None
    if plan.codes:
        column = plan.roles.labels[0]
        return raw, np.fromiter((plan.codes.get(row[column], -1) for row in rows), dtype=np.int64, count=len(rows))
    return raw, numbers_of(plan.table, rows, plan.roles.labels, plan.options).values()


def _reduced(x: np.ndarray, decimals: np.ndarray, found: np.ndarray) -> np.ndarray:
    """`decimals`, fewer where rounding left only zeros at the end (0.1000000015 in every row); x is scaled in place."""
    decimals = decimals.copy()
    for i in np.flatnonzero(decimals < found):
        while decimals[i] > 0 and not (x[:, i] % 10).any():
            x[:, i] //= 10
            decimals[i] -= 1
    return decimals


def _labels(plan: _Plan, y: np.ndarray | None) -> Classes | Targets | None:
    if y is None:
        return None
    if plan.codes:
        return Classes(y, plan.names)
    first = len(plan.roles.features)
    wanted = [min(int(d), MAX_TARGET_DECIMALS) for d in plan.scan.decimals[first:]]
    decimals = (_fitting(plan.table, c, plan.scan, first + i, wanted[i]) for i, c in enumerate(plan.roles.labels))
    return Targets(y, tuple(plan.table.names[c] for c in plan.roles.labels), tuple(decimals))


def _warnings(plan: _Plan, beyond: int) -> tuple[str, ...]:
    table, notes = plan.table, []
    if plan.roles.empty:
        names = ", ".join(table.names[i] for i in plan.roles.empty)
        notes.append(f"{table.subject}: left out columns without name and content: {names}")
    if plan.scan.dropped:
        total = plan.scan.rows + plan.scan.dropped
        notes.append(f"{table.subject}: left out {plan.scan.dropped:,} of {total:,} rows with missing values")
    if beyond:
        notes.append(f"{table.subject}: {beyond:,} values lie beyond the integers that the model reads and saturate")
    return tuple(notes)
