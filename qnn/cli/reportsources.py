# SPDX-License-Identifier: MIT
"""The networks of a report: files, or trained for it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qnn.cli.console import Output
from qnn.data import LoadOptions, load
from qnn.data.builtin import NAMES
from qnn.data.request import Request
from qnn.errors import QnnError
from qnn.files import GIBIBYTE, read_bounded, write_whole
from qnn.graphfile import INTEGER_MODEL
from qnn.modelfile import load_model
from qnn.names import name_from
from qnn.net import default_net, parse_net
from qnn.net.presets import PRESETS
from qnn.report.job import File, file_of, graph_in, network_of
from qnn.report.jobs import TrainJob
from qnn.training import TrainOptions
from qnn.training.qat import check_bits

MOST_SEEDS = 100
SHOWN_NET = 24  # characters of a NET in the name of its file


@dataclass(frozen=True, eq=False)
class Source:
    """A network of the report: its name there, its file and what is in it; seed: of a training for the report.

    quantized: it was so elsewhere, there is no float network.
    """

    name: str
    file: File
    content: bytes
    seed: int | None = None
    quantized: bool = False


@dataclass(frozen=True)
class Training:
    """What is to be trained: every one of `nets` (none: what suits the data), once with every one of `seeds`.

    qat: widths that each of them is trained for as well, as --qat of qnn train names them.
    """

    nets: tuple[str, ...]
    seeds: tuple[int, ...]
    epochs: int
    qat: tuple[str, ...] = ()


def training_of(
    nets: Sequence[str] | None, seeds: str | None, epochs: int | None, qat: Sequence[str] | None
) -> Training | None:
    """What --net, --seeds, --epochs and --qat say; None where none of them was given.

    Raises QnnError for what is no seed, and for widths that cannot be learned.
    """
    if nets is None and seeds is None and epochs is None and qat is None:
        return None
    for widths in qat or ():
        check_bits(widths)
    words = [word.strip() for word in ("0" if seeds is None else seeds).split(",") if word.strip()]
    if not words or not all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words):
        raise QnnError(f"--seeds {seeds}", "names no seeds", "use whole numbers from 0, such as 0,1,2")
    found = tuple(dict.fromkeys(int(word) for word in words))
    if len(found) > MOST_SEEDS:
        raise QnnError("--seeds", f"names {len(found)} seeds, more than {MOST_SEEDS}", "use fewer")
    return Training(_nets(nets or ()), found, epochs or 0, tuple(dict.fromkeys(qat or ())))


def _nets(words: Sequence[str]) -> tuple[str, ...]:
    """Each --net, where names of presets may stand together with commas between, which are part of every other NET."""
    known = {preset.name for preset in PRESETS}
    found: list[str] = []
    for word in words:
        parts = [part.strip() for part in word.split(",")]
        found += parts if known.issuperset(parts) else [word]
    return tuple(dict.fromkeys(found))


def sources_of(models: Sequence[Path]) -> list[Source]:
    """The networks in files; they are called by their files' stems, or paths where these are equal.

    Raises QnnError for what is no model.
    """
    different = list(dict.fromkeys(models))
    stems = [model.stem for model in different]
    return [_source(model, str(model) if stems.count(model.stem) > 1 else model.stem) for model in different]


def _source(model: Path, name: str) -> Source:
    if not model.exists() and str(model) in NAMES:
        remedy = f"say --net, --seeds, --epochs or --qat to train networks on {model}, or name a model"
        raise QnnError(model, "is data, not a model", remedy)
    quantized = model.is_file() and INTEGER_MODEL.holds(model)
    if not quantized:
        load_model(model)  # which tells best what else it is
    content = read_bounded(model, GIBIBYTE)
    if quantized:
        graph_in(content, str(model))
    return Source(name, file_of(model, content), content, quantized=quantized)


def train_jobs(output: Output, data: str, asked: Request, training: Training) -> list[TrainJob]:
    """A job for each network and seed. Raises QnnError where the data cannot be read or a NET does not fit it."""
    options = LoadOptions(data_dir=asked.data_dir, max_memory=asked.max_memory, drop_missing=asked.drop_missing)
    if asked.label is not None:
        options = replace(options, label=asked.label)
    with output.progress(f"reading {data}") as progress:
        dataset = load(data, options, progress=progress)
    for warning in dataset.warnings:
        output.warn(warning)
    nets = training.nets or (default_net(dataset.schema),)
    for net in nets:
        parse_net(net, dataset.schema)
    return [
        TrainJob(
            net, data, dataset.record, dataset.schema, net, options, TrainOptions(epochs=training.epochs, seed=seed)
        )
        for net in nets
        for seed in training.seeds
    ]


def qat_job(job: TrainJob, start: Source, widths: str) -> TrainJob:
    """The job that trains what `job` gave, `start`, for these widths."""
    options = replace(job.options, qat=widths)
    return replace(job, name=f"{job.name}, qat {widths}", options=options, start=start.file)


def _file_name(net: str) -> str:
    """A preset's name, or the beginning of a NET and a hash of all of it."""
    if any(preset.name == net for preset in PRESETS):
        return name_from(net)
    return f"{name_from(net)[:SHOWN_NET]}_{hashlib.sha256(net.encode()).hexdigest()[:6]}"


def trained_source(job: TrainJob, result: dict[str, str], folder: Path | None) -> Source:
    """The network that a job's result holds; it is kept in `folder` as well, where there is one, for other commands."""
    content = base64.b64decode(result["model"])
    path = Path(f"{_file_name(job.name)}-seed{job.options.seed}.qnn")
    if folder is not None:
        path = folder / path
        write_whole(path, content)
    network_of(content, str(path))
    return Source(job.name, file_of(path, content), content, job.options.seed)
