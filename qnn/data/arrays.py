# SPDX-License-Identifier: MIT
"""Arrays of numbers as raw samples and labels: what CSV columns are for text, for what NumPy holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qnn.data.decimals import BIG
from qnn.data.table import MAX_CLASSES, Classes, LabelFacts, Targets, choose_task, class_names
from qnn.errors import QnnError
from qnn.fixedpoint import INT32_MAX, INT32_MIN
from qnn.schema import Feature

MAX_DECIMALS = 9


def samples_of_array(x: np.ndarray, subject: str) -> tuple[np.ndarray, tuple[Feature, ...]]:
    """(raw samples (N, F) or (N, H, W, C), uint8 or int32; the features, none for images).

    Raises QnnError for other shapes, types and numbers that int32 cannot hold.
    """
    if x.ndim not in (2, 3, 4) or x.size == 0:
        problem = f"has samples of shape {x.shape}"
        raise QnnError(subject, problem, "store x as (N, features), (N, height, width) or (N, height, width, channels)")
    shaped = x[..., None] if x.ndim == 3 else x
    if x.dtype.kind == "f":
        if shaped.ndim == 4:
            raise QnnError(subject, "has images of fractions", "store raw pixels as uint8")
        columns = [decimals_of(shaped[:, i], f"{subject}: feature {i + 1}") for i in range(shaped.shape[1])]
        raw = np.empty(shaped.shape, dtype=np.int32)
        for i, decimals in enumerate(columns):
            raw[:, i] = np.rint(shaped[:, i].astype(np.float64) * 10.0**decimals)
        return raw, tuple(Feature(f"x{i + 1}", decimals) for i, decimals in enumerate(columns))
    if x.dtype.kind not in "biu":
        raise QnnError(subject, f"has samples of type {x.dtype}", "store integers or fractions")
    if x.dtype.kind != "b" and not INT32_MIN <= int(x.min()) <= int(x.max()) <= INT32_MAX:
        raise QnnError(
            subject, f"has samples up to {int(max(x.max(), -int(x.min())))}, beyond int32", "store smaller ones"
        )
    raw = shaped.astype(np.uint8 if x.dtype in (np.bool_, np.uint8) else np.int32)
    return raw, tuple(Feature(f"x{i + 1}") for i in range(shaped.shape[1])) if shaped.ndim == 2 else ()


def labels_of_array(y: np.ndarray, subject: str, task: str) -> Classes | Targets:
    """Labels from an array (N,), or (N, targets) of numbers; `task` as in LoadOptions.

    Raises QnnError for NaN, infinity, other types and shapes, and where `task` does not suit.
    """
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.dtype.kind not in "biufU" or y.ndim not in (1, 2) or (y.ndim == 2 and y.dtype.kind == "U") or y.size == 0:
        problem = f"has labels of type {y.dtype} and shape {y.shape}"
        raise QnnError(subject, problem, "store y as (N,) numbers or text, or (N, targets) numbers")
    columns = [y] if y.ndim == 1 else [y[:, i] for i in range(y.shape[1])]
    decimals = tuple(
        0 if c.dtype.kind in "bU" else decimals_of(c, f"{subject}: label {i + 1}") for i, c in enumerate(columns)
    )
    values = [c if c.dtype.kind == "U" or d else c.astype(np.int64) for c, d in zip(columns, decimals, strict=True)]
    facts = [_facts(column, d) for column, d in zip(values, decimals, strict=True)]
    if choose_task(subject, task, facts) == "classification":
        found = class_names(subject, facts[0])
        names = tuple(dict.fromkeys(found.values()))
        distinct, codes = np.unique(values[0], return_inverse=True)
        order = np.array([names.index(found[str(value)]) for value in distinct], dtype=np.int64)
        return Classes(order[codes], names)
    names = ("y",) if len(columns) == 1 else tuple(f"y{i + 1}" for i in range(len(columns)))
    return Targets(np.column_stack(columns).astype(np.float64), names, decimals)


def _facts(column: np.ndarray, decimals: int) -> LabelFacts:
    distinct = np.unique(column)
    values = None if len(distinct) > MAX_CLASSES else frozenset(map(str, distinct))
    return LabelFacts(column.dtype.kind == "U", decimals == 0, values)


def decimals_of(values: np.ndarray, subject: str) -> int:
    """The fewest decimals that write `values` (N,) as exactly as their type does and int32 holds; at most 9.

    Raises QnnError for NaN, infinity and values beyond int32.
    """
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise QnnError(subject, f"has {bad:,} NaN or infinite values", "leave those rows out")
    exact = values.astype(np.float64)
    largest = float(np.abs(exact).max())
    if largest > INT32_MAX:
        raise QnnError(subject, f"reaches {largest:.3g}, beyond 32-bit integers", "store it in a larger unit")
    if values.dtype.kind in "iu":
        return 0
    precision = float(np.finfo(values.dtype).eps)
    decimals = 0
    while decimals < MAX_DECIMALS and largest * 10.0 ** (decimals + 1) <= INT32_MAX:
        scaled = exact * 10.0**decimals
        if (np.abs(scaled - np.rint(scaled)) <= precision * np.abs(scaled)).all():
            break
        decimals += 1
    return decimals


def rescaled(x: np.ndarray, here: Sequence[Feature], there: Sequence[Feature]) -> np.ndarray:
    """int64 samples (N, F) in the decimals of `there`, rounded half away from zero; beyond int32 they may be."""
    shift = np.array([t.decimals - h.decimals for h, t in zip(here, there, strict=True)], dtype=np.int64)
    wide = x.astype(np.int64)
    up, down = 10 ** np.clip(shift, 0, 9), 10 ** np.clip(-shift, 0, 18)
    magnitude = np.abs(wide) * up
    quotient = magnitude // down
    rest = magnitude - quotient * down
    quotient += rest >= down - rest
    return np.sign(wide) * np.where(shift > 9, BIG, quotient)
