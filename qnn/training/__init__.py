# SPDX-License-Identifier: MIT
"""Float training in numpy: `train` and the options it takes."""

from __future__ import annotations

from qnn.training.loop import TrainResult, check_outputs, train
from qnn.training.options import TrainOptions, resolved
from qnn.training.resume import Unfinished, read_unfinished
from qnn.training.state import Epoch

__all__ = [
    "Epoch",
    "TrainOptions",
    "TrainResult",
    "Unfinished",
    "check_outputs",
    "read_unfinished",
    "resolved",
    "train",
]
