# SPDX-License-Identifier: MIT
"""The report as one self-contained page: no script, nothing loaded from anywhere, by a strict policy."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from qnn.cycles import ASSUMPTIONS
from qnn.report.cells import (
    SUMMARY_COLUMNS,
    TARGET_FIGURES,
    baseline_cells,
    float_cells,
    metric_text,
    mismatches_text,
    summary_cells,
    target_texts,
)
from qnn.report.comparisons import COLUMNS, SPREAD_COLUMNS, WORDS, comparisons, seed_spread
from qnn.report.figures.pareto import Line, pareto, points_of
from qnn.report.figures.residuals import residual_plots
from qnn.report.html import Markup, code, paragraph, safe, section, table
from qnn.report.labels import labels
from qnn.report.pareto import COSTS, on_fronts
from qnn.report.rowpart import row_part

GENERATOR = '<meta name="generator" content="qnn">'
EQUALIZATION_COLUMNS = ("row", "pairs of layers", "SQNR dB without", "with", "chosen")
TARGET_COLUMNS = ("row", "target", "engine", "compiler", "values that differ")
UNITS = {"flash": "bytes of flash", "instructions": "RV32 instructions"}
CSS_SPACE = re.compile(r"\s*\n\s*|/\*.*?\*/", re.DOTALL)


def report_page(title: str, document: Mapping[str, Any]) -> str:
    """The page of a report's JSON document; whatever stands in it is shown as text."""
    rows = document["rows"]
    names = labels(rows)
    metric = next(metric for metric in ("accuracy", "rmse") if metric in document["float"])
    parts = [
        ("costs", "Accuracy versus size", _costs(document, names, metric)),
        ("choices", "What each choice brings", _choices(document, metric)),
        ("rows", "Row by row", _rows(rows, names, metric)),
        ("residuals", "Residuals", _residuals(document, names)),
        ("exactness", "Exactness", _exactness(document, names)),
        ("again", "How to repeat it", _again(document)),
    ]
    links = " ".join(f'<a href="#{name}">{safe(heading)}</a>' for name, heading, content in parts if content)
    body = "".join(section(name, heading, content) for name, heading, content in parts)
    top = f"<header><h1>{safe(title)}</h1>\n{_summary(document, names, metric)}</header>"
    return _whole(title, f'{top}\n<nav aria-label="Parts">{links}</nav>\n<main>\n{body}</main>')


def _whole(title: str, body: str) -> str:
    """The HTML around the body, with the policy: this style, by its hash, pictures within it, nothing else."""
    style = CSS_SPACE.sub("", (resources.files("qnn.report") / "page.css").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    lines = (
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        GENERATOR,
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f'<meta http-equiv="Content-Security-Policy" content="{safe(policy)}">',
        f"<title>{safe(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        f"<body>\n{body}\n</body>",
        "</html>\n",
    )
    return "\n".join(lines)


def _summary(document: Mapping[str, Any], names: Sequence[str], metric: str) -> str:
    """What was scored, and the rows that most people look for."""
    reference, rows = document["float"], document["rows"]
    part = document["part"]
    about = paragraph(f"{reference['samples']:,} samples of {document['data']} ({part}).", "note")
    facts = [("float network", metric_text(metric, reference[metric]), f"{4 * reference['parameters']:,} bytes")]
    index = best_row(rows, metric)
    known = [index for index, row in enumerate(rows) if row["flash_bytes"] is not None]
    least = min(known, key=lambda index: rows[index]["flash_bytes"], default=index)
    for told, one in (("best", index), ("smallest", least)):
        if one is not None and (told == "best" or one != index):
            facts.append((f"{told}: {names[one]}", metric_text(metric, rows[one][metric]), _size(rows[one])))
    wrong = [row for row in rows if row["mismatches"] != 0]
    told = f"{len(wrong)} of {len(rows)} differ" if wrong else "every value equal"
    facts.append(("C against simulator", told, f"{len(rows)} row{'s' if len(rows) > 1 else ''}"))
    items = "".join(
        f"<div><dt>{safe(term)}</dt><dd>{safe(value)}<small>{safe(more)}</small></dd></div>"
        for term, value, more in facts
    )
    return f'{about}<dl class="facts">{items}</dl>\n'


def best_row(rows: Sequence[Mapping[str, Any]], metric: str) -> int | None:
    """Of the rows with the best score the one of the least flash, then the first; None without rows."""
    sign = -1 if metric == "accuracy" else 1

    def rank(index: int) -> tuple[float, float]:
        flash = rows[index]["flash_bytes"]
        return sign * rows[index][metric], float("inf") if flash is None else flash

    return min(range(len(rows)), key=rank, default=None)


def _size(row: Mapping[str, Any]) -> str:
    return "" if row["flash_bytes"] is None else f"{row['flash_bytes']:,} bytes"


def _costs(document: Mapping[str, Any], names: Sequence[str], metric: str) -> str:
    """The plots, and the table of all rows."""
    rows, reference = document["rows"], document["float"]
    baseline = [document["baseline"]] if "baseline" in document else []
    lines = [Line("float", reference[metric]), *(Line(str(one["name"]), one[metric]) for one in baseline)]
    fronts = on_fronts(rows)
    plots = ""
    for cost, key in COSTS:
        found = points_of(rows, names, [cost in front for front in fronts], metric, key)
        plots += pareto(metric, found, lines, UNITS[cost])
    note = (
        "Filled dots, joined by a line, are on the front: no other row is as good for less. Rings are beaten by "
        "another row. The dashed line is the float network. Numbers of all rows are in the table."
    )
    told = f'<div class="plots">{plots}</div>\n{paragraph(note, "note")}' if plots else ""
    summaries = [*map(baseline_cells, baseline), float_cells(reference)]
    summaries += [(name, *summary_cells(row)[1:]) for name, row in zip(names, rows, strict=True)]
    table_of_rows = table("All rows", ("row", *SUMMARY_COLUMNS[1:]), summaries)
    return told + table_of_rows + _targets(document, names) + _notes()


def _notes() -> str:
    return paragraph(
        "Flash is weights, tables, structs and code; RAM is scratch memory and stack. Saturated counts outputs at an "
        "end of their 16-bit range, where the float network gives more than the calibration samples did: more samples "
        "(--data) or --method minmax widen it. Instructions are those of NAME_run on RV32IMC, mean of evenly spaced "
        "samples. Cycles are an estimate for an ESP32-C3, not measured on one, with the constants in RAM or in flash, "
        f"of an inference that follows another. Assumed: {ASSUMPTIONS}.",
        "note",
    )


def _targets(document: Mapping[str, Any], names: Sequence[str]) -> str:
    """Each target of a regression, of each part."""
    parts = [*_before_rows(document), *zip(names, document["rows"], strict=True)]
    lines = [
        (name, target["name"], *target_texts(target)) for name, part in parts for target in part.get("per_target", ())
    ]
    return table("Targets", ("row", "target", *TARGET_FIGURES), lines, words=(1,))


def _before_rows(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """What needs no network, if there is such a thing, and the float network."""
    baseline = [(str(document["baseline"]["name"]), document["baseline"])] if "baseline" in document else []
    return [*baseline, ("float", document["float"])]


def _choices(document: Mapping[str, Any], metric: str) -> str:
    """Rows side by side that differ in one thing, seeds, and what equalization changes."""
    rows = document["rows"]
    balanced = [
        _equalization(name, row) for name, row in zip(labels(rows), rows, strict=True) if row.get("equalization")
    ]
    return (
        table("Rows that differ in one thing", COLUMNS, comparisons(rows, metric), WORDS)
        + table("Spread over seeds", SPREAD_COLUMNS, seed_spread(rows, metric), (1,))
        + table("Equalization of layers", EQUALIZATION_COLUMNS, balanced)
    )


def _equalization(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    found = row["equalization"]
    ratios = ("inf" if found[key] is None else f"{found[key]:.1f}" for key in ("plain_db", "equalized_db"))
    return (name, str(found["pairs"]), *ratios, "yes" if found["chosen"] else "no")


def _rows(rows: Sequence[Mapping[str, Any]], names: Sequence[str], metric: str) -> str:
    best = best_row(rows, metric)
    found = zip(names, rows, strict=True)
    return "".join(row_part(name, row, metric, index == best) for index, (name, row) in enumerate(found))


def _residuals(document: Mapping[str, Any], names: Sequence[str]) -> str:
    parts = [*_before_rows(document), *zip(names, document["rows"], strict=True)]
    return residual_plots([(name, part["residuals"]) for name, part in parts if part.get("residuals")])


def _exactness(document: Mapping[str, Any], names: Sequence[str]) -> str:
    note = (
        f"The C of every row was compiled, run on all {document['float']['samples']:,} samples and compared with the "
        "simulator, every value, with ==."
    )
    lines = [
        (name, target, found.get("engine") or "this machine", found["compiler"], _differs(found))
        for name, row in zip(names, document["rows"], strict=True)
        for target, found in row["targets"].items()
    ]
    return paragraph(note) + table("What was compared", TARGET_COLUMNS, lines, (1, 2, 3)) if lines else ""


def _differs(target: Mapping[str, Any]) -> str:
    crash = target.get("crash")
    return f"crashed: {crash}" if crash else mismatches_text(target)


def _again(document: Mapping[str, Any]) -> str:
    """The network, the command and the versions, where the document has them."""
    if "command" not in document:
        return ""
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    parts = [("Network", document.get("net")), ("Command", document["command"]), ("Versions", versions)]
    return Markup("").join(code(name, str(text)) for name, text in parts if text)
