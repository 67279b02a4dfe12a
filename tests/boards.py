# SPDX-License-Identifier: MIT
"""Virtual boards for tests, and lines that lose and garble bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Example, model_of

from qnn.board.emulator import Board
from qnn.board.firmware import Firmware, build_firmware
from qnn.calibration import calibrate
from qnn.compiler import compile_model, write_build
from qnn.ops.choices import FLASH, parse_weights
from qnn.toolchain import Compiler

FIRMWARE: dict[tuple[str, str, str], Firmware] = {}


def built(example: Example, folder: Path, self_test: int = 3) -> Path:
    """`folder`, with a build of the example that carries a self-test."""
    model = model_of(example)
    write_build(compile_model(model, calibrate(model, model.samples), example.name, self_test=self_test), folder)
    return folder


def firmware_of(build: Path, weights: str = FLASH, compiler: Compiler | None = None) -> Firmware:
    """The firmware of a build; the test is skipped, loudly, without unicorn."""
    pytest.importorskip("unicorn")
    key = (str(build), weights, str(compiler))
    if key not in FIRMWARE:
        FIRMWARE[key] = build_firmware(build, parse_weights(weights), compiler)
    return FIRMWARE[key]


def board_of(firmware: Firmware, **options: Any) -> Board:
    """A virtual board with the firmware, not yet started."""
    return Board(firmware.flash, firmware.symbols, **options)


class NoisyStream:
    """A line that drops, doubles and changes bytes, and cuts what it carries into pieces."""

    name = "noisy line"

    def __init__(self, stream: object, rng: np.random.Generator, rate: float) -> None:
        self._stream, self._rng, self._rate = stream, rng, rate
        self._late = b""
        self.damaged = 0

    def read(self, seconds: float) -> bytes:
        data = self._late + self._spoiled(self._stream.read(0.0))  # type: ignore[attr-defined]
        cut = int(self._rng.integers(0, len(data) + 1))
        self._late = data[cut:]
        return data[:cut]

    def write(self, data: bytes) -> None:
        self._stream.write(self._spoiled(data))  # type: ignore[attr-defined]

    def close(self) -> None:
        self._stream.close()  # type: ignore[attr-defined]

    def _spoiled(self, data: bytes) -> bytes:
        out = bytearray()
        chances = self._rng.random(len(data))
        for byte, chance in zip(data, chances, strict=True):
            if chance >= self._rate:
                out.append(byte)
                continue
            self.damaged += 1
            kind = int(self._rng.integers(0, 3))
            out += (b"", bytes((byte, byte)), bytes((byte ^ int(self._rng.integers(1, 256)),)))[kind]
        return bytes(out)
