# SPDX-License-Identifier: MIT
"""One line of a report: what was built, how good it is, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qnn.balancing import Effect
from qnn.compiler import Build
from qnn.evaluation import Evaluation
from qnn.fidelity import Fidelity
from qnn.layersqnr import sqnr_document
from qnn.metrics import Score
from qnn.mixedbuild import MixedBuild
from qnn.model import Model
from qnn.report.histograms import Spread, integer_spread
from qnn.report.mistakes import mistakes
from qnn.verification import TargetResult, Verification
from qnn.verifier import RV32


@dataclass(frozen=True, eq=False)
class Row:
    """One width: what was built, how good it is, what it costs, and whether the C agreed with the simulator.

    mixed: how the widths were chosen, None where they were given. residuals: of a regression, see residuals.residuals.
    sqnr: dB of its tensors on the model's samples (layersqnr); fidelity: how close it comes to the float network there;
    equalization: what that brings there, None where nothing is to be equalized. spread: histograms.
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
    spread: Spread | None = None


def row_document(row: Row, network: Model | None, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """The row as JSON; what needs an RV32 compiler is null without one.

    network: the float model that it was made of, None where it was quantized elsewhere. x, y: the raw samples
    (N, *shape) that it was scored on, and their labels. Whatever is added here is bounded: a report may have many rows.
    """
    rv32 = next((target for target in row.verification.targets if target.target == RV32), None)
    counts = rv32.instructions if rv32 else None
    cycles = rv32.profile.cycles if rv32 and rv32.profile else None
    score = row.evaluation.score
    shown = row.spread or (integer_spread(row.build.graph, x) if network is None else None)
    return {
        "bits": row.bits,
        "samples": score.samples,
        score.metric: score.value,
        **per_target(score),
        **_memory(row, rv32),
        "macs": row.build.manifest["macs"],
        "instructions": counts.mean if counts else None,
        "instructions_max": counts.maximum if counts else None,
        "cycles_ram": cycles.ram if cycles else None,
        "cycles_flash": cycles.flash if cycles else None,
        "mismatches": row.verification.mismatches,
        "crash": row.verification.crash or None,
        "saturated": row.evaluation.saturated,
        "targets": {target.target: target.document() for target in row.verification.targets},
        "nodes": row.build.manifest["nodes"],
        "sqnr": sqnr_document(row.sqnr),
        "fidelity": row.fidelity.document() if row.fidelity else None,
        "equalization": row.equalization.document() if row.equalization else None,
        "memory_plan": row.build.manifest["memory_plan"],
        **mistakes(row.build.graph, network, row.evaluation.answers, x, y),
        **({"histograms": shown.document()} if shown else {}),
        **({"residuals": list(row.residuals)} if row.residuals else {}),
        **({"mixed": row.mixed.document()} if row.mixed else {}),
    }


def _memory(row: Row, rv32: TargetResult | None) -> dict[str, int | None]:
    """Bytes of flash and RAM, and of their parts; rv32: what the compiler for it made."""
    planned, scratch = row.build.manifest["flash"], row.build.manifest["ram"]["scratch"]
    sizes = rv32.sizes if rv32 else None
    # What a compiler wrote into the code, of structs and then of small tables, is part of the code.
    total = sizes.rodata + sizes.ram if sizes else planned["total"]
    weights = min(planned["weights"], total)
    tables = min(planned["tables"], total - weights)
    code = sizes.code if sizes else None
    stack = rv32.stack_bytes if rv32 else None
    return {
        "weights_bytes": weights,
        "tables_bytes": tables,
        "structs_bytes": total - weights - tables,
        "code_bytes": code,
        "flash_bytes": None if code is None else total + code,
        "scratch_bytes": scratch,
        "stack_bytes": stack,
        "ram_bytes": None if stack is None else scratch + stack,
    }


def per_target(score: Score) -> dict[str, Any]:
    """Each target of a regression on its own, for JSON; nothing for classes."""
    found = [{"name": t.name, "rmse": t.rmse, "mae": t.mae, "max_error": t.maximum, "r2": t.r2} for t in score.targets]
    return {"per_target": found} if found else {}
