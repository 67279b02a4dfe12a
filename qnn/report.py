# SPDX-License-Identifier: MIT
"""Accuracy versus size: each width compiled, scored, measured and verified; as a table, JSON, CSV and a page."""

from __future__ import annotations

import csv
import io
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from qnn import toolchain
from qnn.balancing import Effect
from qnn.compiler import Build, write_build
from qnn.errors import QnnError
from qnn.evaluation import Evaluation, evaluate
from qnn.fidelity import Fidelity, fidelity
from qnn.layersqnr import build_sqnr, sqnr_document
from qnn.learned import learned_of
from qnn.metrics import Score
from qnn.mixed import NO_LIMITS, Limits
from qnn.mixedbuild import How, MixedBuild, compile_mixed
from qnn.model import Model
from qnn.ops.choices import DEFAULT, Choices
from qnn.outputs import Kind, head_of, json_of
from qnn.progress import Progress, silent
from qnn.reportpage import GENERATOR
from qnn.residuals import residuals
from qnn.scales import Scales
from qnn.schemafile import Document
from qnn.verification import Verification
from qnn.verifier import HOST, RV32, verify
from qnn.widths import MIXED, TRAINED, widths_named

CSV_COLUMNS = (
    "bits",
    "accuracy",
    "rmse",
    "weights_bytes",
    "tables_bytes",
    "structs_bytes",
    "code_bytes",
    "flash_bytes",
    "scratch_bytes",
    "stack_bytes",
    "ram_bytes",
    "macs",
    "instructions",
    "instructions_max",
    "cycles_ram",
    "cycles_flash",
    "mismatches",
    "crash",
    "saturated",
)
REPORT_PAGE = Kind("the page of a report", lambda path: GENERATOR in head_of(path))
REPORT_JSON = Kind("the JSON of a report", lambda path: {"float", "data", "part", "rows"} <= json_of(path).keys())
REPORT_CSV = Kind("the CSV of a report", lambda path: head_of(path).startswith(",".join(CSV_COLUMNS[:3]) + ","))

SHOWN_NUMBERS = tuple(name for name in CSV_COLUMNS if name not in ("bits", "accuracy", "rmse", "crash"))


@dataclass(frozen=True, eq=False)
class Row:
    """One width: what was built, how good it is, what it costs, and whether the C agreed with the simulator.

    mixed: how the widths were chosen, None where they were given. residuals: of a regression, see residuals.residuals.
    sqnr: dB of its tensors on the model's samples (layersqnr); fidelity: how close it comes to the float network there;
    equalization: what that brings there, None where nothing is to be equalized.
    """

    bits: int | str
    build: Build
    evaluation: Evaluation
    verification: Verification
    mixed: MixedBuild | None = None
    residuals: Sequence[Mapping[str, Any]] = ()
    sqnr: tuple[tuple[str, float], ...] = ()
    fidelity: Fidelity | None = None
    equalization: Effect | None = None

    def document(self) -> dict[str, Any]:
        """The row as JSON; what needs an RV32 compiler is null without one."""
        planned, scratch = self.build.manifest["flash"], self.build.manifest["ram"]["scratch"]
        rv32 = next((target for target in self.verification.targets if target.target == RV32), None)
        sizes = rv32.sizes if rv32 else None
        # What a compiler wrote into the code, of structs and then of small tables, is part of the code.
        total = sizes.rodata + sizes.ram if sizes else planned["total"]
        weights = min(planned["weights"], total)
        tables = min(planned["tables"], total - weights)
        code = sizes.code if sizes else None
        stack = rv32.stack_bytes if rv32 else None
        counts = rv32.instructions if rv32 else None
        cycles = rv32.profile.cycles if rv32 and rv32.profile else None
        score = self.evaluation.score
        return {
            "bits": self.bits,
            score.metric: score.value,
            **_targets(score),
            "weights_bytes": weights,
            "tables_bytes": tables,
            "structs_bytes": total - weights - tables,
            "code_bytes": code,
            "flash_bytes": None if code is None else total + code,
            "scratch_bytes": scratch,
            "stack_bytes": stack,
            "ram_bytes": None if stack is None else scratch + stack,
            "macs": self.build.manifest["macs"],
            "instructions": counts.mean if counts else None,
            "instructions_max": counts.maximum if counts else None,
            "cycles_ram": cycles.ram if cycles else None,
            "cycles_flash": cycles.flash if cycles else None,
            "mismatches": self.verification.mismatches,
            "crash": self.verification.crash or None,
            "saturated": self.evaluation.saturated,
            "targets": {target.target: target.document() for target in self.verification.targets},
            "nodes": self.build.manifest["nodes"],
            "sqnr": sqnr_document(self.sqnr),
            "fidelity": self.fidelity.document() if self.fidelity else None,
            "equalization": self.equalization.document() if self.equalization else None,
            **({"residuals": list(self.residuals)} if self.residuals else {}),
            **({"mixed": self.mixed.document()} if self.mixed else {}),
        }


def measure(
    model: Model,
    scales: Scales,
    name: str,
    bits: str,
    x: np.ndarray,
    y: np.ndarray,
    progress: Progress = silent,
    limits: Limits = NO_LIMITS,
    choices: Choices = DEFAULT,
) -> Row:
    """The Row of one width of `model`, as --bits names it, on raw test samples x (N, *shape) with labels y.

    Mixed widths are chosen on the model's own samples, by `limits`. choices: how the C is made. Every sample is
    verified on the targets that this machine has. Raises QnnError without a C compiler.
    """
    how = How(name, choices=choices)
    mixed = compile_mixed(model, scales, limits, model.samples, model.labels, how) if bits == MIXED else None
    if bits == TRAINED:
        widths = learned_of(model.learned, "the model").widths
    else:
        widths = mixed.widths if mixed else widths_named(bits)
    build = mixed.build if mixed else how.build(model, scales, widths)
    return replace(
        measure_build(build, bits, x, y, progress),
        mixed=mixed,
        sqnr=build_sqnr(model, scales, build.graph, widths, model.samples),
        fidelity=fidelity(model, build.graph, model.samples, model.labels),
    )


def measure_build(build: Build, bits: str, x: np.ndarray, y: np.ndarray, progress: Progress = silent) -> Row:
    """The Row of a build that is called `bits`, as `measure` makes it."""
    evaluation = evaluate(build.graph, x, y)
    with tempfile.TemporaryDirectory(prefix="qnn-") as folder:
        write_build(build, Path(folder))
        verification = verify(Path(folder), x, targets_here(), progress=progress)
    names = build.graph.schema.targets
    return Row(
        bits=int(bits) if bits.isdecimal() else bits,
        build=build,
        evaluation=evaluation,
        verification=verification,
        residuals=residuals(names, evaluation.answers, y) if names else (),
    )


def targets_here() -> tuple[str, ...]:
    """host, and rv32 where a compiler and the emulator for it are there."""
    try:
        toolchain.rv32_compiler()
        import unicorn  # noqa: F401
    except (QnnError, ImportError):
        return (HOST,)
    return (HOST, RV32)


@dataclass(frozen=True, eq=False)
class Baseline:
    """What does the same without a network: its name, its Score and its residuals on the same samples."""

    name: str
    score: Score
    residuals: Sequence[Mapping[str, Any]]

    def document(self) -> dict[str, Any]:
        """The fields as JSON."""
        score = self.score
        return {"name": self.name, score.metric: score.value, **_targets(score), "residuals": list(self.residuals)}


def report_document(
    model: Model,
    source: str,
    part: str,
    float_score: Score,
    rows: Sequence[Row],
    command: str,
    float_residuals: Sequence[Mapping[str, Any]] = (),
    baseline: Baseline | None = None,
) -> dict[str, Any]:
    """The JSON document of `qnn report`; `command` is what was typed. float_residuals: of the float network."""
    return {
        "net": model.net,
        "command": command,
        "versions": {"qnn": version("qnn"), "python": platform.python_version(), "numpy": np.__version__},
        "float": {
            float_score.metric: float_score.value,
            **_targets(float_score),
            "samples": float_score.samples,
            "parameters": sum(array.size for node in model.nodes for array in node.parameters),
            **({"residuals": list(float_residuals)} if float_residuals else {}),
        },
        **({"baseline": baseline.document()} if baseline else {}),
        "data": source,
        "part": part,
        "rows": [row.document() for row in rows],
    }


def _targets(score: Score) -> dict[str, Any]:
    """Each target of a regression on its own, for JSON; nothing for classes."""
    found = [{"name": t.name, "rmse": t.rmse, "mae": t.mae, "max_error": t.maximum, "r2": t.r2} for t in score.targets]
    return {"per_target": found} if found else {}


def check_report(values: Mapping[str, Any], path: Path) -> None:
    """Raises QnnError naming the file at `path` unless `values` has what the table of a report shows."""
    document = Document(values, path)
    reference = document.child("float")
    reference.integer("parameters", 0)
    for part in (reference, *document.list("rows")):
        part.number("accuracy" if "accuracy" in part.values else "rmse")
    for row in document.list("rows"):
        if not isinstance(row.values.get("bits"), str):
            row.integer("bits")
        for key in SHOWN_NUMBERS:
            row.optional_number(key)


def report_csv(document: Mapping[str, Any]) -> str:
    """The rows as CSV, one width a line."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(document["rows"])
    return stream.getvalue()
