# SPDX-License-Identifier: MIT
"""What a command line of qnn train comes to: which phases, from where to where, with which options."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from qnn.cli.console import given
from qnn.cli.trainoptions import begun_with, first_phase, train_options
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.model import Model
from qnn.modelfile import load_model
from qnn.net import convolves, default_net, parse_net
from qnn.training import TrainOptions, Unfinished, check_outputs, read_unfinished, resolved
from qnn.training.options import QAT_SHARE
from qnn.training.qat import check_bits, check_start
from qnn.training.resume import resume_path


@dataclass(frozen=True, eq=False)
class Plan:
    """A training, or with --qat the two phases of one.

    net: the text of the network, "" until the data say what it is by default. options: of the last phase. first: the
    file of the float model that is trained before, None where there is no such phase; output: that of the last phase.
    start: what --from names. unfinished: what is resumed, of the float phase if float_unfinished.
    """

    net: str
    options: TrainOptions
    output: Path
    first: Path | None
    resume: bool
    unfinished: Unfinished | None
    float_unfinished: bool
    teacher: Model | None
    start: Model | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are written."""
        return (self.output,) if self.first is None else (self.output, self.first)

    def with_data(self, dataset: Dataset) -> Plan:
        """The plan with all that depends on the data. Raises QnnError where it does not fit them."""
        if self.start is not None:
            check_start(self.start, dataset)
        net = self.net or default_net(dataset.schema)
        return replace(
            self, net=net, options=resolved(self.options, dataset, convolves(parse_net(net, dataset.schema)))
        )


def plan_of(context: typer.Context) -> Plan:
    """The Plan of a command line. Raises QnnError where its options contradict each other or a file is missing."""
    words = context.params
    output, qat, start, resume = words["output"], words["qat"], words["start"], words["resume"]
    if qat == "" and given(context, "qat"):
        raise QnnError("--qat", "names no widths", "say such as --qat 4, or leave it out")
    if qat:
        check_bits(qat)
    first = first_phase(output) if qat and start is None else None
    _check_kept((output,) if first is None else (output, first), (("--from", start), ("--teacher", words["teacher"])))
    float_unfinished = bool(resume and first is not None and resume_path(first).exists())
    unfinished = read_unfinished(first if float_unfinished and first is not None else output) if resume else None
    options = replace(train_options(context, unfinished), qat=qat)
    if float_unfinished and not given(context, "rate"):
        options = replace(options, rate=QAT_SHARE * options.rate)
    check_outputs(output)
    teacher = load_model(words["teacher"]) if words["teacher"] else None
    begun = begun_with(start, words["net"]) if start else None
    net = begun.net if begun else words["net"] or (unfinished.net if unfinished else "")
    return Plan(net, options, output, first, resume, unfinished, float_unfinished, teacher, begun)


def _check_kept(outputs: Iterable[Path], inputs: Iterable[tuple[str, Path | None]]) -> None:
    """Raises QnnError where a file that an option reads would be written."""
    written = {path.resolve() for path in outputs}
    for option, path in inputs:
        if path is not None and path.resolve() in written:
            raise QnnError(path, f"is what {option} reads, and would be written over", "name another file with -o")
