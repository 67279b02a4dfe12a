# SPDX-License-Identifier: MIT
"""How many cycles an inference takes on the chip, as far as instructions decide it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qnn.board.emulator import Board
from qnn.board.engine import BoardEngine
from qnn.board.firmware import build_firmware
from qnn.board.ports import BoardStream
from qnn.errors import QnnError
from qnn.graph import Graph


def estimated_cycles(build: Path, graph: Graph, x: np.ndarray) -> float | None:
    """Mean cycles of NAME_run on raw samples `x`, counted on a virtual board; None without compiler or emulator."""
    try:
        firmware = build_firmware(build)
        board = Board(firmware.flash, firmware.symbols, exact=True)
    except QnnError:
        return None
    measurement = BoardEngine(build, graph, BoardStream(board)).measure(x)
    assert measurement.cycles is not None
    return round(float(measurement.cycles.mean()), 1)
