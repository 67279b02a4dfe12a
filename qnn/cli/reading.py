# SPDX-License-Identifier: MIT
"""The options that say how data is read and split, for every command that takes DATA."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LabelOption = Annotated[
    str, typer.Option("--label", "--target", help="What to learn: first, last, or column names separated by commas.")
]
TaskOption = Annotated[
    str,
    typer.Option(
        "--task", help="auto, classification or regression; auto: classes are text or up to 20 whole numbers."
    ),
]
InputsOption = Annotated[
    str, typer.Option("--inputs", help="Columns to learn from, with commas between; * stands for anything.")
]
InputUnitOption = Annotated[
    str, typer.Option("--input-unit", help="Decimal unit of the C's integers: 0.01, or air=0.1,pressure=1 by column.")
]
SplitOption = Annotated[
    str, typer.Option("--split", help="random, or chronological: first rows for training, last ones for the test.")
]
DropColumnsOption = Annotated[str, typer.Option("--drop-columns", help="Columns to leave out, with commas between.")]
DropMissingOption = Annotated[bool, typer.Option("--drop-missing", help="Leave out rows with missing values.")]
MissingOption = Annotated[
    str, typer.Option("--missing", help="Words or numbers that mean missing, such as -200, with commas between.")
]
HeaderOption = Annotated[
    str, typer.Option("--header", help="Whether the first row names the columns: auto, yes or no.")
]
SeparatorOption = Annotated[
    str, typer.Option("--separator", help="Of columns: auto, one character, or comma, semicolon, tab, space, pipe.")
]
DataDirOption = Annotated[Path | None, typer.Option("--data-dir", help="Where mnist is looked for first.")]
TestFileOption = Annotated[
    Path | None, typer.Option("--test-file", help="The test part, in place of a split; with the same columns.")
]
TestFractionOption = Annotated[float, typer.Option("--test", help="The share of all rows that is only for testing.")]
ValidationFractionOption = Annotated[
    float, typer.Option("--validation", help="The share of the other rows that is only for validation.")
]
MaxMemoryOption = Annotated[str, typer.Option("--max-memory", help="What the samples may take, such as 800MB.")]


def words(text: str) -> tuple[str, ...]:
    """The parts of an option with commas between: --label, --drop-columns, --missing."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
