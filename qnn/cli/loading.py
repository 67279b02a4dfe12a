# SPDX-License-Identifier: MIT
"""How commands find the samples they work on: the options they share, and which rows are theirs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from qnn.cli.console import Output
from qnn.data import LoadOptions, load, rows_for
from qnn.data.dataset import PARTS
from qnn.data.options import parse_bytes
from qnn.errors import QnnError
from qnn.schema import DataRecord, Schema

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
    str, typer.Option("--label", help="Label columns of a CSV: first, last or names, separated by commas.")
]
DataDirOption = Annotated[Path | None, typer.Option("--data-dir", help="Where mnist is looked for first.")]
MaxMemoryOption = Annotated[str, typer.Option("--max-memory", help="What the samples may take, such as 800MB.")]


@dataclass(frozen=True, eq=False)
class Samples:
    """The rows a command works on: raw x (N, *shape), labels y or None, and where they came from."""

    x: np.ndarray
    y: np.ndarray | None
    source: str
    part: str


@dataclass(frozen=True)
class Request:
    """What the user asked for: DATA, --part and how to read it."""

    data: str | None
    part: str | None
    options: LoadOptions


def request(data: str | None, part: str | None, label: str, data_dir: Path | None, max_memory: str) -> Request:
    """The Request of the shared options. Raises QnnError for an unknown part."""
    if part is not None and part not in PARTS:
        raise QnnError(f"--part {part}", "is not a part", f"use one of {', '.join(PARTS)}")
    options = LoadOptions(label=tuple(label.split(",")), data_dir=data_dir, max_memory=parse_bytes(max_memory))
    return Request(data, part, options)


def load_rows(output: Output, asked: Request, schema: Schema, record: DataRecord, stage: str) -> Samples:
    """The rows that `stage` ("train" or "evaluate") of a model with this schema and record works on."""
    source = asked.data or record.source
    with output.progress(f"reading {source}") as progress:
        dataset = load(source, asked.options.like(record), schema=schema, progress=progress)
    for warning in dataset.warnings:
        output.warn(warning)
    rows = rows_for(dataset, record, asked.part, stage)
    y = None if dataset.y is None else dataset.y[rows]
    same = dataset.record.sha256 == record.sha256
    default = ("train" if stage == "train" else "test") if same else "all"
    return Samples(dataset.x[rows], y, source, asked.part or default)
