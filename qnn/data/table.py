# SPDX-License-Identifier: MIT
"""What every reader hands over: raw samples with their labels, not yet split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from qnn.data.decimals import plain
from qnn.data.options import AUTO
from qnn.data.textsource import repaired
from qnn.errors import QnnError
from qnn.schema import Feature, Schema

MAX_AUTO_CLASSES = 20
MAX_CLASSES = 255


@dataclass(frozen=True, eq=False)
class Classes:
    """codes: (N,) int64 indices into names."""

    codes: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Targets:
    """values: (N, T) float64, in their own unit; decimals: of each target, how many its values have."""

    values: np.ndarray
    names: tuple[str, ...]
    decimals: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """Samples x (N, *shape), uint8 or int32, features as in Schema, labels if there are any.

    test: how many of the last rows are a test part of their own; 0 for none.
    """

    x: np.ndarray
    features: tuple[Feature, ...]
    labels: Classes | Targets | None
    test: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelFacts:
    """What a label column holds: whether some is text, whether all are whole numbers, the distinct values.

    values: None where there are more than MAX_CLASSES.
    """

    text: bool
    integer: bool
    values: frozenset[str] | None


def choose_task(subject: str, task: str, labels: Sequence[LabelFacts]) -> str:
    """The task for these label columns. Raises QnnError where `task` does not suit them."""
    text = any(label.text for label in labels)
    if len(labels) > 1:
        if text or task == "classification":
            problem = f"has {len(labels)} label columns" + (", one of them with text" if text else "")
            raise QnnError(subject, problem, "name one label for classification, or several columns of numbers")
        return "regression"
    if task == "regression" and text:
        raise QnnError(subject, "has text as label", "use --task classification, or name another --label")
    if task != AUTO:
        return task
    few = labels[0].values is not None and len(labels[0].values) <= MAX_AUTO_CLASSES
    return "classification" if text or (labels[0].integer and few) else "regression"


def class_names(subject: str, label: LabelFacts) -> dict[str, str]:
    """The class of every label text, in class order: numbers by value ("1.0" is class "1"), text by alphabet.

    Raises QnnError for too many classes.
    """
    if label.values is None:
        problem = f"has more than {MAX_CLASSES} different labels"
        raise QnnError(subject, problem, "name another --label, or use --task regression for numbers")
    if label.text:
        return {value: repaired(value).strip() for value in sorted(label.values, key=str.strip)}
    numbers = {value: Decimal(value.strip().replace(",", ".")) for value in label.values}
    return {value: plain(number) for value, number in sorted(numbers.items(), key=lambda item: (item[1], item[0]))}


def for_model(table: Table, schema: Schema, subject: str) -> Table:
    """`table` as the model with `schema` reads it: shape, type, decimals and class indices.

    Raises QnnError where it cannot be, naming a label that the model does not know.
    """
    if table.x.shape[1:] != schema.shape:
        here, there = ("x".join(map(str, shape)) for shape in (table.x.shape[1:], schema.shape))
        raise QnnError(subject, f"has samples of {here}; the model reads {there}", "use data of the model's shape")
    x = table.x.astype(schema.dtype, copy=False) if _fits(table.x, schema.dtype) else None
    if x is None:
        raise QnnError(subject, "has values beyond 0..255; the model reads bytes", "use data of the model's type")
    return replace(table, x=x, features=schema.features, labels=_labels_for_model(table.labels, schema, subject))


def _fits(x: np.ndarray, dtype: str) -> bool:
    limits = np.iinfo(dtype)
    return x.size == 0 or (int(x.min()) >= limits.min and int(x.max()) <= limits.max)


def _labels_for_model(labels: Classes | Targets | None, schema: Schema, subject: str) -> Classes | Targets | None:
    if labels is None:
        return None
    if isinstance(labels, Targets):
        if schema.task != "regression" or len(labels.names) != len(schema.targets):
            problem = f"has {len(labels.names)} targets; the model has {len(schema.targets)}"
            raise QnnError(subject, problem, "name the model's targets with --label")
        return Targets(labels.values, schema.targets, schema.target_decimals)
    index = {name: code for code, name in enumerate(schema.classes)}
    unknown = [name for name in labels.names if name not in index]
    if unknown:
        known = ", ".join(schema.classes[:10]) + (", ..." if len(schema.classes) > 10 else "")
        problem = f"has the label {unknown[0]!r}, which the model does not know (it knows {known})"
        if not known:
            remedy = "name the model's classes: import it again with --labels FILE or --data"
            raise QnnError(subject, f"has the label {unknown[0]!r}, and the model knows no classes", remedy)
        raise QnnError(subject, problem, "check --label, or leave the column out with --drop-columns")
    codes = np.array([index[name] for name in labels.names], dtype=np.int64)
    return Classes(codes[labels.codes], schema.classes)
