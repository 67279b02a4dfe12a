# SPDX-License-Identifier: MIT
"""qnn firmware: a flash image for the ESP32-C3."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnn.board.firmware import Firmware, build_firmware
from qnn.cli.choices import WeightsOption, weights_of
from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.files import write_all_whole
from qnn.outputs import Kind, check_replaceable
from qnn.toolchain import rv32_compiler

IMAGE = Kind("a flash image", lambda path: _starts(path, b"\xe9"))
ELF = Kind("an ELF file", lambda path: _starts(path, b"\x7fELF"))
BuildArgument = Annotated[Path, typer.Argument(help="A build folder, as qnn compile writes it.")]
FlashSizeOption = Annotated[int, typer.Option("--flash-size", min=1, max=16, help="Size of the board's flash, MiB.")]
CompilerOption = Annotated[str | None, typer.Option("--rv32-compiler", help="The compiler: a command, or ziglang.")]


def command(
    build: BuildArgument,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="The image; default: BUILD/flash.bin.")] = None,
    weights: WeightsOption = None,
    flash_size: FlashSizeOption = 4,
    compiler: CompilerOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Build the firmware around a model, without ESP-IDF, and write its flash image (from offset 0) and its ELF file.

    Constants live where the model was compiled for them to live, unless --weights says otherwise.

    Example: qnn firmware build/ -o flash.bin --weights auto
    """
    output = Output(json, quiet)
    path = out or build / "flash.bin"
    check_replaceable([(path, IMAGE), (path.with_suffix(".elf"), ELF)])
    placed = weights_of(weights)
    with output.progress("compiling"):
        firmware = build_firmware(build, placed, rv32_compiler(compiler) if compiler else None, flash_size)
    write_all_whole([(path, firmware.flash), (path.with_suffix(".elf"), firmware.elf)])
    show(output, firmware, path)
    output.emit(firmware.document() | {"image": str(path)})


def show(output: Output, firmware: Firmware, path: Path) -> None:
    """The firmware's sizes, for people."""
    rows = (
        ("flash image, bytes", f"{len(firmware.flash):,}"),
        ("firmware, bytes of code and constants", f"{firmware.firmware_bytes:,}"),
        ("model, bytes of code and constants", f"{firmware.model_bytes:,}"),
        ("SRAM, bytes", f"{firmware.ram_bytes:,}"),
        ("left for the stack, bytes", f"{firmware.stack_bytes:,}"),
        ("compiled by", firmware.compiler),
    )
    output.table(f"{path}: {firmware.name} for the ESP32-C3", ("", "value"), rows)
    output.say(str(firmware.placement))
    output.say(f"try it without a board: qnn emulate; write it to one: qnn flash {path}")


def _starts(path: Path, magic: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(magic)) == magic
