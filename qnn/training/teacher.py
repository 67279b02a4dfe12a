# SPDX-License-Identifier: MIT
"""A trained model that a smaller one learns from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.data.dataset import Dataset
from qnn.data.split import split_rows
from qnn.errors import QnnError
from qnn.forward import output_shape
from qnn.model import Model, Node
from qnn.prepare import prepare
from qnn.schema import Schema

SUBJECT = "--teacher"
SPLIT = ("seed", "validation_fraction", "test_fraction")


def check_teacher(teacher: Model, student: Model, dataset: Dataset, subject: str = SUBJECT) -> None:
    """Raises QnnError unless the teacher answers the student's question and has not learned the rows held out here.

    subject: how it was named.
    """
    old, new = teacher.schema, student.schema
    if (old.shape, old.dtype, old.task) != (new.shape, new.dtype, new.task):
        problem = f"was trained on {teacher.record.source} for {_kind(old)}; {dataset.record.source} is {_kind(new)}"
        raise QnnError(subject, problem, "train it on this data")
    if (old.classes, old.targets) != (new.classes, new.targets):
        problem = f"was trained on {teacher.record.source}, which has other classes or targets than this data"
        raise QnnError(subject, problem, "train it on this data")
    if output_shape(teacher) != output_shape(student):
        raise QnnError(subject, "has other outputs than the network", "train it on this data, with as many outputs")
    learned = np.intersect1d(_learned(teacher, dataset), np.concatenate([dataset.validation, dataset.test])).size
    if learned:
        seed = teacher.record.seed
        problem = f"was trained with --seed {seed} on {learned} rows that are held out here"
        raise QnnError(subject, problem, "train both with the same --seed, --validation and --test")
    for name, found in vars(teacher.normalization).items():
        if not np.array_equal(found, getattr(student.normalization, name)):
            raise QnnError(subject, "normalizes its inputs or targets differently", "train it on this data")


def _kind(schema: Schema) -> str:
    """28x28x1 uint8 (classification)."""
    return f"{'x'.join(map(str, schema.shape))} {schema.dtype} ({schema.task})"


def _learned(teacher: Model, dataset: Dataset) -> np.ndarray:
    """The rows of `dataset` that the teacher was trained on; none where it was other data."""
    if teacher.record.sha256 != dataset.record.sha256:
        return np.zeros(0, np.int64)
    if all(getattr(teacher.record, name) == getattr(dataset.record, name) for name in SPLIT):
        return dataset.train
    count, test = len(dataset.x), dataset.test
    given = len(test) if np.array_equal(test, np.arange(count - len(test), count)) else 0
    return split_rows(count, given, teacher.record)[0]


def folded_nodes(model: Model) -> tuple[Node, ...]:
    """The model's nodes, batch norms folded, in float32."""
    nodes = prepare(model).nodes
    return tuple(replace(node, parameters=tuple(p.astype(np.float32) for p in node.parameters)) for node in nodes)
