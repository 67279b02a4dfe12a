# SPDX-License-Identifier: MIT
"""Which samples a stage of a model works on, and how they are read where that differs from its training."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qnn.data.builtin import NAMES
from qnn.data.dataset import PARTS
from qnn.data.load import load
from qnn.data.options import LoadOptions, parse_bytes
from qnn.data.split import rows_for
from qnn.data.synthetic import PREFIX
from qnn.errors import QnnError
from qnn.progress import Progress, silent
from qnn.schema import DataRecord, Schema

OPTIONS = ("--data", "--part", "--label", "--drop-missing", "--data-dir", "--max-memory")  # of whoever calls load_rows
SHOWN_NAMES = 8


@dataclass(frozen=True, eq=False)
class Samples:
    """The rows a command works on: raw x (N, *shape), labels y or None, where they came from, what to warn of."""

    x: np.ndarray
    y: np.ndarray | None
    source: str
    part: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What the user asked for: DATA and --part; how to read it, where that is to differ from the training."""

    data: str | None
    part: str | None
    label: tuple[str, ...] | None
    drop_missing: bool
    data_dir: Path | None
    max_memory: int


def request(
    data: str | None, part: str | None, label: str | None, drop_missing: bool, data_dir: Path | None, max_memory: str
) -> Request:
    """The Request of the shared options. Raises QnnError for an unknown part or amount of memory."""
    if part is not None and part not in PARTS:
        raise QnnError(f"--part {part}", "is not a part", f"use one of {', '.join(PARTS)}")
    labels = None if label is None else tuple(name.strip() for name in label.split(","))
    return Request(data, part, labels, drop_missing, data_dir, parse_bytes(max_memory))


def options_for(asked: Request, record: DataRecord) -> LoadOptions:
    """How to read what was asked for: as the training data was read, but for what the user says.

    The test file of the training belongs to the training data alone.
    """
    options = LoadOptions(data_dir=asked.data_dir, max_memory=asked.max_memory).like(record)
    if asked.data not in (None, record.source):
        options = replace(options, test_file=None)
    if asked.label is not None:
        options = replace(options, label=asked.label)
    return replace(options, drop_missing=True) if asked.drop_missing else options


@contextmanager
def remedies_within(options: Sequence[str], schema: Schema) -> Iterator[None]:
    """Within, the remedy of a QnnError only names those options: a command reads data with fewer than train has."""
    try:
        yield
    except QnnError as error:
        ways = re.split(r",? or (?=\w+ )|; ", error.remedy)
        left = [way for way in ways if set(re.findall(r"--[a-z][a-z-]*", way)) <= set(options)]
        if len(left) == len(ways):
            raise
        names = [feature.name for feature in schema.features]
        columns = ", ".join(names[:SHOWN_NAMES]) + (", ..." if len(names) > SHOWN_NAMES else "")
        shape = "x".join(map(str, schema.shape))
        reads = f"the columns {columns}" if columns else f"samples of {shape}"
        raise QnnError(error.subject, error.problem, " or ".join(left) or f"the model reads {reads}") from None


def read_rows(asked: Request, schema: Schema, record: DataRecord, stage: str, progress: Progress = silent) -> Samples:
    """The rows that `stage` ("train" or "evaluate") of a model with this schema and record works on.

    Raises QnnError where they cannot be read or do not fit the model.
    """
    source = asked.data or record.source
    if asked.data is None and source not in NAMES and not source.startswith(PREFIX) and not Path(source).exists():
        problem = "the training data is not there (the path is as it was given to qnn train)"
        raise QnnError(source, problem, "name it with --data, or go to that folder")
    with remedies_within(OPTIONS, schema):
        dataset = load(source, options_for(asked, record), schema=schema, progress=progress)
    warnings = list(dataset.warnings)
    rows = rows_for(dataset, record, asked.part, stage)
    y = None if dataset.y is None else dataset.y[rows]
    same = dataset.record.sha256 == record.sha256
    if source == record.source and record.sha256 and not same and stage == "evaluate":
        drawn = "all rows are used" if asked.part is None else "its parts are drawn anew"
        warnings.append(f"{source}: changed since training: {drawn}, and training rows may be among them")
    default = ("train" if stage == "train" else "test") if same else "all"
    return Samples(dataset.x[rows], y, source, asked.part or default, tuple(warnings))
