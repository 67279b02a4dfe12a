# SPDX-License-Identifier: MIT
"""Data: read from files or made, as raw integers with labels, split once and for all."""

from __future__ import annotations

from qnn.data.dataset import PARTS, Dataset
from qnn.data.load import load, load_samples, parse_samples
from qnn.data.options import LoadOptions, parse_bytes
from qnn.data.split import EVALUATE, TRAIN, rows_for
from qnn.data.synthetic import random_samples

__all__ = (
    "EVALUATE",
    "PARTS",
    "TRAIN",
    "Dataset",
    "LoadOptions",
    "load",
    "load_samples",
    "parse_bytes",
    "parse_samples",
    "random_samples",
    "rows_for",
)
