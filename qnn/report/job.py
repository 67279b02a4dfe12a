# SPDX-License-Identifier: MIT
"""What a job of a report is: it says by itself what it works on, and can be sent to another process or machine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from qnn.container import unpack
from qnn.data.request import Request, Samples, read_rows
from qnn.data.split import sha256_of
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.graphfile import graph_of_bytes
from qnn.model import Model
from qnn.modelfile import model_of
from qnn.progress import Progress
from qnn.report.tools import Tools
from qnn.schema import DataRecord, Schema

PLACE = {"place": True}  # of a field that says where something is or what it is called: it determines no result


class Job(Protocol):
    """Something to be computed; its fields determine the result, but for those that are marked with PLACE."""

    @property
    def title(self) -> str:
        """A few words for people."""
        ...

    @property
    def heavy(self) -> bool:
        """Is it worth a process of its own?"""
        ...

    def run(self, content: bytes, progress: Progress) -> dict[str, Any]:
        """The result as a JSON object. content: the bytes of the model's file, b"" where there is none yet.

        Raises QnnError for whatever the user can mend.
        """
        ...


@dataclass(frozen=True)
class Task:
    """A job and the model's bytes, which travel with it."""

    job: Job
    content: bytes = b""


def run_task(task: Task, progress: Progress) -> dict[str, Any]:
    """The result of a task's job."""
    return task.job.run(task.content, progress)


@dataclass(frozen=True)
class File:
    """A file by its content, as far as results depend on it."""

    path: str = field(metadata=PLACE)
    sha256: str

    def check(self, content: bytes) -> None:
        """Raises QnnError unless these are its bytes."""
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise QnnError(self.path, "was changed on its way", "run the report again")


@dataclass(frozen=True)
class Rows:
    """Samples by their content, and how they are found again: `asked`, for a stage ("train", "evaluate") of a model."""

    asked: Request = field(metadata=PLACE)
    stage: str = field(metadata=PLACE)
    source: str
    sha256: str

    def read(self, schema: Schema, record: DataRecord) -> Samples:
        """The samples, for a model with this schema and record. Raises QnnError where they are not the same."""
        samples = read_once(self.asked, schema, record, self.stage)
        if hash_of(samples) != self.sha256:
            problem = "has other samples here than where the report was started, or has changed meanwhile"
            raise QnnError(self.source, problem, "give each machine the same data under the same name")
        return samples


def file_of(path: Path, content: bytes) -> File:
    """The File of these bytes."""
    return File(str(path), hashlib.sha256(content).hexdigest())


def rows_of(asked: Request, stage: str, samples: Samples) -> Rows:
    """The Rows of samples that `asked` gave."""
    return Rows(asked, stage, samples.source, hash_of(samples))


def hash_of(samples: Samples) -> str:
    """sha256 (hex) of samples and labels."""
    return sha256_of(samples.x, samples.y)


@lru_cache(maxsize=2)
def read_once(asked: Request, schema: Schema, record: DataRecord, stage: str) -> Samples:
    """What read_rows gives; jobs of one process mostly read the same, so the last two are kept."""
    return read_rows(asked, schema, record, stage)


@lru_cache(maxsize=4)
def network_of(content: bytes, path: str) -> Model:
    """The float model in the bytes of a file; the same object for the same bytes."""
    return model_of(unpack(content, Path(path)), Path(path))


def graph_in(content: bytes, path: str) -> Graph:
    """The checked integer graph in the bytes of a file."""
    return graph_of_bytes(content, Path(path))


def key_of(job: Job, tools: Tools) -> str:
    """The name (hex) of the job's result: another one for whatever else could come out."""
    material = {"job": type(job).__name__, "fields": _plain(job), "tools": _plain(tools)}
    text = json.dumps(material, sort_keys=True, allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Dataclasses as objects without their PLACE fields; all else as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = [item for item in fields(value) if not item.metadata.get("place")]
        return {item.name: _plain(getattr(value, item.name)) for item in kept}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value
