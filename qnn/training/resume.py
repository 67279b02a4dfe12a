# SPDX-License-Identifier: MIT
"""The file beside the model from which an interrupted training goes on to the same result."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qnn.container import Container, pack, read
from qnn.errors import QnnError
from qnn.outputs import Kind, container_kind
from qnn.schema import DataRecord
from qnn.schemafile import Document, read_record
from qnn.training.options import TrainOptions, read_options
from qnn.training.state import Epoch, State

KIND = "training"
UNFINISHED = Kind("an unfinished training", lambda path: container_kind(path) == KIND)
WORD_BITS = 32
RNG_WORDS = 4  # a PCG64 state is 128 bits
MAX_MEMORY_VECTORS = 4
AGAIN = "train again without --resume"


@dataclass(frozen=True, eq=False)
class Unfinished:
    """A training that was interrupted: its NET, its resolved options, its data's record, its last whole epoch.

    teacher_sha256, start_sha256: the model_hash of its teacher and of the model it began with, "" without one.
    """

    net: str
    options: TrainOptions
    record: DataRecord
    state: State
    teacher_sha256: str = ""
    start_sha256: str = ""


def resume_path(path: Path) -> Path:
    """The resume file of the model at `path`: model.resume.qnn for model.qnn."""
    return path.with_name(f"{path.stem}.resume.qnn")


def unfinished_bytes(unfinished: Unfinished) -> bytes:
    """The resume file's bytes."""
    state = unfinished.state
    document = {
        "net": unfinished.net,
        "options": dataclasses.asdict(unfinished.options),
        "record": dataclasses.asdict(unfinished.record),
        "teacher_sha256": unfinished.teacher_sha256,
        "start_sha256": unfinished.start_sha256,
        "step": state.step,
        "rng": _rng_words(state.rng),
        "history": [{**vars(epoch), "best": int(epoch.best)} for epoch in state.history],
    }
    memory = {f"memory.{index}": vector for index, vector in enumerate(state.memory)}
    arrays = {"parameters": state.parameters, "average": state.average, "best": state.best, **memory}
    return pack(Container(KIND, document, arrays))


def read_unfinished(path: Path) -> Unfinished:
    """The unfinished training of the model at `path`. Raises QnnError where there is none or it is damaged."""
    if not path.name:
        raise QnnError(path, "is a folder", "name a file, such as model.qnn")
    file = resume_path(path)
    if not file.exists():
        raise QnnError(file, "no such file, so there is nothing to resume", AGAIN)
    return read_resume_file(file)


def read_resume_file(file: Path) -> Unfinished:
    """The unfinished training in `file`. Raises QnnError naming it where it is damaged or something else."""
    container = read(file)
    if container.kind != KIND:
        raise QnnError(file, "is not an unfinished training", AGAIN)
    document = Document(container.document, file)
    names = ["parameters", "average", "best", *(f"memory.{index}" for index in range(MAX_MEMORY_VECTORS))]
    vectors = [container.arrays[name].copy() for name in names if name in container.arrays]
    if len(vectors) < 4 or any(v.dtype != np.float32 or v.ndim != 1 or v.shape != vectors[0].shape for v in vectors):
        raise QnnError(file, "its vectors are missing or do not fit each other", AGAIN)
    if not all(np.isfinite(vector).all() for vector in vectors):
        raise QnnError(file, "a parameter is not finite", AGAIN)
    history = tuple(_read_epoch(item, number) for number, item in enumerate(document.list("history"), 1))
    step = document.integer("step")
    if step < len(history):
        raise QnnError(file, "its step does not fit its history", AGAIN)
    state = State(vectors[0], vectors[1], vectors[2], tuple(vectors[3:]), _read_rng(document), step, history)
    options, record = read_options(document.child("options")), read_record(document.child("record"))
    hashes = (document.text(name) for name in ("teacher_sha256", "start_sha256"))
    return Unfinished(document.text("net"), options, record, state, *hashes)


def _read_epoch(document: Document, number: int) -> Epoch:
    if document.integer("number") != number:
        raise QnnError(document.path, "its epochs are not in order", AGAIN)
    losses = (document.number("train_loss"), document.number("loss"), document.number("metric"))
    return Epoch(number, *losses, document.number("rate"), document.number("seconds"), bool(document.integer("best")))


def _rng_words(rng: np.random.Generator) -> list[int]:
    """The generator's state as 32-bit integers, lowest first."""
    state = rng.bit_generator.state
    numbers = (int(state["state"]["state"]), int(state["state"]["inc"]))
    words = [number >> (WORD_BITS * index) & 0xFFFFFFFF for number in numbers for index in range(RNG_WORDS)]
    return [*words, int(state["has_uint32"]), int(state["uinteger"])]


def _read_rng(document: Document) -> np.random.Generator:
    words = document.integers("rng")
    if len(words) != 2 * RNG_WORDS + 2 or not all(0 <= word < 1 << WORD_BITS for word in words):
        raise QnnError(document.path, "its random state is damaged", AGAIN)
    state, increment = (
        sum(word << (WORD_BITS * index) for index, word in enumerate(words[start : start + RNG_WORDS]))
        for start in (0, RNG_WORDS)
    )
    generator = np.random.PCG64(0)
    generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": state, "inc": increment | 1},
        "has_uint32": words[-2] & 1,
        "uinteger": words[-1],
    }
    return np.random.Generator(generator)
