# SPDX-License-Identifier: MIT
"""The top of a report's page: what was scored, the plots, and the table of all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qnn.cycles import ASSUMPTIONS
from qnn.report.cells import (
    SUMMARY_COLUMNS,
    TARGET_FIGURES,
    baseline_cells,
    float_cells,
    number_text,
    score_text,
    summary_cells,
    target_texts,
)
from qnn.report.figures.pareto import Line, pareto, points_of
from qnn.report.html import INSTRUCTIONS, paragraph, safe, table
from qnn.report.labels import float_names
from qnn.report.pareto import COSTS
from qnn.report.standouts import standouts

UNITS = {"flash": "bytes of flash", "instructions": "RV32 instructions"}
FIRST = ("bits", "score", "flash B", "RAM B", "instructions")  # columns that a phone shows without scrolling
Part = Mapping[str, Any]


def metric_of(document: Part) -> str:
    """accuracy or rmse."""
    found = [*document["rows"], *(part for _, part in references(document))]
    return next((metric for part in found for metric in ("accuracy", "rmse") if metric in part), "accuracy")


def references(document: Part) -> list[tuple[str, Part]]:
    """What the rows are compared with: what needs no network, if there is such a thing, and the float networks."""
    baseline = [(str(document["baseline"]["name"]), document["baseline"])] if "baseline" in document else []
    return [*baseline, *floats(document)]


def floats(document: Part) -> list[tuple[str, Part]]:
    """The float networks, with names; none where all were quantized elsewhere."""
    networks = document["networks"]
    named = zip(float_names(networks), networks, strict=True)
    return [(name, network["float"]) for name, network in named if "float" in network]


def best_of(parts: Sequence[tuple[str, Part]], metric: str) -> tuple[str, Part] | None:
    """The first of those with the best score."""
    sign = -1 if metric == "accuracy" else 1
    return min(parts, key=lambda found: sign * found[1][metric], default=None)


def summary(document: Part, metric: str) -> str:
    """What was scored, and the rows that most people look for."""
    rows = document["rows"]
    samples = next((f"{row['samples']:,} samples of " for row in rows if row.get("samples")), "")
    about = paragraph(f"{samples}{document['data']} ({document['part']}).", "note")
    facts, best = [], best_of(floats(document), metric)
    if best is not None:
        name, part = best
        told = "float network" if name == "float" else f"best float network: {name.removesuffix(', float')}"
        facts.append((told, score_text(metric, part[metric]), f"{4 * part['parameters']:,} bytes of weights"))
    for index, names in standouts(rows, metric).items():
        row = rows[index]
        facts.append((f"{', '.join(names)}: {row['label']}", score_text(metric, row[metric]), _takes(row)))
    wrong = sum(row["mismatches"] != 0 for row in rows)
    told = f"{wrong} of {len(rows)} differ" if wrong else "every value equal"
    facts.append(("C against simulator", told, f"{len(rows)} row{'' if len(rows) == 1 else 's'}"))
    items = "".join(
        f"<div><dt>{safe(term)}</dt><dd>{safe(value)}<small>{safe(more)}</small></dd></div>"
        for term, value, more in facts
    )
    return f'{about}<dl class="facts">{items}</dl>\n'


def _takes(row: Part) -> str:
    known = [(row[key], unit) for key, unit in (("flash_bytes", "bytes of flash"), ("instructions", "instructions"))]
    return ", ".join(f"{number_text(value)} {unit}" for value, unit in known if value is not None)


def costs(document: Part, metric: str) -> str:
    """The plots, and the table of all rows."""
    rows = document["rows"]
    best = best_of(floats(document), metric)
    several = len(document["networks"]) > 1
    drawn = [("best float" if several else "float", best[1])] if best is not None else []
    drawn += [part for part in references(document) if part not in floats(document)]
    lines = [Line(name, part[metric]) for name, part in drawn]
    plots = ""
    for cost, key in COSTS:
        plots += pareto(metric, points_of(rows, cost, metric, key), lines, UNITS[cost])
    note = (
        "Filled dots, joined by a line, are on the front: no other row is as good for less. Rings are beaten by "
        "another row. Dashed lines are what they are compared with. Numbers of all rows are in the table."
    )
    told = f'<div class="plots">{plots}</div>\n{paragraph(note, "note")}' if plots else ""
    lines_of_table = [baseline_cells(document["baseline"])] if "baseline" in document else []
    lines_of_table += [(name, *float_cells(part)[1:]) for name, part in floats(document)]
    lines_of_table += [(row["label"], *summary_cells(row)[1:]) for row in rows]
    order = [*map(SUMMARY_COLUMNS.index, FIRST), *(i for i, one in enumerate(SUMMARY_COLUMNS) if one not in FIRST)]
    summaries = [[cells[index] for index in order] for cells in lines_of_table]
    columns = ["row", *(SUMMARY_COLUMNS[index].replace("instructions", INSTRUCTIONS) for index in order[1:])]
    failed = [(row["label"], row["reason"]) for row in document.get("failed", ())]
    return (
        told
        + table("All rows", columns, summaries)
        + table("Rows that could not be made", ("row", "why"), failed, words=(1,))
        + _targets(document)
        + _notes()
    )


def _notes() -> str:
    return paragraph(
        "Flash is weights, tables, structs and code; RAM is scratch memory and stack. Saturated counts outputs at an "
        "end of their 16-bit range, where the float network gives more than the calibration samples did: more samples "
        "(--data) or --method minmax widen it. Instructions are those of NAME_run on RV32IMC, mean of evenly spaced "
        "samples. Cycles are an estimate for an ESP32-C3, not measured on one, with the constants in RAM or in flash, "
        f"of an inference that follows another. Assumed: {ASSUMPTIONS}.",
        "note",
    )


def _targets(document: Part) -> str:
    """Each target of a regression, of each part."""
    lines = [
        (name, target["name"], *target_texts(target))
        for name, part in everything(document)
        for target in part.get("per_target", ())
    ]
    return table("Targets", ("row", "target", *TARGET_FIGURES), lines, words=(1,))


def everything(document: Part) -> list[tuple[str, Part]]:
    """The references and the rows, with names."""
    return [*references(document), *((row["label"], row) for row in document["rows"])]
