# SPDX-License-Identifier: MIT
"""A trained model that a smaller one learns from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.errors import QnnError
from qnn.forward import output_shape
from qnn.model import Model, Node
from qnn.prepare import prepare

SUBJECT = "--teacher"
SPLIT = ("seed", "validation_fraction", "test_fraction")


def check_teacher(teacher: Model, student: Model) -> None:
    """Raises QnnError unless the teacher answers the student's question and has not learned the rows held out here."""
    old, new = teacher.schema, student.schema
    if (old.shape, old.dtype, old.task) != (new.shape, new.dtype, new.task):
        raise QnnError(SUBJECT, "was trained on samples of another kind", "train it on this data")
    if (old.classes, old.targets) != (new.classes, new.targets) or output_shape(teacher) != output_shape(student):
        raise QnnError(SUBJECT, "has other outputs than the network", "train it on this data, with as many outputs")
    one, other = teacher.record, student.record
    if one.sha256 == other.sha256 and any(getattr(one, name) != getattr(other, name) for name in SPLIT):
        problem = f"was trained with --seed {one.seed}, so it has seen rows that are held out here"
        raise QnnError(SUBJECT, problem, "train both with the same --seed, --validation and --test")
    for name, found in vars(teacher.normalization).items():
        if not np.array_equal(found, getattr(student.normalization, name)):
            raise QnnError(SUBJECT, "normalizes its inputs or targets differently", "train it on this data")


def teacher_nodes(teacher: Model) -> tuple[Node, ...]:
    """The teacher's nodes, batch norms folded, in float32."""
    nodes = prepare(teacher).nodes
    return tuple(replace(node, parameters=tuple(p.astype(np.float32) for p in node.parameters)) for node in nodes)
