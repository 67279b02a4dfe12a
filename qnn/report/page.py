# SPDX-License-Identifier: MIT
"""The report as one self-contained page: no script, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from qnn.cycles import ASSUMPTIONS
from qnn.report.cells import (
    PROFILE_COLUMNS,
    SUMMARY_COLUMNS,
    TARGET_FIGURES,
    baseline_cells,
    float_cells,
    mismatches_text,
    number_text,
    profile_rows,
    summary_cells,
    target_texts,
)
from qnn.report.residualplots import residual_plots

GENERATOR = '<meta name="generator" content="qnn">'
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{generator}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
caption {{ text-align: left; font-weight: 600; padding: .3rem 0; }}
th, td {{ border-bottom: 1px solid #8886; padding: .3rem .8rem; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
.wide {{ overflow-x: auto; }}
.plots {{ display: flex; flex-wrap: wrap; gap: 1rem; }}
figure {{ margin: 0; width: 20rem; }}
svg {{ width: 100%; font-size: 11px; fill: currentColor; }}
svg line {{ stroke: #888; }}
svg circle {{ opacity: .5; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{summary}</p>
{about}{tables}
{plots}
<p>Saturated counts outputs at an end of their 16-bit range, where the float network gives more than the calibration
samples did: more samples (--data) or --method minmax widen it. Instructions are those of NAME_run on RV32IMC, mean of
evenly spaced samples. Mismatches count values of the C that differ from the simulator's. Cycles are an estimate for an
ESP32-C3, not measured on one, with the constants in RAM or in flash, of an inference that follows another.
Assumed: {assumptions}.</p>
</main>
</body>
</html>
"""
NODE_COLUMNS = (
    "node",
    "operator",
    "output",
    "MACs",
    "weights B",
    "tables B",
    "accumulator, proven",
    "kernel",
    "reason",
)
MIXED_COLUMNS = ("layer", "part", "bits", "SQNR dB", "alone narrower: drop", "instead")
PRECISION_COLUMNS = ("tensor", "SQNR dB against float")
EQUALIZATION_COLUMNS = ("bits", "pairs of layers", "SQNR dB without", "with", "chosen")
TARGET_COLUMNS = ("target", "engine", "compiler", "mismatches")


def report_page(title: str, document: Mapping[str, Any]) -> str:
    """The page of a report's JSON document."""
    rows = document["rows"]
    summary = f"On {escape(str(document['data']))} ({escape(document['part'])})."
    baseline = [document["baseline"]] if "baseline" in document else []
    floats = [document["float"]] if "float" in document else []
    summaries = [
        *(baseline_cells(part) for part in baseline),
        *(float_cells(part) for part in floats),
        *(summary_cells(row) for row in rows),
    ]
    parts = [*((part["name"], part) for part in baseline), *(("float", part) for part in floats)]
    parts += [(str(row["label"]), row) for row in rows]
    tables = [_table("Widths", SUMMARY_COLUMNS, summaries)]
    targets = [cells for name, part in parts for cells in _per_target(name, part)]
    if targets:
        tables.append(_table("Targets", ("bits", "target", *TARGET_FIGURES), targets))
    balanced = [_equalization_cells(row) for row in rows if row.get("equalization")]
    if balanced:
        tables.append(_table("Equalization of layers", EQUALIZATION_COLUMNS, balanced))
    for row in rows:
        if "mixed" in row:
            tables.append(_table("Mixed widths", MIXED_COLUMNS, [_choice_cells(c) for c in row["mixed"]["choices"]]))
        if row.get("sqnr"):
            tables.append(_table(f"Precision at {row['label']}", PRECISION_COLUMNS, _precision_cells(row)))
        tables.append(_table(f"Layers at {row['label']}", NODE_COLUMNS, [_node_cells(n) for n in row["nodes"]]))
        tables += [
            _table(f"Instructions at {row['label']} ({name})", PROFILE_COLUMNS, profile_rows(target["profile"]))
            for name, target in row["targets"].items()
            if "profile" in target
        ]
        targets = [(name, *_target_cells(target)) for name, target in row["targets"].items()]
        tables.append(_table(f"Verification at {row['label']}", TARGET_COLUMNS, targets))
    return PAGE.format(
        generator=GENERATOR,
        title=escape(title),
        summary=summary,
        about=_about(document),
        tables="\n".join(tables),
        plots=residual_plots([(name, part["residuals"]) for name, part in parts if part.get("residuals")]),
        assumptions=escape(ASSUMPTIONS),
    )


def _node_cells(node: Mapping[str, Any]) -> tuple[str, ...]:
    shape = "x".join(map(str, node["shape"]))
    bound = node["accumulator"]
    proof = f"{bound[0]:,} .. {bound[1]:,}" if bound else ""
    numbers = (number_text(node[key]) for key in ("macs", "weights", "tables"))
    kernel = node["kernel"].removeprefix("qnn_")
    return (node["name"], node["operator"], f"{node['dtype']}[{shape}]", *numbers, proof, kernel, node["reason"])


def _choice_cells(choice: Mapping[str, Any]) -> tuple[str, ...]:
    alone = ", ".join(f"{one['bits']} bits: {one['drop']:.3g}" for one in choice["alone"])
    ratio = "" if choice["sqnr_db"] is None else f"{choice['sqnr_db']:.1f}"
    return (choice["layer"], choice["part"], str(choice["bits"]), ratio, alone, choice["reason"])


def _target_cells(target: Mapping[str, Any]) -> tuple[str, ...]:
    crash = target.get("crash")
    return (
        target.get("engine") or "this machine",
        target["compiler"],
        f"crashed: {crash}" if crash else mismatches_text(target),
    )


def _per_target(name: str, part: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(name, target["name"], *target_texts(target)) for target in part.get("per_target", ())]


def _equalization_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    found = row["equalization"]
    ratios = ("inf" if found[key] is None else f"{found[key]:.1f}" for key in ("plain_db", "equalized_db"))
    return (str(row["bits"]), str(found["pairs"]), *ratios, "yes" if found["chosen"] else "no")


def _precision_cells(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    ratios = [(entry["tensor"], entry["sqnr_db"]) for entry in row["sqnr"]]
    return [(name, "exact" if ratio is None else f"{ratio:.1f}") for name, ratio in ratios]


def _about(document: Mapping[str, Any]) -> str:
    """The network, the command and the versions, where the document has them."""
    if "net" not in document:
        return ""
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    parts = (("Network", document["net"]), ("Command", document["command"]), ("Versions", versions))
    return "".join(f"<p>{name}: <code>{escape(text)}</code></p>\n" for name, text in parts)


def _table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'
