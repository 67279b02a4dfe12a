# SPDX-License-Identifier: MIT
"""The normalization that suits a data set's training rows, chosen column by column."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qnn.columnwise import assigned
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.fixedpoint import INT32_MAX
from qnn.model import Normalization, no_segments
from qnn.resolution import Sample, fit_segments, linear_steps, lost, sample_of, segment_steps
from qnn.segments import COUNTS, NONE, SEGMENTS, filled, position, span

AUTO, MINMAX, STANDARD, ROBUST, PIECEWISE = "auto", "minmax", "standard", "robust", "piecewise"
KINDS = (MINMAX, STANDARD, ROBUST, PIECEWISE)
CHOICES = (AUTO, *KINDS)
OPTION = "--normalize"
FINE = 0.05  # lost, of a column: what needs no better
WORSE = 2.0  # times what the best kind loses: what a simpler kind may
REACH = 8  # deviations from the median, as the quartiles tell them: what lies beyond is cut off by `robust`
NORMAL_QUARTILES = 1.349  # the distance of a normal distribution's quartiles, in its deviations
MOST_SEARCHED = 64  # columns: `auto` looks for segments only in fewer, since that takes up to a second each
CHUNK = 1 << 16
BYTE_SPREAD = 8  # a byte's standard deviation counts as at least 1/8 of its range


@dataclass(frozen=True)
class Choice:
    """How a column is normalized: one of KINDS, or "constant"; `lost` is what 256 steps lose of it, 0..1 and more."""

    kind: str
    lost: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """A Normalization, and for flat samples the Choice of each feature."""

    normalization: Normalization
    choices: tuple[Choice, ...]


@dataclass(frozen=True, eq=False)
class _Column:
    """One feature's part of a Normalization; segments: int8 (8,)."""

    offset: float
    scale: float
    low: int
    high: int
    segments: np.ndarray
    choice: Choice


def fit_normalization(
    dataset: Dataset, wanted: str = AUTO, segments: bool = True, channels: int | None = None
) -> Fitted:
    """The normalization of `dataset`, from its training rows.

    wanted: one of CHOICES for all columns, or "NAME=CHOICE" of single ones, with commas between. segments: can the
    network take them? channels: of flat samples over which a window slides: columns a multiple of that number apart are
    readings of one kind at other places, and share a normalization.
    Byte images: 0..1, by one scale; other maps: mean 0, deviation 1, over all elements. Flat
    samples, feature by feature: minmax 0..1; standard mean 0, deviation 1; robust median 0 and deviation 1 as the
    quartiles tell it, where readings beyond REACH deviations saturate; piecewise standard, of the height on a line of
    segments; auto standard, or the first kind that loses at most FINE, or WORSE times what the best one loses. A
    constant feature gets scale 0, so that it has no influence. Readings saturate at the range of the training rows,
    bytes do not.
    Targets: mean 0, deviation 1.
    Raises QnnError for a choice that is unknown or does not fit the samples.
    """
    targets = _targets(dataset)
    if len(dataset.schema.shape) > 1:
        if wanted != AUTO:
            raise QnnError(f"{OPTION} {wanted}", "maps have one scale for all their values", f"leave {OPTION} out")
        return Fitted(Normalization(*_whole(dataset), *targets), ())
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    names = [feature.name for feature in dataset.schema.features]
    kinds = [kind or AUTO for kind in assigned(words, names, OPTION)]
    for kind in kinds:
        if kind not in CHOICES:
            raise QnnError(f"{OPTION} {kind}", "is no normalization", f"use one of {', '.join(CHOICES)}")
        if kind == PIECEWISE and not segments:
            raise QnnError(
                f"{OPTION} {kind}", "needs a network that begins with dense", f"use {STANDARD}, or such a net"
            )
    groups: dict[tuple[int, str], list[int]] = {}
    for i, kind in enumerate(kinds):
        groups.setdefault((i if channels is None else i % channels, kind), []).append(i)
    searched = segments and len(kinds) <= MOST_SEARCHED
    fitted: dict[int, _Column] = {}
    for (_, kind), places in groups.items():
        values = dataset.x[dataset.train][:, places].reshape(-1)
        column = _byte_column(values, kind) if dataset.schema.dtype == "uint8" else _column(values, kind, searched)
        fitted |= dict.fromkeys(places, column)
    columns = [fitted[i] for i in range(len(kinds))]
    lines = np.stack([column.segments for column in columns])
    normalization = Normalization(
        np.array([column.offset for column in columns], np.float64),
        np.array([column.scale for column in columns], np.float64),
        np.array([column.low for column in columns], np.int64),
        np.array([column.high for column in columns], np.int64),
        *targets,
        lines if (lines != NONE).any() else no_segments(),
    )
    return Fitted(normalization, tuple(column.choice for column in columns))


def _column(values: np.ndarray, kind: str, segments: bool) -> _Column:
    """The column of int32 readings (N,), normalized as `kind` says."""
    low, high = int(values.min()), int(values.max())
    if low == high:
        return _Column(low, 0.0, low, high, _straight(), Choice("constant", 0.0))
    if kind != AUTO:
        return _of_kind(values, kind)
    sample = sample_of(values)
    found = [_of_kind(values, STANDARD, sample)]
    if found[0].choice.lost > FINE:
        found.append(_of_kind(values, ROBUST, sample))
        found += [_of_kind(values, PIECEWISE, sample)] if segments else []
    enough = max(FINE, WORSE * min(column.choice.lost for column in found))
    return next(column for column in found if column.choice.lost <= enough)


def _of_kind(values: np.ndarray, kind: str, sample: Sample | None = None) -> _Column:
    sample = sample or sample_of(values)
    low, high = int(values.min()), int(values.max())
    if kind == PIECEWISE:
        line, loss = _fit_line(sample)
        height = position(values.astype(np.int64) - low, line)
        reach = min(low + span(line), INT32_MAX)
        return _Column(float(height.mean()), 1.0 / _deviation(height), low, reach, filled(line), Choice(kind, loss))
    offset, scale = float(low), 1.0 / (high - low)
    if kind == STANDARD:
        offset, scale = float(values.mean(dtype=np.float64)), 1.0 / _deviation(values)
    elif kind == ROBUST:
        lower, offset, upper = (float(value) for value in np.quantile(values, (0.25, 0.5, 0.75)))
        scale = NORMAL_QUARTILES / (upper - lower) if upper > lower else 1.0 / _deviation(values)
        low, high = max(low, math.floor(offset - REACH / scale)), min(high, math.ceil(offset + REACH / scale))
    choice = Choice(kind, lost(sample, linear_steps(sample, low, high)))
    return _Column(offset, scale, low, high, _straight(), choice)


def _fit_line(sample: Sample) -> tuple[np.ndarray, float]:
    """The line with the fewest segments that loses at most FINE / 2, or WORSE times what the best does; its loss."""
    lines = [fit_segments(sample, count) for count in COUNTS]
    losses = [lost(sample, segment_steps(sample, sample.low, line)) for line in lines]
    enough = max(FINE / 2, WORSE * min(losses))
    return next((line, loss) for line, loss in zip(lines, losses, strict=True) if loss <= enough)


def _deviation(values: np.ndarray) -> float:
    """The standard deviation; never 0 (values that differ by less than a float64 shows)."""
    return max(float(np.std(values, dtype=np.float64)), 1e-9)


def _straight() -> np.ndarray:
    return np.full(SEGMENTS, NONE, np.int8)


def _byte_column(values: np.ndarray, kind: str) -> _Column:
    """The column of bytes (N,), which need no range: minmax or standard, and rare values do not explode."""
    if kind in (ROBUST, PIECEWISE):
        remedy = f"use {MINMAX} or {STANDARD}"
        raise QnnError(f"{OPTION} {kind}", "bytes have 256 values, and a step for each", remedy)
    low, high = int(values.min()), int(values.max())
    if low == high:
        return _Column(low, 0.0, 0, 255, _straight(), Choice("constant", 0.0))
    if kind == MINMAX:
        return _Column(low, 1.0 / (high - low), 0, 255, _straight(), Choice(MINMAX, 0.0))
    deviation = max(_deviation(values), (high - low) / BYTE_SPREAD)
    mean = float(values.mean(dtype=np.float64))
    return _Column(mean, 1.0 / deviation, 0, 255, _straight(), Choice(STANDARD, 0.0))


def _whole(dataset: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Offset, scale, low and high, () each, that serve all elements of maps."""
    lows, highs = zip(*((chunk.min(), chunk.max()) for chunk in _chunks(dataset)), strict=True)
    low, high = int(min(lows)), int(max(highs))
    if dataset.schema.dtype == "uint8":
        return np.zeros(()), np.asarray(1.0 / _full_scale(high)), np.zeros((), np.int64), np.full((), 255, np.int64)
    size = len(dataset.train) * int(np.prod(dataset.schema.shape, dtype=np.int64))
    mean = float(sum(chunk.sum(dtype=np.float64) for chunk in _chunks(dataset))) / size
    variance = float(sum(np.square(chunk - mean).sum() for chunk in _chunks(dataset))) / size
    scale, offset = (0.0, low) if low == high else (1.0 / np.sqrt(variance), mean)
    return np.asarray(offset, np.float64), np.asarray(scale), np.asarray(low, np.int64), np.asarray(high, np.int64)


def _full_scale(largest: int) -> int:
    """The value that becomes 1.0: 255 for ordinary images, the next power of two for darker ones (16 of 0..16)."""
    return 255 if largest > 128 else 1 << max(largest - 1, 0).bit_length()


def _chunks(dataset: Dataset) -> Iterator[np.ndarray]:
    for start in range(0, len(dataset.train), CHUNK):
        yield dataset.x[dataset.train[start : start + CHUNK]]


def _targets(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """float64 (T,) each: offset and scale of the targets; empty for classes."""
    if dataset.schema.task != "regression" or dataset.y is None:
        return np.zeros(0), np.zeros(0)
    y = dataset.y[dataset.train]
    deviation = y.std(axis=0)
    return y.mean(axis=0), np.where(deviation > 0, deviation, 1.0)
