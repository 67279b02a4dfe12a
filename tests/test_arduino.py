# SPDX-License-Identifier: MIT
"""The Arduino export on an Arduino Uno: its sketch and library compiled with the real core, run by simavr."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from boards import built
from conftest import Run
from networks import BINARY, IMAGE, READINGS, Example
from test_export import expected_lines, exported

from qnn.export.parts import read_model
from qnn.graphfile import load_graph

CORE = Path("/usr/share/arduino/hardware/arduino/avr")  # where Debian puts it
MACHINE = ("-mmcu=atmega328p", "-DF_CPU=16000000L", "-DARDUINO=10819", "-DARDUINO_AVR_UNO", "-DARDUINO_ARCH_AVR")
COMMON = ("-c", "-Os", "-ffunction-sections", "-fdata-sections", "-flto", *MACHINE)
FOLDERS = (f"-I{CORE}/cores/arduino", f"-I{CORE}/variants/standard")
C = ("avr-gcc", "-std=gnu11", *COMMON, *FOLDERS)
CXX = ("avr-g++", "-std=gnu++11", "-fpermissive", "-fno-exceptions", "-fno-threadsafe-statics", *COMMON, *FOLDERS)
STRICT = ("-Wall", "-Wextra", "-Werror")
UNO_RAM, UNO_FLASH = 2048, 32768


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The object files of the Arduino core for AVR."""
    for program, package in (("avr-gcc", "gcc-avr, avr-libc"), ("simavr", "simavr")):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: {package}): this test did not run")
    if not CORE.is_dir():
        pytest.skip("the Arduino core is not installed (Debian: arduino-core-avr): this test did not run")
    folder, objects = tmp_path_factory.mktemp("core"), []
    for source in sorted((CORE / "cores" / "arduino").iterdir()):
        if source.suffix in (".c", ".cpp"):
            objects.append(folder / f"{source.name}.o")
            digits = ("-DDECIMAL_DIG=__DECIMAL_DIG__", "-w")  # which gcc 5's float.h keeps from C++
            compiler = C if source.suffix == ".c" else CXX
            subprocess.run((*compiler, *digits, source, "-o", objects[-1]), check=True, timeout=60)
    return objects


@pytest.mark.parametrize("example", [IMAGE, READINGS, BINARY], ids=lambda example: example.name)
def test_the_sketch_runs_on_an_uno(example: Example, core: list[Path], tmp_path: Path, qnn: Run) -> None:
    build = built(example, tmp_path / "build")
    folder, name = exported(build, "arduino", tmp_path / "out", qnn), example.name
    source, sketch = folder / "src" / f"{name}_model.c", folder / f"examples/{name}_example/{name}_example.ino"
    objects = (tmp_path / "model.o", tmp_path / "sketch.o")
    subprocess.run((*C, *STRICT, source, "-o", objects[0]), check=True, timeout=60)
    include = f"-I{folder}/src"
    subprocess.run((*CXX, *STRICT, include, "-x", "c++", sketch, "-o", objects[1]), check=True, timeout=60)
    program = tmp_path / "sketch.elf"
    link = ("avr-gcc", "-Os", "-flto", "-fuse-linker-plugin", "-Wl,--gc-sections", MACHINE[0])
    subprocess.run((*link, *objects, *core, "-o", program, "-lm"), check=True, timeout=60)
    ram, flash = sizes(program.read_bytes())
    assert ram < UNO_RAM - 512  # the rest is for the stack
    assert flash < UNO_FLASH
    graph = load_graph(build / "model.qnn")
    numbers = read_model(build).sample.replace("\n", " ").split(",")
    x = np.array([int(number) for number in numbers], graph.input.dtype).reshape(1, *graph.input.shape)
    *shown, time = printed(program)
    assert shown == expected_lines(example, build, x)
    assert 100 < int(time.removesuffix(" us")) < 1_000_000


def sizes(program: bytes) -> tuple[int, int]:
    """Bytes of RAM and of flash that the program occupies."""
    elffile = pytest.importorskip("elftools.elf.elffile")
    found = {section.name: int(section["sh_size"]) for section in elffile.ELFFile(BytesIO(program)).iter_sections()}
    return found[".data"] + found.get(".bss", 0), found[".text"] + found[".data"]


def printed(program: Path) -> list[str]:
    """What the sketch says over its serial line, up to the time that it took."""
    command = ("simavr", "-m", "atmega328p", "-f", "16000000", program)
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            text = line.replace("\x1b[32m", "").replace("\x1b[0m", "").strip()
            if not text.startswith("Loaded"):
                lines.append(text.removesuffix(".."))  # how simavr shows the line's end
            if lines and lines[-1].endswith(" us"):
                break
        child.kill()
    return lines
