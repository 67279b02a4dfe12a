# SPDX-License-Identifier: MIT
"""The top of a report's page: what was scored, the plots, and the table of all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qnn.cycles import ASSUMPTIONS
from qnn.report.cells import SUMMARY_COLUMNS, TARGET_FIGURES, metric_in, number_text, score_text, target_texts
from qnn.report.figures.pareto import Line, pareto, points_of
from qnn.report.html import INSTRUCTIONS, paragraph, safe, table
from qnn.report.pareto import COSTS
from qnn.report.parts import Part, baseline_of, floats_of, parts_of
from qnn.report.standouts import standouts

UNITS = {"flash": "bytes of flash", "instructions": "RV32 instructions"}
FIRST = ("score", "flash B", "RAM B", "instructions")  # columns that a phone shows without scrolling
Json = Mapping[str, Any]


def metric_of(document: Json) -> str:
    """accuracy or rmse."""
    return next((metric_in(part.json) for part in reversed(parts_of(document))), "accuracy")


def best_of(parts: Sequence[Part], metric: str) -> Part | None:
    """The first of those with the best score."""
    sign = -1 if metric == "accuracy" else 1
    return min(parts, key=lambda part: sign * part.json[metric], default=None)


def summary(document: Json, metric: str) -> str:
    """What was scored, and the rows that most people look for."""
    rows = document["rows"]
    samples = next((f"{row['samples']:,} samples of " for row in rows if row.get("samples")), "")
    about = paragraph(f"{samples}{document['data']} ({document['part']}).", "note")
    facts, best = [], best_of(floats_of(document), metric)
    if best is not None:
        told = "float network" if best.name == "float" else f"best float network: {best.name.removesuffix(', float')}"
        facts.append((told, score_text(metric, best.json[metric]), f"{4 * best.json['parameters']:,} bytes of weights"))
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


def _takes(row: Json) -> str:
    known = [(row[key], unit) for key, unit in (("flash_bytes", "bytes of flash"), ("instructions", "instructions"))]
    return ", ".join(f"{number_text(value)} {unit}" for value, unit in known if value is not None)


def costs(document: Json, metric: str) -> str:
    """The plots, and the table of all rows."""
    rows = document["rows"]
    best = best_of(floats_of(document), metric)
    lines = [Line("float" if best.name == "float" else "best float", best.json[metric])] if best is not None else []
    lines += [Line(part.name, part.json[metric]) for part in baseline_of(document)]
    plots = ""
    for cost, key in COSTS:
        plots += pareto(metric, points_of(rows, cost, metric, key), lines, UNITS[cost])
    note = (
        "Filled dots, joined by a line, are on the front: no other row is as good for less. Rings are beaten by "
        "another row. Dashed lines are what they are compared with. Numbers of all rows are in the table."
    )
    told = f'<div class="plots">{plots}</div>\n{paragraph(note, "note")}' if plots else ""
    order = [*map(SUMMARY_COLUMNS.index, FIRST), *(i for i, one in enumerate(SUMMARY_COLUMNS) if one not in FIRST)]
    summaries = [[part.name, *(part.cells[index] for index in order)] for part in parts_of(document)]
    columns = ["row", *(SUMMARY_COLUMNS[index].replace("instructions", INSTRUCTIONS) for index in order)]
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


def _targets(document: Json) -> str:
    """Each target of a regression, of each part."""
    lines = [
        (part.name, target["name"], *target_texts(target))
        for part in parts_of(document)
        for target in part.json.get("per_target", ())
    ]
    return table("Targets", ("row", "target", *TARGET_FIGURES), lines, words=(1,))
