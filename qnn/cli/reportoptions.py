# SPDX-License-Identifier: MIT
"""The options of qnn report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnn.balancing import CHOICES as EQUALIZATIONS
from qnn.ops.choices import GOALS, PACKS
from qnn.precision import CLIPPINGS
from qnn.ranges import METHODS
from qnn.report.files import report_named
from qnn.rounding import CHOICES as ROUNDINGS

ModelsArgument = Annotated[
    list[Path], typer.Argument(help="Models; with --net, --seeds, --epochs or --qat: the data to train networks on.")
]
BitsOption = Annotated[
    str | None,
    typer.Option(
        "--bits",
        show_default="8, or trained after --qat",
        help="Widths, separated by commas: 4 to 8, 16, pairs such as w4a8, mixed: chosen per layer, trained: what "
        "--qat trained it for.",
    ),
]
WeightBitsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--weight-bits",
        help="Bits of the weights alone: 2,3,4, ternary, or layer by layer, once for each row: first=8,last=8,4.",
    ),
]
NetOption = Annotated[
    list[str] | None, typer.Option("--net", help="Train such a network; more than once, or presets with commas.")
]
SeedsOption = Annotated[str | None, typer.Option("--seeds", help="Train each network with these seeds: 0,1,2.")]
EpochsOption = Annotated[
    int | None, typer.Option("--epochs", min=1, help="How long to train; default: as qnn train does.")
]
QatOption = Annotated[
    list[str] | None,
    typer.Option("--qat", help="Train each network for such widths as well, as --qat of qnn train; more than once."),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        parser=report_named,
        metavar="FILE",
        help="Write FILE.html, FILE.json and FILE.csv; of a folder: report.html and so on in it.",
    ),
]
ScalesOption = Annotated[Path | None, typer.Option("--scales", help="A scales file; it decides the ranges.")]
MethodsOption = Annotated[str, typer.Option("--method", help=f"How ranges are chosen: some of {', '.join(METHODS)}.")]
EqualizesOption = Annotated[
    str, typer.Option("--equalize", help=f"Cross-layer equalization: some of {', '.join(EQUALIZATIONS)}.")
]
RoundingsOption = Annotated[
    str, typer.Option("--rounding", help=f"Of weights of less than 8 bits: some of {', '.join(ROUNDINGS)}.")
]
BiasesOption = Annotated[str, typer.Option("--bias-correction", help="For such weights: on, off or both: on,off.")]
ClippingsOption = Annotated[
    str, typer.Option("--clipping", help=f"Of the largest of such weights: some of {', '.join(CLIPPINGS)}.")
]
OptimizesOption = Annotated[
    str | None, typer.Option("--optimize", help=f"What kernels are chosen for: some of {', '.join(GOALS)}.")
]
PacksOption = Annotated[
    str | None, typer.Option("--pack", help=f"Weights of 2 to 6 bits in so many: some of {', '.join(PACKS)}.")
]
JobsOption = Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processes at a time; default: the cores.")]
SchedulerOption = Annotated[
    str | None, typer.Option("--scheduler", help="Run the jobs on a Dask cluster: its address, tcp://HOST:8786.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Compute anew what an earlier run left in FILE.work.")]
