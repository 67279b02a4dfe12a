# SPDX-License-Identifier: MIT
"""The ranges of a network, with equalized weights or without: from a file or by calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from qnn.balancing import AUTO, CHOICES, LEAST_GAIN, ON, Candidates, candidates, check_choice
from qnn.calibration import load_scales_of
from qnn.cli.console import Output
from qnn.errors import QnnError
from qnn.learned import learned_of
from qnn.model import Model
from qnn.widths import TRAINED

EqualizeOption = Annotated[
    str,
    typer.Option(
        "--equalize",
        help=f"Whether channels of different size are brought to one before calibration: {', '.join(CHOICES)}; "
        f"auto: where it gains {LEAST_GAIN:g} dB at the output.",
    ),
]


def candidates_for(
    output: Output, network: Model, file: Path | None, samples: np.ndarray, method: str, equalize: str, bits: str = ""
) -> Candidates:
    """What qnn.balancing.choose chooses from: the scales in `file`, else what calibration finds on raw `samples`.

    Where `bits` says TRAINED, the scales that were trained. Raises QnnError for another wish about equalization than
    that which the ranges in a file or a model follow.
    """
    check_choice(equalize)
    if bits == TRAINED and file is None:
        if equalize == ON:
            raise QnnError("--equalize on", "changes weights whose steps were trained", "leave it out, or name --bits")
        return Candidates(learned_of(network.learned, "the model").scales)
    if file is None:
        with output.progress("calibrating") as progress:
            return candidates(network, samples, method, equalize, progress)
    scales = load_scales_of(network, file)
    if equalize != AUTO and (equalize == ON) != scales.equalized:
        problem = f"has the ranges of weights that are {'' if scales.equalized else 'not '}equalized"
        raise QnnError(file, problem, f"leave --equalize {equalize} out, or calibrate with it")
    return Candidates(scales)
