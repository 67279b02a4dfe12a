# SPDX-License-Identifier: MIT
"""What goes into an imported network and what comes out, as far as its file tells."""

from __future__ import annotations

import math
from pathlib import Path

from qnn.errors import QnnError
from qnn.files import read_bounded
from qnn.schema import Feature, Schema

MAX_LABEL_BYTES, MAX_LABEL = 1 << 20, 200


def imported_schema(
    shape: tuple[int, ...], dtype: str, outputs: int, labels: tuple[str, ...], probabilities: bool
) -> Schema:
    """The Schema of a network that reads samples of `shape` and gives `outputs` values.

    A network is a classifier if it has labels or ends in `probabilities` of several classes; its classes are called by
    their labels, else by number. Images have (H, W, C); everything else is flat. Raises QnnError if there are not as
    many labels as outputs.
    """
    if labels and len(labels) != max(outputs, 2):
        raise QnnError("--labels", f"has {len(labels)} labels for {outputs} outputs", "write one label a line")
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3:
        shape = (math.prod(shape),)
    features = tuple(Feature(f"x{i + 1}") for i in range(shape[0])) if len(shape) == 1 else ()
    if labels or (probabilities and outputs > 1):
        classes = labels or tuple(str(index) for index in range(outputs))
        return Schema(shape, dtype, features, "classification", classes, (), ())
    targets = ("y",) if outputs == 1 else tuple(f"y{index + 1}" for index in range(outputs))
    return Schema(shape, dtype, features, "regression", (), targets, (0,) * outputs)


def read_labels(path: Path | None) -> tuple[str, ...]:
    """The lines of a text file of labels, () without one. Raises QnnError for one that is no text or has doubles."""
    if path is None:
        return ()
    try:
        text = read_bounded(path, MAX_LABEL_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise QnnError(path, "is not UTF-8 text", "write one label a line") from None
    labels = tuple(line.strip()[:MAX_LABEL] for line in text.splitlines() if line.strip())
    if len(set(labels)) != len(labels) or not labels:
        raise QnnError(path, "has no labels, or two alike", "write one label a line")
    return labels
