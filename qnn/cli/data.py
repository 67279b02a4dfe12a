# SPDX-License-Identifier: MIT
"""qnn data: which data sets are there, what is in one, and how to get mnist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnn.cli.console import JsonOption, Output, QuietOption, SeedOption
from qnn.cli.reading import (
    DataDirOption,
    DropColumnsOption,
    DropMissingOption,
    HeaderOption,
    InputsOption,
    InputUnitOption,
    LabelOption,
    MaxMemoryOption,
    MissingOption,
    SeparatorOption,
    SplitOption,
    TaskOption,
    TestFileOption,
    TestFractionOption,
    ValidationFractionOption,
    words,
)
from qnn.data import Dataset, LoadOptions, load, parse_bytes
from qnn.data.builtin import BUILT_IN, cache_folder, find_mnist
from qnn.data.describe import Column, class_counts, drawn, input_columns, target_columns
from qnn.data.fetch import MIRRORS, MNIST, fetch
from qnn.errors import QnnError

SHOWN_COLUMNS = 40
SHOWN_IMAGES = 3

app = typer.Typer(help="List, look at and download data sets.", no_args_is_help=True)


@app.command("list")
def list_command(data_dir: DataDirOption = None, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """The data sets that go by a name.

    Example: qnn data list
    """
    output = Output(json, quiet)
    folder = find_mnist(data_dir)
    rows = []
    for entry in BUILT_IN:
        found = "shipped" if entry.name != "mnist" else str(folder) if folder else None
        shape = list(entry.shape)
        rows.append(
            {"name": entry.name, "shape": shape, "samples": entry.samples, "where": found, "about": entry.about}
        )
    output.table(
        "Built-in data sets",
        ("name", "shape", "samples", "where", "what"),
        [
            (
                e.name,
                "x".join(map(str, e.shape)),
                f"{e.samples:,}",
                str(row["where"] or "qnn data fetch mnist"),
                e.about,
            )
            for e, row in zip(BUILT_IN, rows, strict=True)
        ],
    )
    output.emit({"data": rows})


@app.command("fetch")
def fetch_command(
    name: Annotated[str, typer.Argument(help="mnist.")],
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where to put it; default: your cache.")] = None,
    mirror: Annotated[list[str] | None, typer.Option("--mirror", help="Get it from this address; repeatable.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Download a data set, checked byte for byte; what is there already is kept.

    Example: qnn data fetch mnist
    """
    output = Output(json, quiet)
    if name != "mnist":
        raise QnnError(name, "is not to be fetched", "only mnist is; digits and thermistor come with qnn")
    folder = (data_dir or cache_folder()) / name
    with output.progress(f"fetching {name}") as progress:
        paths = fetch(folder, MNIST, tuple(mirror) if mirror else MIRRORS, progress)
    output.say(f"{name} is in {folder}")
    output.emit({"name": name, "folder": str(folder), "files": [str(path) for path in paths]})


@app.command("show")
def show_command(
    source: Annotated[str, typer.Argument(help="A built-in name, CSV, folder of IDX files or .npz.", metavar="DATA")],
    label: LabelOption = "last",
    task: TaskOption = "auto",
    inputs: InputsOption = "",
    input_unit: InputUnitOption = "",
    drop_columns: DropColumnsOption = "",
    drop_missing: DropMissingOption = False,
    missing: MissingOption = "",
    header: HeaderOption = "auto",
    separator: SeparatorOption = "auto",
    test_file: TestFileOption = None,
    split: SplitOption = "random",
    test: TestFractionOption = 0.2,
    validation: ValidationFractionOption = 0.1,
    data_dir: DataDirOption = None,
    max_memory: MaxMemoryOption = "4GB",
    seed: SeedOption = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """What qnn understands of a data set: columns, ranges, classes, parts; images are drawn.

    Example: qnn data show digits
    """
    output = Output(json, quiet)
    options = LoadOptions(
        label=words(label),
        task=task,
        inputs=words(inputs),
        input_units=words(input_unit),
        drop_columns=words(drop_columns),
        drop_missing=drop_missing,
        missing=words(missing),
        header=header,
        separator=separator,
        data_dir=data_dir,
        test_file=test_file,
        seed=seed,
        split=split,
        validation_fraction=validation,
        test_fraction=test,
        max_memory=parse_bytes(max_memory),
    )
    with output.progress(f"reading {source}") as progress:
        dataset = load(source, options, progress=progress)
    for warning in dataset.warnings:
        output.warn(warning)
    _show(output, source, dataset)
    output.emit(_document(source, dataset))


def _show(output: Output, source: str, dataset: Dataset) -> None:
    schema = dataset.schema
    shape = "x".join(map(str, schema.shape))
    parts = ", ".join(f"{len(dataset.rows(part)):,} {part}" for part in ("train", "validation", "test"))
    goal = f"{len(schema.classes)} classes" if schema.task == "classification" else ", ".join(schema.targets)
    output.say(f"{source}: {len(dataset.x):,} samples of {shape} {schema.dtype} ({parts}); {schema.task}: {goal}")
    columns = input_columns(dataset)
    titles = ("name", "decimals", "low", "high", "mean")
    output.table("Inputs", titles, [_row(column) for column in columns[:SHOWN_COLUMNS]])
    if len(columns) > SHOWN_COLUMNS:
        output.say(f"and {len(columns) - SHOWN_COLUMNS} more")
    targets = target_columns(dataset)
    if targets:
        output.table("Targets", titles, [_row(column) for column in targets])
    counts = class_counts(dataset)
    if counts:
        rows = [(name, *(f"{n:,}" for n in count.values())) for name, count in list(counts.items())[:SHOWN_COLUMNS]]
        output.table("Classes", ("class", "train", "validation", "test"), rows)
    for line in _side_by_side(drawn(dataset, SHOWN_IMAGES)):
        output.say(line)


def _row(column: Column) -> tuple[str, ...]:
    digits = column.decimals
    note = " (constant)" if column.constant else ""
    return (
        column.name + note,
        str(digits),
        f"{column.low:,.{digits}f}",
        f"{column.high:,.{digits}f}",
        f"{column.mean:,.{digits + 1}f}",
    )


def _side_by_side(images: tuple[tuple[str, ...], ...]) -> list[str]:
    return ["  ".join(line).rstrip() for line in zip(*images, strict=True)]


def _document(source: str, dataset: Dataset) -> dict[str, object]:
    schema, record = dataset.schema, dataset.record
    return {
        "source": source,
        "samples": len(dataset.x),
        "shape": list(schema.shape),
        "dtype": schema.dtype,
        "task": schema.task,
        "parts": {part: len(dataset.rows(part)) for part in ("train", "validation", "test")},
        "classes": class_counts(dataset),
        "inputs": [_entry(column) for column in input_columns(dataset)],
        "targets": [_entry(column) for column in target_columns(dataset)],
        "sha256": record.sha256,
        "seed": record.seed,
        "warnings": list(dataset.warnings),
    }


def _entry(column: Column) -> dict[str, object]:
    return {
        "name": column.name,
        "decimals": column.decimals,
        "low": column.low,
        "high": column.high,
        "mean": column.mean,
        "constant": column.constant,
    }
