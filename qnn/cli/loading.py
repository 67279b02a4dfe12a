# SPDX-License-Identifier: MIT
"""How commands find the samples they work on: the options they share, and which rows are theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from qnn.cli.console import Output
from qnn.cli.reading import DataDirOption, DropMissingOption, MaxMemoryOption
from qnn.data import LoadOptions, load, rows_for
from qnn.data.builtin import NAMES
from qnn.data.dataset import PARTS
from qnn.data.options import parse_bytes
from qnn.data.synthetic import PREFIX
from qnn.errors import QnnError
from qnn.schema import DataRecord, Schema

__all__ = ["DataDirOption", "DropMissingOption", "MaxMemoryOption"]

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data", "-d", help="A built-in name, CSV, IDX folder, .npz or random:N; default: the training data."
    ),
]
PartOption = Annotated[
    str | None, typer.Option("--part", help="Rows: train, validation, test or all; default: test, or all of new data.")
]
LabelOption = Annotated[
    str | None,
    typer.Option("--label", "--target", help="Label columns: first, last or names with commas; default: as trained."),
]

OPTIONS = ("--data", "--part", "--label", "--drop-missing", "--data-dir", "--max-memory")  # of whoever calls load_rows
SHOWN_NAMES = 8


@dataclass(frozen=True, eq=False)
class Samples:
    """The rows a command works on: raw x (N, *shape), labels y or None, and where they came from."""

    x: np.ndarray
    y: np.ndarray | None
    source: str
    part: str


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


def load_rows(output: Output, asked: Request, schema: Schema, record: DataRecord, stage: str) -> Samples:
    """The rows that `stage` ("train" or "evaluate") of a model with this schema and record works on."""
    source = asked.data or record.source
    if asked.data is None and source not in NAMES and not source.startswith(PREFIX) and not Path(source).exists():
        problem = "the training data is not there (the path is as it was given to qnn train)"
        raise QnnError(source, problem, "name it with --data, or go to that folder")
    with output.progress(f"reading {source}") as progress, remedies_within(OPTIONS, schema):
        dataset = load(source, options_for(asked, record), schema=schema, progress=progress)
    for warning in dataset.warnings:
        output.warn(warning)
    rows = rows_for(dataset, record, asked.part, stage)
    y = None if dataset.y is None else dataset.y[rows]
    same = dataset.record.sha256 == record.sha256
    if source == record.source and record.sha256 and not same and stage == "evaluate":
        drawn = "all rows are used" if asked.part is None else "its parts are drawn anew"
        output.warn(f"{source}: changed since training: {drawn}, and training rows may be among them")
    default = ("train" if stage == "train" else "test") if same else "all"
    return Samples(dataset.x[rows], y, source, asked.part or default)
