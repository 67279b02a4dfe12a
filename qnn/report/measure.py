# SPDX-License-Identifier: MIT
"""Each width compiled, scored, measured and verified: the rows of a report."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from qnn import toolchain
from qnn.compiler import Build, write_build
from qnn.errors import QnnError
from qnn.evaluation import evaluate
from qnn.fidelity import fidelity
from qnn.layersqnr import build_sqnr
from qnn.mixed import NO_LIMITS, Limits
from qnn.mixedbuild import How, compile_mixed
from qnn.model import Model
from qnn.namedwidths import layer_widths
from qnn.progress import Progress, silent
from qnn.report.histograms import spread
from qnn.report.residuals import residuals
from qnn.report.row import Row
from qnn.scales import Scales
from qnn.verifier import HOST, RV32, verify
from qnn.widths import MIXED


def measure(
    model: Model,
    scales: Scales,
    how: How,
    bits: str,
    x: np.ndarray,
    y: np.ndarray,
    progress: Progress = silent,
    limits: Limits = NO_LIMITS,
    weight_bits: str | None = None,
) -> Row:
    """The Row of `model` in the widths that --bits and --weight-bits name, on raw test samples x (N, *shape).

    y: their labels. Mixed widths are chosen on the model's own samples, by `limits`. how: its name, and how else it is
    compiled. Every sample is verified on the targets that this machine has. Raises QnnError without a C compiler.
    """
    mixed = compile_mixed(model, scales, limits, model.samples, model.labels, how) if bits == MIXED else None
    widths = mixed.widths if mixed else layer_widths(model, bits, weight_bits)
    build = mixed.build if mixed else how.build(model, scales, widths)
    return replace(
        measure_build(build, bits, x, y, progress),
        mixed=mixed,
        sqnr=build_sqnr(model, scales, build.graph, widths, model.samples),
        fidelity=fidelity(model, build.graph, model.samples, model.labels),
        spread=spread(model, scales, build.graph, widths),
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
