# SPDX-License-Identifier: MIT
"""qnn report: accuracy versus size."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from qnn.balancing import AUTO
from qnn.calibration import DEFAULT_METHOD
from qnn.cli import reportoptions as options
from qnn.cli.choices import ConstantTimeOption
from qnn.cli.console import JsonOption, Output, QuietOption, given, typed
from qnn.cli.loading import (
    DataDirOption,
    DataOption,
    DropMissingOption,
    LabelOption,
    MaxMemoryOption,
    PartOption,
    request,
)
from qnn.cli.mixed import FlashOption, InstructionsOption, MaxDropOption, RamOption, limits_of
from qnn.cli.reportaxes import Typed
from qnn.cli.reportrun import Asked, Plan, Results, plan_all, run_plans, train_sources
from qnn.cli.reportsources import Source, Training, sources_of, training_of
from qnn.cli.reporttable import show_report
from qnn.cli.reporttold import complain, tell_failed, tell_idle, tell_rows
from qnn.data.request import Request
from qnn.errors import QnnError
from qnn.outputs import check_replaceable
from qnn.precision import MSE
from qnn.report.document import Origin, report_document
from qnn.report.files import report_files, work_folder, write_report
from qnn.report.remote import Cluster, check_cluster
from qnn.report.running import Runner
from qnn.report.store import Store
from qnn.report.tools import tools_here
from qnn.rounding import GPTQ
from qnn.training.shards import processors

STOPPED = 130
SHOWN_KEPT = 12  # results that were there before, by name
QUANTIZERS = (
    ("--bits", "bits"),
    ("--weight-bits", "weight_bits"),
    ("--scales", "scales"),
    ("--method", "method"),
    ("--equalize", "equalize"),
    ("--rounding", "rounding"),
    ("--bias-correction", "bias_correction"),
    ("--clipping", "clipping"),
    ("--max-drop", "max_drop"),
    ("--flash", "flash"),
    ("--ram", "ram"),
    ("--instructions", "instructions"),
)
"""Options that a model that is quantized already leaves nothing to do, and their parameters."""
OPTIONS = (*QUANTIZERS, ("--pack", "pack"))


def command(
    context: typer.Context,
    models: options.ModelsArgument,
    data: DataOption = None,
    bits: options.BitsOption = None,
    weight_bits: options.WeightBitsOption = None,
    max_drop: MaxDropOption = None,
    flash: FlashOption = None,
    ram: RamOption = None,
    instructions: InstructionsOption = None,
    method: options.MethodsOption = DEFAULT_METHOD,
    equalize: options.EqualizesOption = AUTO,
    rounding: options.RoundingsOption = GPTQ,
    bias_correction: options.BiasesOption = "on",
    clipping: options.ClippingsOption = MSE,
    optimize: options.OptimizesOption = None,
    pack: options.PacksOption = None,
    constant_time: ConstantTimeOption = False,
    net: options.NetOption = None,
    seeds: options.SeedsOption = None,
    epochs: options.EpochsOption = None,
    qat: options.QatOption = None,
    out: options.OutOption = None,
    scales: options.ScalesOption = None,
    jobs: options.JobsOption = None,
    scheduler: options.SchedulerOption = None,
    fresh: options.FreshOption = False,
    part: PartOption = None,
    label: LabelOption = None,
    drop_missing: DropMissingOption = False,
    data_dir: DataDirOption = None,
    max_memory: MaxMemoryOption = "4GB",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compile models at each width; say what each scores, what it costs, and whether its C is exact.

    A row is made for every combination of what is named in --bits, --weight-bits, --method, --equalize, --rounding,
    --bias-correction, --clipping, --optimize and --pack, of each network, by several processes at a time. With -o,
    finished rows are kept in FILE.work: the same command goes on after Ctrl-C.

    Exit code 1 if the C of a row crashes or differs from the simulator in any value, or if a row could not be made.

    Example: qnn report model.qnn --data digits --bits 8,16,mixed -o report.html

    Example: qnn report model.qnn --bits 4 --rounding nearest,gptq --bias-correction off,on --clipping off,mse

    Example: qnn report model.qnn --weight-bits 2,3,4 --weight-bits first=8,4 --pack on,off

    Example: qnn report mnist --net cnn-1k,cnn-5k --seeds 0,1,2 --epochs 5 --bits 4,8 -o mnist.html

    Example: qnn report mnist --net cnn-5k --qat 4 --bits trained,4,8
    """
    output = Output(json, quiet)
    axes = Typed(
        bits=bits,
        weight_bits=weight_bits,
        method=method,
        equalize=equalize,
        rounding=rounding,
        bias_correction=bias_correction,
        clipping=clipping,
        optimize=optimize,
        pack=pack,
        constant_time=constant_time,
    ).axes(output)
    limits = limits_of(axes.bits, max_drop, flash, ram, instructions)
    asked = Asked(request(data, part, label, drop_missing, data_dir, max_memory), axes, limits, scales)
    training = training_of(net, seeds, epochs, qat)
    written = [(option, name) for option, name in OPTIONS if given(context, name)]
    _refuse_idle(context, out, scales, jobs, scheduler, fresh)
    run = _Run(output, _runner(out, jobs, scheduler, fresh), asked, out)
    try:
        run.report(models, training, written)
    except KeyboardInterrupt:
        run.stopped()
        raise typer.Exit(STOPPED) from None


@dataclass(frozen=True, eq=False)
class _Run:
    """A report that is being made."""

    output: Output
    runner: Runner
    asked: Asked
    out: Path | None

    def report(self, models: Sequence[Path], training: Training | None, written: Sequence[tuple[str, str]]) -> None:
        """Make it, write it, show it. written: those of OPTIONS that are given. Exits with 1 or 2 as told."""
        results = Results()
        if training is None:
            sources = sources_of(models)
        else:
            data = _data_of(models, self.asked.request)
            sources = train_sources(self.output, self.runner, data, self.asked.request, training, results)
        _refuse_quantizers(sources, [option for option, name in written if (option, name) in QUANTIZERS])
        plans = plan_all(self.output, sources, self.asked) if sources else []
        tell_idle(self.output, plans, written)
        run_plans(self.output, self.runner, plans, results)
        if results.rows:
            self._tell(plans, results)
        tell_failed(results)
        if results.failed or not all(measured.ok for measured in results.measured):
            raise typer.Exit(1 if results.rows else 2)

    def _tell(self, plans: Sequence[Plan], results: Results) -> None:
        """Write and show the document, and what there is to say about its rows."""
        samples = plans[0].samples
        origin = Origin(samples.source, samples.part, typed(sys.argv[1:]), self.runner.tools)
        document = report_document(origin, results.networks, results.rows, results.failed)
        names = ", ".join(plan.source.name for plan in plans)
        if results.kept:
            kept = "; ".join(results.kept[:SHOWN_KEPT])
            more = f" and {len(results.kept) - SHOWN_KEPT} more" if len(results.kept) > SHOWN_KEPT else ""
            self.output.say(f"kept from {self.runner.store.folder} (--fresh computes anew): {kept}{more}")
        if self.out is not None:
            write_report(self.out, f"{names}: accuracy versus size", document)
            self.output.say(f"wrote {', '.join(str(path) for path, _ in report_files(self.out))}")
        title = f"{_models(plans)}: {samples.source} ({samples.part}, {len(samples.x):,} samples)"
        show_report(self.output, title, document)
        self.output.emit(document)
        paths = {(plan.source.name, plan.source.seed): plan.source.file.path for plan in plans}
        tell_rows(self.output, document, results, paths)

    def stopped(self) -> None:
        """Say how to go on."""
        kept = self.runner.store.folder
        there = kept is not None and kept.is_dir()
        complain(f"stopped; finished jobs are in {kept}: the same command goes on" if there else "stopped")


def _models(plans: Sequence[Plan]) -> str:
    """What the table is about: a file, or how many networks."""
    return plans[0].source.file.path if len(plans) == 1 else f"{len(plans)} networks"


def _data_of(models: Sequence[Path], asked: Request) -> str:
    """The data to train on. Raises QnnError where it is not exactly one, or other data is named as well."""
    if len(models) != 1:
        raise QnnError("qnn report", f"trains on one data set, not {len(models)}", "name one")
    if asked.data is not None:
        raise QnnError("--data", f"networks are trained and scored on {models[0]}", "leave one of them out")
    return str(models[0])


def _refuse_quantizers(sources: Sequence[Source], written: Sequence[str]) -> None:
    """Raises QnnError for options that say how to quantize, where everything is quantized already."""
    if written and sources and all(source.quantized for source in sources):
        remedy = "leave them out, or import the float model"
        names = " and ".join(written)
        raise QnnError(sources[0].file.path, f"is quantized already; {names} cannot change that", remedy)


def _refuse_idle(
    context: typer.Context, out: Path | None, scales: Path | None, jobs: int | None, scheduler: str | None, fresh: bool
) -> None:
    """Raises QnnError for options that another one, or its absence, leaves nothing to do."""
    if scheduler is not None and jobs is not None:
        raise QnnError("--jobs", "the cluster's workers run the jobs", "leave it out, or --scheduler")
    if fresh and out is None:
        raise QnnError("--fresh", "without -o nothing is kept that could be taken", "leave it out, or give -o FILE")
    idle = [option for option, name in (("--method", "method"), ("--equalize", "equalize")) if given(context, name)]
    if scales is not None and idle:
        raise QnnError(" and ".join(idle), "the ranges are those of --scales", "leave one of them out")


def _runner(out: Path | None, jobs: int | None, scheduler: str | None, fresh: bool) -> Runner:
    """Where jobs run. Raises QnnError where outputs would replace something else, or there is no such cluster."""
    if out is not None:
        check_replaceable(report_files(out))
    store = Store(work_folder(out), fresh)
    store.check()
    if scheduler is None:
        return Runner(store, tools_here(), jobs or processors())
    cluster = check_cluster(Cluster(scheduler), tools_here())
    return Runner(store, cluster.tools, 1, cluster)
