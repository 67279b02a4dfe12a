# SPDX-License-Identifier: MIT
"""How commands find the samples they work on: the options they share."""

from __future__ import annotations

from typing import Annotated

import typer

from qnn.cli.console import Output
from qnn.cli.reading import DataDirOption, DropMissingOption, MaxMemoryOption
from qnn.data.request import Request, Samples, read_rows, remedies_within, request
from qnn.schema import DataRecord, Schema

__all__ = ["DataDirOption", "DropMissingOption", "MaxMemoryOption", "Request", "Samples", "remedies_within", "request"]

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


def load_rows(output: Output, asked: Request, schema: Schema, record: DataRecord, stage: str) -> Samples:
    """What read_rows gives, with a bar and its warnings on `output`."""
    with output.progress(f"reading {asked.data or record.source}") as progress:
        samples = read_rows(asked, schema, record, stage, progress)
    for warning in samples.warnings:
        output.warn(warning)
    return samples
