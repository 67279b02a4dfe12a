# SPDX-License-Identifier: MIT
"""qnn flash with the real esptool, against a stand-in for the chip's boot loader on a pseudo-terminal."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from boards import built, firmware_of
from conftest import Run
from networks import IMAGE

from qnn.board import flasher
from qnn.board.emulator import Board
from qnn.board.peripherals import UART

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals on Windows: these tests did not run", allow_module_level=True)

from fakechip import FakeChip


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flash") / "flash.bin"
    path.write_bytes(firmware_of(built(IMAGE, path.parent / IMAGE.name)).flash)
    return path


def test_what_is_written_starts(image: Path, qnn: Run) -> None:
    with FakeChip() as chip:
        code, out, err = qnn("flash", str(image), "--port", chip.port, "--json")
        assert (code, err) == (0, "")
        found = json.loads(out)
    assert (found["chip"], found["flash_mb"]) == ("ESP32-C3 (QFN32) (revision v0.0)", 4)
    content = image.read_bytes()
    assert found["bytes"] == len(content)
    assert chip.flash[: len(content)] == content
    board = Board(bytes(chip.flash))
    board.run()
    assert "self-test PASS" in board.receive(UART).decode()


def test_make_flash_verify(image: Path) -> None:
    """The make targets, with a folder whose name has a space."""
    root = Path(__file__).parent.parent
    make = shutil.which("make")
    if make is None or not (root / ".venv" / "bin" / "qnn").is_file():
        pytest.skip("there is no make, or no .venv that it made: this test did not run")
    build = image.parent / "my build"
    shutil.copytree(image.parent / IMAGE.name, build)
    ready = ("-o", ".venv/.ready", f"MODEL={build}")  # what is installed is not installed again
    subprocess.run((make, *ready, "firmware"), cwd=root, check=True, capture_output=True, timeout=120)
    assert (build / "flash.bin").read_bytes() == image.read_bytes()
    with FakeChip() as chip:
        command = (make, *ready, f"PORT={chip.port}", "flash-verify")
        done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hash read back" in done.stdout
    assert "are the simulator's, bit for bit" in done.stdout


@pytest.mark.parametrize(
    ("of", "problem"),
    [
        ({"chip_id": 9}, "board: is no ESP32-C3, but ESP32-S3; connect an ESP32-C3"),
        ({"size_log2": 16}, "bytes, the flash is of unknown size"),
        ({"rotten": True}, "esptool says: "),
    ],
    ids=["another chip", "small flash", "worn flash"],
)
def test_what_cannot_be_flashed_is_told(of: dict[str, int], problem: str, image: Path, qnn: Run) -> None:
    with FakeChip(**of) as chip:  # type: ignore[arg-type]
        code, _, err = qnn("flash", str(image), "--port", chip.port)
    assert (code, err.count("\n")) == (2, 1)
    assert problem in err
    assert chip.flash == b"\xff" * len(chip.flash)
    if chip.rotten:
        assert "hold BOOT, press RESET" in err
        assert "--baud 115200" in err


def test_chips_that_are_sold_under_another_name(image: Path, qnn: Run) -> None:
    with FakeChip(package=1) as chip:
        code, out, _ = qnn("flash", str(image), "--port", chip.port, "--baud", "115200")
    assert code == 0
    assert "ESP8685" in out


def test_an_image_that_is_too_long_is_refused_before_the_port_is_opened(image: Path, tmp_path: Path, qnn: Run) -> None:
    long = tmp_path / "long.bin"
    long.write_bytes(image.read_bytes() + bytes(4 << 20))
    code, _, err = qnn("flash", str(long), "--port", str(tmp_path / "no port"))
    assert code == 2
    assert "more than the 4 MiB of flash that it was made for" in err
    code, _, err = qnn("flash", str(image), "--port", "socket://127.0.0.1:9")
    assert code == 2
    assert "a virtual board is not flashed" in err


def test_a_chip_that_says_nothing(image: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """esptool gives up by itself after a while; here it is stopped earlier."""
    monkeypatch.setattr(flasher, "CONNECT_SECONDS", 1.5)
    with FakeChip(silent=True) as chip:
        code, _, err = qnn("flash", str(image), "--port", chip.port)
    assert (code, err.count("\n")) == (2, 1)
    assert "took longer than 1.5 s and was stopped; hold BOOT" in err
