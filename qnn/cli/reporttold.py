# SPDX-License-Identifier: MIT
"""What there is to say of a report's rows, beside its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from qnn.cli.console import Output
from qnn.cli.reportrun import Plan, Results
from qnn.cli.reporttable import MOST_COLUMNS
from qnn.fidelity import loss_text
from qnn.metrics import Score
from qnn.report.cells import metric_in
from qnn.report.labels import labels


def tell_rows(
    output: Output, document: dict[str, Any], results: Results, paths: Mapping[tuple[str, int | None], str]
) -> None:
    """What there is to say of each row: notes, warnings, and, always, what differs. paths: of each network's file."""
    references = {(network.name, network.seed): network.reference for network in results.networks}
    for row, measured in zip(document["rows"], results.measured, strict=True):
        for note in measured.notes if len(results.rows) <= MOST_COLUMNS else ():
            output.say(f"{row['label']}: {note}")
        reference = references[row["network"], row["seed"]]
        bits, weight_bits = str(row["bits"]), row.get("weight_bits")
        lost = loss_text(_score(reference), _score(row), bits, weight_bits) if reference is not None else None
        for warning in (lost, *measured.warnings):
            if warning:
                output.warn(f"{paths[row['network'], row['seed']]}: {warning}")
        for failure in measured.failures:
            complain(failure if len(results.rows) == 1 else f"{row['label']}: {failure}")


def tell_idle(output: Output, plans: Sequence[Plan], written: Sequence[tuple[str, str]]) -> None:
    """Say it of options, beside which stand their keys in a row, that change nothing in any row."""
    rows = [told for plan in plans for told in plan.told]
    idle = [option for option, key in written if all(row.get(key, "") is None for row in rows)]
    if idle:
        verb = "change" if len(idle) > 1 else "changes"
        output.warn(f"{' and '.join(idle)} {verb} nothing in {'this row' if len(rows) == 1 else 'any of these rows'}")


def tell_failed(results: Results) -> None:
    """A line on stderr, always, for each row that could not be made."""
    alone = len(results.failed) == 1 and not results.rows
    names = labels([*results.rows, *results.failed])[len(results.rows) :]
    for name, row in zip(names, results.failed, strict=True):
        complain(row["reason"] if alone else f"{name}: {row['reason']}")


def complain(text: str) -> None:
    """A line on stderr, always."""
    Console(stderr=True, highlight=False).print(Text(f"qnn: {text}"), soft_wrap=True)


def _score(part: Any) -> Score:
    metric = metric_in(part)
    return Score(metric, part[metric], 0)
