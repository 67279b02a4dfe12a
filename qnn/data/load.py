# SPDX-License-Identifier: MIT
"""One way in: from a name or a path to a data set."""

from __future__ import annotations

import difflib
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from qnn.data.assemble import assemble, fitted, schema_of
from qnn.data.builtin import BUILT_IN, NAMES, read_built_in
from qnn.data.csvfile import open_csv
from qnn.data.csvread import read_csv
from qnn.data.dataset import Dataset
from qnn.data.idx import read_idx_folder
from qnn.data.npz import open_npz
from qnn.data.options import AUTO, LoadOptions, check_memory
from qnn.data.synthetic import PREFIX, read_random
from qnn.data.table import Classes, Table, Targets
from qnn.data.textsource import TextSource
from qnn.errors import QnnError
from qnn.files import GIBIBYTE, StrPath
from qnn.progress import Progress, silent
from qnn.schema import Schema

ZIP_MAGIC, IDX_MAGIC = b"PK\x03\x04", b"\0\0\x08"
STANDARD_INPUT = "-"
SHOWN_NAMES = 8


def load(
    source: StrPath, options: LoadOptions | None = None, schema: Schema | None = None, progress: Progress = silent
) -> Dataset:
    """The data set that `source` names, split into parts.

    source: digits, thermistor, mnist, a CSV file (gzipped or not), a folder of IDX files, an .npz file or random:N.
    schema: of a trained model; the data is then read to fit it: columns by name where there are names, classes by
    the model's indices, decimals by the model's units; labels may be absent. `options.like(record)` gives the split
    that the model was trained with.
    Raises QnnError for everything that cannot be read or learned from; Dataset.warnings tells the rest.
    """
    options, source = options or LoadOptions(), os.fspath(source)
    table = read_table(source, options, schema, progress)
    if options.test_file is not None:
        table = _with_test_part(table, source, options, schema, progress)
    return assemble(table, source, options, schema)


def read_table(source: str, options: LoadOptions, schema: Schema | None, progress: Progress) -> Table:
    """The samples that `source` names, not yet split. Raises QnnError as `load` does."""
    if schema is not None:
        options = replace(options, task=schema.task)
    if source.startswith(PREFIX):
        return read_random(source, schema, options.low, options.high, options.seed, options.max_memory)
    if source in NAMES:
        _expect_no_columns(source, options, schema)
        return read_built_in(source, options)
    path = Path(source)
    if path.is_dir():
        _expect_no_columns(source, options, schema)
        return read_idx_folder(path, options)
    start = _first_bytes(path)
    if path.suffix == ".qnn":
        raise QnnError(path, "is a model, not data", "name the data first, and a model to write with -o")
    if start == ZIP_MAGIC or path.suffix == ".npz":
        _expect_no_columns(source, options, schema)
        return open_npz(path, options)
    if start[:3] == IDX_MAGIC or "-ubyte" in path.name:
        raise QnnError(path, "is one IDX file of several", f"name their folder: {path.parent}")
    return read_csv(TextSource(source, path), options, schema, progress)


def _expect_no_columns(source: str, options: LoadOptions, schema: Schema | None) -> None:
    """Raises QnnError where the user chooses among columns that `source` does not have, or another task than its own.

    With a schema the options are mostly those of the model's own data, and say nothing about this.
    """
    if schema is not None:
        return
    choices = (
        ("--label", options.label != LoadOptions().label),
        ("--inputs", options.inputs),
        ("--input-unit", options.input_units),
        ("--drop-columns", options.drop_columns),
    )
    for name, given in choices:
        if given:
            raise QnnError(name, f"{source} has fixed inputs and labels", f"leave {name} out, or give a CSV")
    task = next((entry.task for entry in BUILT_IN if entry.name == source), options.task)
    if options.task not in (AUTO, task):
        raise QnnError("--task", f"{source} is for {task}", "leave --task out, or give other data")


def load_samples(source: str, schema: Schema, options: LoadOptions | None = None) -> np.ndarray:
    """Raw samples (N, *schema.shape) to run a model on, from a CSV file, or from standard input for "-".

    Labels beside them are read past. Raises QnnError as `load` does.
    """
    if source == STANDARD_INPUT:
        stream = getattr(sys.stdin, "buffer", None)
        content = stream.read(GIBIBYTE + 1) if stream else sys.stdin.read(GIBIBYTE + 1).encode()
        if len(content) > GIBIBYTE:
            raise QnnError("standard input", "has more than 1 GiB", "put it into a file")
        return parse_samples(content, "standard input", schema, options)
    return load(source, options, schema).x


def parse_samples(content: str | bytes, subject: str, schema: Schema, options: LoadOptions | None = None) -> np.ndarray:
    """Raw samples (N, *schema.shape) from text like a CSV file's ("5.1, 3.5, 1.4"); `subject` is its name.

    Without a header a row is exactly the model's inputs: what is too much is no label. Raises QnnError as `load` does.
    """
    data = content.encode() if isinstance(content, str) else content
    options, source = options or LoadOptions(), TextSource(subject, None, data)
    names = tuple(feature.name for feature in schema.features)
    file, wanted = open_csv(source, options, names), math.prod(schema.shape)
    if not file.header and len(file.names) != wanted:
        count = "1 value" if len(file.names) == 1 else f"{len(file.names)} values"
        listed = f": {', '.join(names)}" if 0 < len(names) <= SHOWN_NAMES else ""
        raise QnnError(subject, f"has {count} a sample; the model reads {wanted}", f"give exactly those{listed}")
    table = read_csv(source, options, schema, silent)
    return fitted(table, schema, subject).x


def _first_bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise QnnError(path, "is neither a file nor a folder", "name a file")
        with path.open("rb") as stream:
            return stream.read(4)
    except FileNotFoundError:
        near = difflib.get_close_matches(str(path), NAMES, 1, 0.7)
        hint = f"did you mean {near[0]}?" if near else f"name a file, a folder, or one of {', '.join(NAMES)}"
        raise QnnError(path, "no such file or data set", hint) from None
    except (OSError, ValueError) as error:
        raise QnnError(path, f"cannot be read ({error})", "check its name and permissions") from None


def _with_test_part(
    table: Table, source: str, options: LoadOptions, schema: Schema | None, progress: Progress
) -> Table:
    """`table` with the rows of options.test_file, read to fit it, as its test part."""
    if table.test:
        raise QnnError("--test-file", f"{source} has a test part of its own", "leave --test-file out")
    if schema is not None:
        table = fitted(table, schema, source)
    wanted = schema or schema_of(table, source)
    subject = str(options.test_file)
    try:
        test = fitted(read_table(subject, replace(options, test_file=None), wanted, progress), wanted, subject)
    except QnnError as error:
        problem = error.problem.replace("the model reads", f"{source} has").replace("the model", source)
        raise QnnError(error.subject, problem, f"give --test-file a file with the columns of {source}") from None
    check_memory(subject, 2 * (table.x.nbytes + test.x.nbytes), options.max_memory, "both files together")
    labels = _joined(table.labels, test.labels, subject)
    warnings = table.warnings + test.warnings
    return Table(np.concatenate([table.x, test.x]), table.features, labels, len(test.x), warnings)


def _joined(
    first: Classes | Targets | None, second: Classes | Targets | None, subject: str
) -> Classes | Targets | None:
    if isinstance(first, Classes) and isinstance(second, Classes):
        return Classes(np.concatenate([first.codes, second.codes]), first.names)
    if isinstance(first, Targets) and isinstance(second, Targets):
        return Targets(np.concatenate([first.values, second.values]), first.names, first.decimals)
    if first is None and second is None:
        return None
    raise QnnError(subject, "has other labels than the training data", "use files with the same columns")
