# SPDX-License-Identifier: MIT
"""Documents of reports for tests: measured on this machine, with costs made up that another compiler would tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
from networks import Example, model_of, samples_of

from qnn.calibration import calibrate
from qnn.graph import Graph
from qnn.mixedbuild import How
from qnn.model import Model
from qnn.report.document import Network, Origin, report_document
from qnn.report.measure import measure
from qnn.report.row import row_document
from qnn.report.tools import Tools
from qnn.schema import Feature

HOSTILE = "</script></style><img src=x onerror=alert(1)>\"'&amp;"


def hostile(model: Model) -> Model:
    """The model, with classes, features and targets of bad names."""
    schema = model.schema
    features = tuple(Feature(f"{HOSTILE}{index}", 1) for index in range(len(schema.features)))
    names = [tuple(f"{HOSTILE}{index}" for index in range(len(found))) for found in (schema.classes, schema.targets)]
    schema = replace(schema, features=features, classes=names[0], targets=names[1])
    return replace(model, schema=schema, net=HOSTILE)


@cache
def made_up(example: Example, bits: tuple[str, ...], change: Callable[[Model], Model] = lambda model: model) -> Any:
    """The document of a report on random samples with random labels; no RV32 compiler is asked.

    It is the same object each time: copy it before you change it.
    """
    model = change(model_of(example))
    x, rng = samples_of(example, 200, seed=1), np.random.default_rng(2)
    scales = calibrate(model, model.samples)
    y = rng.integers(0, example.classes, 200) if example.classes else rng.normal(size=(200, example.targets))
    rows = []
    with patch("qnn.report.measure.targets_here", lambda: ("host",)):
        for one in bits:
            row = measure(model, scales, How("net"), one, x, y)
            rows.append(costed(row_document(row, model, x, y), row.build.graph))
    score = {"accuracy": 0.5} if example.classes else {"rmse": 0.5}
    reference = {**score, "samples": 200, "parameters": 300}
    tools = Tools(*(model.net for _ in fields(Tools)))
    origin = Origin(model.net, model.net, f"qnn report {model.net}", tools)
    return report_document(origin, [Network(model.net, model.net, None, "0" * 64, reference)], rows)


def with_rows(document: Any, rows: list[dict[str, Any]], failed: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The document with other rows, which get labels and fronts of their own."""
    origin = Origin("data", "test", document["command"], Tools(*("1" for _ in fields(Tools))))
    bare = [{key: value for key, value in row.items() if key not in ("label", "pareto")} for row in rows]
    networks = [Network("a", "dense", None, "0", document.get("float"), document.get("baseline"))]
    return report_document(origin, networks, bare, failed or [])


def costed(row: dict[str, Any], graph: Graph) -> dict[str, Any]:
    """The row with what an RV32 compiler and the emulator would have told of it, made up."""
    size = sum(row[f"{part}_bytes"] for part in ("weights", "tables", "structs")) + 2000
    layers = [
        {"name": node.name, "instructions": 100 + node.type.elements, "macs": 50, "instructions_per_mac": 2.5}
        | {"cycles_estimate": {"ram": 120, "flash": 130}}
        for node in graph.body
    ]
    rest = {"instructions": 9, "cycles_estimate": {"ram": 9, "flash": 9}}
    profile = {"instructions": 1000, "layers": layers, "rest": rest}
    target = {"mismatches": 0, "crash": None, "compiler": "made up", "engine": "none", "profile": profile}
    counts = {"instructions": 1000.5 + size, "instructions_max": 2000, "cycles_ram": 1500, "cycles_flash": 1600}
    sizes = {"code_bytes": 2000, "flash_bytes": size, "stack_bytes": 64, "ram_bytes": row["scratch_bytes"] + 64}
    return {**row, **counts, **sizes, "targets": {**row["targets"], "rv32": target}}
