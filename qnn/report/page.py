# SPDX-License-Identifier: MIT
"""The report as one self-contained page: no script, nothing loaded from anywhere, by a strict policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from qnn.report.cells import mismatches_text
from qnn.report.comparisons import COLUMNS, MOST, SPREAD_COLUMNS, WORDS, comparisons, seed_spread
from qnn.report.figures.residuals import residual_plots
from qnn.report.html import code, paragraph, safe, section, table
from qnn.report.overview import Json, costs, metric_of, summary
from qnn.report.parts import parts_of
from qnn.report.rowpart import row_part
from qnn.report.standouts import best_row
from qnn.report.tools import SHORT
from qnn.stylesheet import source_hash, stylesheet

GENERATOR = '<meta name="generator" content="qnn">'
EQUALIZATION_COLUMNS = ("row", "pairs of layers", "SQNR dB without", "with", "chosen")


def report_page(title: str, document: Json) -> str:
    """The page of a report's JSON document; whatever stands in it is shown as text."""
    metric = metric_of(document)
    parts = [
        ("costs", "Accuracy versus size", costs(document, metric)),
        ("choices", "What each choice brings", _choices(document["rows"], metric)),
        ("rows", "Row by row", _rows(document["rows"], metric)),
        ("residuals", "Residuals", _residuals(document)),
        ("exactness", "Exactness", _exactness(document["rows"])),
        ("again", "How to repeat it", _again(document)),
    ]
    links = " ".join(f'<a href="#{name}">{safe(heading)}</a>' for name, heading, content in parts if content)
    body = "".join(section(name, heading, content) for name, heading, content in parts)
    top = f"<header><h1>{safe(title)}</h1>\n{summary(document, metric)}</header>"
    return _whole(title, f'{top}\n<nav aria-label="Parts">{links}</nav>\n<main>\n{body}</main>')


def _whole(title: str, body: str) -> str:
    """The HTML around the body, with the policy: this style, by its hash, pictures within it, nothing else."""
    style = stylesheet("qnn.report")
    policy = f"default-src 'none'; style-src {source_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
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


def _choices(rows: Sequence[Json], metric: str) -> str:
    """Rows side by side that differ in one thing, seeds, and what equalization changes."""
    balanced = [_equalization(row) for row in rows if row.get("equalization")]
    compared = comparisons(rows, metric)
    cut = MOST in Counter(line[0] for line in compared).values()
    return (
        table("Rows that differ in one thing", COLUMNS, compared, WORDS)
        + (paragraph(f"Of each choice at most {MOST} lines are shown.", "note") if cut else "")
        + table("Spread over seeds", SPREAD_COLUMNS, seed_spread(rows, metric), (1,))
        + table("Equalization of layers", EQUALIZATION_COLUMNS, balanced)
    )


def _equalization(row: Json) -> tuple[str, ...]:
    found = row["equalization"]
    ratios = ("inf" if found[key] is None else f"{found[key]:.1f}" for key in ("plain_db", "equalized_db"))
    return (row["label"], str(found["pairs"]), *ratios, "yes" if found["chosen"] else "no")


def _rows(rows: Sequence[Json], metric: str) -> str:
    best = best_row(rows, metric)
    parts = [row_part(row["label"], row, metric, index == best) for index, row in enumerate(rows)]
    return paragraph("Each row opens; what is open is printed.", "note") + "".join(parts) if parts else ""


def _residuals(document: Json) -> str:
    found = [(part.name, part.json["residuals"]) for part in parts_of(document) if part.json.get("residuals")]
    return residual_plots(found)


def _exactness(rows: Sequence[Json]) -> str:
    """Which target computed what the simulator does: a column for each of them, by whatever compiled and ran it."""
    found = [{_target(name, target): target for name, target in row["targets"].items()} for row in rows]
    targets = list(dict.fromkeys(told for compared in found for told in compared))
    lines = [
        (row["label"], *(_differs(compared[told]) if told in compared else "" for told in targets))
        for row, compared in zip(rows, found, strict=True)
    ]
    note = (
        "The C of every row was compiled and run on every sample, and compared with the simulator, each value, with ==."
    )
    return paragraph(note) + table("Values that differ", ("row", *targets), lines) if targets else ""


def _target(name: str, target: Json) -> str:
    return f"{name}: {target.get('engine') or 'this machine'}, {target['compiler']}"


def _differs(target: Json) -> str:
    crash = target.get("crash")
    return f"crashed: {crash}" if crash else mismatches_text(target)


def _again(document: Json) -> str:
    """The command, the networks and the versions."""
    networks = [(f"Network {network['name']}", _network(network)) for network in document["networks"]]
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    parts = [("Command", document["command"]), *dict.fromkeys(networks), ("Versions", versions)]
    return "".join(code(name, str(text)) for name, text in parts)


def _network(network: Json) -> str:
    """Its NET, and which file it is."""
    return f"{network['net']}; its file's sha256 begins with {network['model_sha256'][:SHORT]}"
