# SPDX-License-Identifier: MIT
"""How a report is made: jobs are planned and run, their results become its document."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qnn.balancing import ON
from qnn.calibration import load_scales_of
from qnn.cli.console import Output
from qnn.cli.jobsbar import watching
from qnn.cli.reportsources import Source, Training, qat_job, train_jobs, trained_source
from qnn.data.request import Request, Samples
from qnn.data.split import EVALUATE, TRAIN
from qnn.errors import QnnError
from qnn.learned import left_out_text
from qnn.mixed import Limits
from qnn.model import Model
from qnn.names import name_from
from qnn.ops.choices import Choices
from qnn.report.baseline import labels_of
from qnn.report.document import Network
from qnn.report.job import Rows, Task, graph_in, hash_of, network_of, read_once, rows_of
from qnn.report.jobs import ImportedJob, Measured, ReferenceJob, RowJob, TrainJob, chosen_document
from qnn.report.labels import AS_IMPORTED, float_names, labels
from qnn.report.running import Done, Runner
from qnn.report.variant import Axes
from qnn.scales import Scales
from qnn.widths import TRAINED

TITLE = "report"


@dataclass(frozen=True, eq=False)
class Asked:
    """What the rows are to be made of. scales: a file that decides the ranges."""

    request: Request
    axes: Axes
    limits: Limits
    scales: Path | None


@dataclass(frozen=True, eq=False)
class Plan:
    """The jobs of one network, on samples; told: of each row what it will be told apart by."""

    source: Source
    net: str
    samples: Samples
    reference: Task | None
    rows: tuple[Task, ...]
    told: tuple[dict[str, Any], ...]


@dataclass(eq=False)
class Results:
    """What came of all jobs. failed: as rows, with a `reason`."""

    networks: list[Network] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # what the results are of that were there before


def train_sources(
    output: Output, runner: Runner, data: str, asked: Request, training: Training, results: Results
) -> list[Source]:
    """The networks that were trained on `data`; those that could not be are among the failed of `results`."""
    jobs = train_jobs(output, data, asked, training)
    plain = _train(output, runner, [(job, b"") for job in jobs], results)
    begun = [(job, source) for job, source in zip(jobs, plain, strict=True) if source is not None]
    again = [(qat_job(job, source, qat), source.content) for job, source in begun for qat in training.qat]
    narrow = _train(output, runner, again, results)
    return [source for source in (*plain, *narrow) if source is not None]


def _train(
    output: Output, runner: Runner, jobs: Sequence[tuple[TrainJob, bytes]], results: Results
) -> list[Source | None]:
    """The network that each job gave, beside which stand the bytes of what it starts with; None where it failed."""
    tasks, titles = [Task(job, content) for job, content in jobs], [job.title for job, _ in jobs]
    found: list[Source | None] = []
    for (job, _), done in zip(jobs, _run(output, runner, tasks, titles, results), strict=True):
        if done.result is None:
            results.failed.append({"network": job.name, "seed": job.options.seed, "reason": done.problem})
            found.append(None)
        else:
            found.append(trained_source(job, done.result, runner.store.folder))
    return found


def plan_all(output: Output, sources: Sequence[Source], asked: Asked) -> list[Plan]:
    """The Plan of each network. Raises QnnError where their data cannot be read, or is not the same for all."""
    plans = [
        _plan_graph(source, asked) if source.quantized else _plan_network(output, source, asked) for source in sources
    ]
    first = plans[0].samples
    for plan in plans[1:]:
        if (plan.samples.source, plan.samples.part) != (first.source, first.part):
            problem = f"would be scored on {plan.samples.source} ({plan.samples.part}), the first on {first.source}"
            raise QnnError(plan.source.name, problem, "name one --data for all, or report on each")
    if len({hash_of(plan.samples) for plan in plans}) > 1:
        output.warn("these networks have different test rows, since their data was split differently")
    for warning in dict.fromkeys(warning for plan in plans for warning in plan.samples.warnings):
        output.warn(warning)
    if not any(plan.rows for plan in plans):
        raise QnnError("--bits trained", "no network was trained for few bits", "train one with --qat, or say --bits 8")
    return plans


def run_plans(output: Output, runner: Runner, plans: Sequence[Plan], results: Results) -> None:
    """Run all jobs; what came of them is added to `results`."""
    tasks = [task for plan in plans for task in (plan.reference, *plan.rows) if task is not None]
    called = float_names([{"name": plan.source.name, "seed": plan.source.seed} for plan in plans])
    floats = (name for name, plan in zip(called, plans, strict=True) if plan.reference is not None)
    names = iter(labels([told for plan in plans for told in plan.told]))
    titles = [next(floats if isinstance(task.job, ReferenceJob) else names) for task in tasks]
    outcomes = iter(_run(output, runner, tasks, titles, results))
    for plan in plans:
        reference = next(outcomes) if plan.reference is not None else Done({})
        if reference.result is None:
            results.failed.append({"network": plan.source.name, "seed": plan.source.seed, "reason": reference.problem})
        found = reference.result or {}
        results.networks.append(
            Network(
                plan.source.name,
                plan.net,
                plan.source.seed,
                plan.source.file.sha256,
                found.get("float"),
                found.get("baseline"),
            )
        )
        for told, done in zip(plan.told, outcomes, strict=False):
            if done.result is None:
                results.failed.append({**told, "reason": done.problem})
                continue
            measured = Measured(**done.result)
            results.measured.append(measured)
            results.rows.append({**told, **measured.row})


def _run(output: Output, runner: Runner, tasks: Sequence[Task], titles: Sequence[str], results: Results) -> list[Done]:
    with watching(output, TITLE, titles) as watcher:
        found = runner.run(tasks, watcher)
    results.kept += [title for title, done in zip(titles, found, strict=True) if done.kept]
    return found


def _plan_network(output: Output, source: Source, asked: Asked) -> Plan:
    """The Plan of a float network."""
    network = network_of(source.content, source.file.path)
    samples = _samples(output, asked.request, network)
    rows = rows_of(asked.request, EVALUATE, samples)
    scales = _given_scales(network, asked)
    variants = asked.axes.of(network, scales is not None)
    if network.learned is not None and all(variant.bits != TRAINED for variant in variants):
        output.warn(left_out_text(source.name, "--bits" if asked.axes.bits else "--weight-bits"))
    calibration = _calibration(output, source, network, asked)
    tasks = tuple(
        Task(
            RowJob(
                source.name,
                name_from(Path(source.name).stem),
                source.file,
                rows,
                variant,
                asked.limits,
                scales,
                calibration,
            ),
            source.content,
        )
        for variant in variants
    )
    reference = Task(ReferenceJob(source.name, source.file, rows), source.content)
    told = tuple({"network": source.name, "seed": source.seed, **variant.document()} for variant in variants)
    return Plan(source, network.net, samples, reference, tasks, told)


def _plan_graph(source: Source, asked: Asked) -> Plan:
    """The Plan of a network that was quantized elsewhere."""
    graph = graph_in(source.content, source.file.path)
    samples = read_once(asked.request, graph.schema, graph.record, EVALUATE)
    labels_of(samples)
    rows = rows_of(asked.request, EVALUATE, samples)
    tasks, told = [], []
    for choices in choices_of(graph.choices, asked.axes):
        tasks.append(Task(ImportedJob(source.name, source.file, rows, AS_IMPORTED, choices), source.content))
        told.append({"network": source.name, "seed": None, "bits": AS_IMPORTED, **chosen_document(choices)})
    return Plan(source, AS_IMPORTED, samples, None, tuple(tasks), tuple(told))


def choices_of(choices: Choices, axes: Axes) -> Iterable[Choices]:
    """How the C of a quantized model is made: as it says itself, but for what was asked."""
    steady = axes.constant_time or choices.constant_time
    for goal, pack in itertools.product(axes.optimize or (choices.optimize,), axes.pack or (choices.pack,)):
        yield replace(choices, optimize=goal, constant_time=steady, pack=pack)


def _samples(output: Output, request: Request, network: Model) -> Samples:
    """The samples that a float network is scored on. Raises QnnError where they have no labels."""
    with output.progress(f"reading {request.data or network.record.source}"):
        samples = read_once(request, network.schema, network.record, EVALUATE)
    labels_of(samples)
    return samples


def _given_scales(network: Model, asked: Asked) -> Scales | None:
    """What --scales names. Raises QnnError where another wish about equalization contradicts it."""
    if asked.scales is None:
        return None
    scales = load_scales_of(network, asked.scales)
    for choice in set(asked.axes.equalize) - {"auto"}:
        if (choice == ON) != scales.equalized:
            problem = f"has the ranges of weights that are {'' if scales.equalized else 'not '}equalized"
            raise QnnError(asked.scales, problem, f"leave --equalize {choice} out, or calibrate with it")
    return scales


def _calibration(output: Output, source: Source, network: Model, asked: Asked) -> Rows | None:
    """The rows to calibrate on, where the network carries none."""
    if len(network.samples):
        return None
    request = replace(asked.request, part=None)
    samples = read_once(request, network.schema, network.record, TRAIN)
    output.say(f"{source.name} carries no samples: it is calibrated on {samples.source} ({samples.part})")
    return rows_of(request, TRAIN, samples)
