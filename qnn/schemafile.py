# SPDX-License-Identifier: MIT
"""JSON documents read field by field: a missing, mistyped or oversized field is one clear error, never a crash."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn.errors import QnnError
from qnn.schema import RANDOM, SPLITS, TASKS, DataRecord, Feature, Reading, Schema

MAX_ITEMS = 1 << 20
MAX_INTEGER = 1 << 63
MAX_DECIMALS = 18  # 10**18 is the largest power of ten in int64
MIN_MAGNITUDE, MAX_MAGNITUDE = 1e-30, 1e30


@dataclass(frozen=True)
class Document:
    """A JSON object from the file at `path`; every accessor raises QnnError naming the file and the field."""

    values: Mapping[str, Any]
    path: Path

    def _typed(self, key: str, kind: type | tuple[type, ...], what: str) -> Any:
        value = self.values.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise QnnError(self.path, f"its field {key!r} is not {what}", "make the file again with qnn")
        return value

    def text(self, key: str) -> str:
        """A string."""
        value = str(self._typed(key, str, "a text"))
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise QnnError(self.path, f"its field {key!r} is not Unicode text", "make the file again with qnn")
        return value

    def truth(self, key: str) -> bool:
        """True or false."""
        if not isinstance(self.values.get(key), bool):
            raise QnnError(self.path, f"its field {key!r} is not true or false", "make the file again with qnn")
        return bool(self.values[key])

    def integer(self, key: str, low: int = -MAX_INTEGER, high: int = MAX_INTEGER - 1) -> int:
        """An integer from low to high, which are int64's limits unless given."""
        value = int(self._typed(key, int, "an integer"))
        if not low <= value <= high:
            raise QnnError(self.path, f"its field {key!r} is out of range", "make the file again with qnn")
        return value

    def decimals(self, key: str) -> int:
        """A number of decimals."""
        return self.integer(key, -MAX_DECIMALS, MAX_DECIMALS)

    def number(self, key: str) -> float:
        """A finite float."""
        value = self._typed(key, (int, float), "a number")
        if (isinstance(value, int) and abs(value) >= MAX_INTEGER) or not math.isfinite(value):
            raise QnnError(self.path, f"its field {key!r} is not a finite number", "make the file again with qnn")
        return float(value)

    def optional_number(self, key: str) -> float | None:
        """A finite float, or None where the file says null."""
        return None if key in self.values and self.values[key] is None else self.number(key)

    def magnitude(self, key: str) -> float:
        """A float that leaves room to compute with it in float32: 0, or between the two magnitudes, of either sign."""
        value = self.number(key)
        if value and not MIN_MAGNITUDE <= abs(value) <= MAX_MAGNITUDE:
            raise QnnError(self.path, f"its field {key!r} is out of range: {value}", "make the file again with qnn")
        return value

    def child(self, key: str) -> Document:
        """A nested object."""
        return Document(self._typed(key, dict, "an object"), self.path)

    def list(self, key: str) -> tuple[Document, ...]:
        """A list of objects."""
        return tuple(Document({"item": item}, self.path).child("item") for item in self._items(key))

    def integers(self, key: str, low: int = -MAX_INTEGER, high: int = MAX_INTEGER - 1) -> tuple[int, ...]:
        """A list of integers, as `integer` reads them."""
        return tuple(Document({key: item}, self.path).integer(key, low, high) for item in self._items(key))

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of finite floats."""
        return tuple(Document({key: item}, self.path).number(key) for item in self._items(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(Document({key: item}, self.path).text(key) for item in self._items(key))

    def _items(self, key: str) -> Any:
        items = self._typed(key, list, "a list")
        if len(items) > MAX_ITEMS:
            raise QnnError(self.path, f"its field {key!r} is too long", "make the file again with qnn")
        return items


def read_schema(document: Document) -> Schema:
    """The Schema in a document."""
    schema = Schema(
        shape=document.integers("shape"),
        dtype=document.text("dtype"),
        features=tuple(Feature(item.text("name"), item.decimals("decimals")) for item in document.list("features")),
        task=document.text("task"),
        classes=document.texts("classes"),
        targets=document.texts("targets"),
        target_decimals=document.integers("target_decimals", -MAX_DECIMALS, MAX_DECIMALS),
    )
    if schema.task not in TASKS or schema.dtype not in ("uint8", "int8", "int16", "int32"):
        raise QnnError(document.path, "its task or input type is unknown", "update qnn")
    if not schema.shape or min(schema.shape) < 1 or math.prod(schema.shape) > MAX_ITEMS:
        raise QnnError(document.path, f"its input shape {schema.shape} is impossible", "make the file again with qnn")
    return schema


def read_record(document: Document) -> DataRecord:
    """The DataRecord in a document."""
    return DataRecord(
        source=document.text("source"),
        sha256=document.text("sha256"),
        seed=document.integer("seed"),
        validation_fraction=document.number("validation_fraction"),
        test_fraction=document.number("test_fraction"),
        reading=_read_reading(document.child("reading")),
        split=_split(document),
    )


def _split(document: Document) -> str:
    """How rows were split; files of before there was a choice say nothing."""
    split = document.text("split") if "split" in document.values else RANDOM
    if split not in SPLITS:
        raise QnnError(document.path, f"its split {split[:40]!r} is unknown", "update qnn")
    return split


def _read_reading(document: Document) -> Reading:
    return Reading(
        label=document.texts("label"),
        drop_columns=document.texts("drop_columns"),
        drop_missing=document.truth("drop_missing"),
        missing=document.texts("missing"),
        header=document.text("header"),
        separator=document.text("separator"),
        test_file=document.text("test_file"),
        inputs=document.texts("inputs") if "inputs" in document.values else (),
        input_units=document.texts("input_units") if "input_units" in document.values else (),
    )


def read_plain(document: Document, key: str, hint: object) -> int | float | str:
    """A field of a type that a dataclass may annotate: int, float or str. Raises TypeError for another."""
    readers = ((int, document.integer), (float, document.number), (str, document.text))
    for kind, reader in readers:
        if hint is kind:
            return reader(key)
    raise TypeError(f"a field of type {hint} cannot be in a file")
