# SPDX-License-Identifier: MIT
"""How to read data: the choices a user has, each with the value that suits most files."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from qnn.errors import QnnError
from qnn.schema import RANDOM, SPLITS, TASKS, DataRecord, Reading

AUTO = "auto"
FIRST, LAST = "first", "last"
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "space": " ", "pipe": "|"}
UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 1 << 10,
    "MIB": 1 << 20,
    "GIB": 1 << 30,
}
DEFAULT_MAX_MEMORY = 4 * 10**9


@dataclass(frozen=True)
class LoadOptions:
    """How `load` reads and splits data. Raises QnnError for a value that makes no sense.

    label: what to learn: "first", "last" or column names; columns without a header are x1, x2, ...
    task: "auto", "classification" or "regression".
    drop_columns: names of columns to leave out. drop_missing: leave out rows with missing values.
    missing: further words (or numbers, such as -200) that mean "missing".
    inputs: names of columns to learn from, where * stands for any characters; none: all. input_units: the decimal unit
    of the integers that inputs become ("0.01" of all, "air=0.1" of one); none: as fine as the data.
    header: "auto", "yes" or "no". separator: "auto", one character, or comma, semicolon, tab, space, pipe.
    data_dir: where `mnist` is looked for first. test_file: the test part, in place of a split.
    seed, validation_fraction (of what is not test), test_fraction: the split, "random" or "chronological": the first
    rows for training, then those for validation, the last for the test.
    max_memory: bytes that the samples may take.
    low, high: the raw range of random:N samples, one for all features or one each.
    """

    label: tuple[str, ...] = (LAST,)
    task: str = AUTO
    drop_columns: tuple[str, ...] = ()
    drop_missing: bool = False
    missing: tuple[str, ...] = ()
    header: str = AUTO
    separator: str = AUTO
    data_dir: Path | None = None
    test_file: Path | None = None
    seed: int = 0
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    split: str = RANDOM
    inputs: tuple[str, ...] = ()
    input_units: tuple[str, ...] = ()
    max_memory: int = DEFAULT_MAX_MEMORY
    low: tuple[int, ...] = ()
    high: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in (AUTO, *TASKS):
            raise QnnError("--task", f"{self.task!r} is no task", f"use {AUTO}, {' or '.join(TASKS)}")
        if self.split not in SPLITS:
            raise QnnError("--split", f"{self.split!r} is no way to split", f"use {' or '.join(SPLITS)}")
        if self.header not in (AUTO, "yes", "no"):
            raise QnnError("--header", f"{self.header!r} is no answer", "use auto, yes or no")
        if self.separator != AUTO and (len(self.separator_character) != 1 or self.separator_character in "\"'\r\n"):
            names = ", ".join(SEPARATORS)
            raise QnnError("--separator", f"{self.separator!r} is not one character", f"use one, or a name: {names}")
        if not self.label or len(set(self.label)) != len(self.label):
            raise QnnError("--label", "names no column or one column twice", "name each label column once")
        for name, fraction in (("--validation", self.validation_fraction), ("--test", self.test_fraction)):
            if not 0 <= fraction < 1:
                raise QnnError(name, f"{fraction} is not a fraction", "use a number from 0 to below 1, such as 0.2")
        if self.seed < 0 or self.max_memory <= 0:
            name = "--seed" if self.seed < 0 else "--max-memory"
            raise QnnError(name, "is negative or nothing", "use a positive number")

    @property
    def separator_character(self) -> str:
        """The separator as a character (meaningless where it is "auto")."""
        return SEPARATORS.get(self.separator, self.separator)

    @property
    def reading(self) -> Reading:
        """What a model remembers of these options."""
        return Reading(
            label=self.label,
            drop_columns=self.drop_columns,
            drop_missing=self.drop_missing,
            missing=self.missing,
            header=self.header,
            separator=self.separator,
            test_file=str(self.test_file) if self.test_file else "",
            inputs=self.inputs,
            input_units=self.input_units,
        )

    def like(self, record: DataRecord) -> LoadOptions:
        """These options with the reading and the split of `record`: the rows a model was trained on are found again."""
        reading = record.reading
        return replace(
            self,
            label=reading.label,
            drop_columns=reading.drop_columns,
            drop_missing=reading.drop_missing,
            missing=reading.missing,
            header=reading.header,
            separator=reading.separator,
            test_file=Path(reading.test_file) if reading.test_file else None,
            seed=record.seed,
            validation_fraction=record.validation_fraction,
            test_fraction=record.test_fraction,
            split=record.split,
            inputs=reading.inputs,
            input_units=reading.input_units,
        )


def parse_bytes(text: str) -> int:
    """A number of bytes from "800MB", "4 GB" or "1GiB". Raises QnnError."""
    match = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([A-Za-z]*)\s*", text)
    if not match or match[2].upper() not in UNITS:
        raise QnnError("--max-memory", f"{text!r} is no amount of memory", "write it like 800MB or 4GB")
    return max(1, int(float(match[1]) * UNITS[match[2].upper()]))


def check_memory(subject: object, needed: int, limit: int, what: str) -> None:
    """Raise QnnError where `what` of `subject` needs more than `limit` bytes."""
    if needed > limit:
        problem = f"{what} need {megabytes(needed)}, more than the {megabytes(limit)} allowed"
        raise QnnError(subject, problem, "raise --max-memory or use fewer rows")


def megabytes(count: int) -> str:
    """A number of bytes for people, in MB of 1,000,000, or kB or bytes where it is less than 0.1 of those."""
    if count >= 100_000:
        return f"{count / 1e6:,.1f} MB"
    return f"{count / 1e3:,.1f} kB" if count >= 100 else f"{count} bytes"
