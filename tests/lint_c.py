# SPDX-License-Identifier: MIT
"""Compiles every kernel header by itself, as C99 and C++, every warning an error, with every compiler there is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "c_runtime"
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-fsyntax-only")
COMPILERS = (
    ("gcc", "-x", "c", "-std=c99"),
    ("clang", "-x", "c", "-std=c99"),
    ("g++", "-x", "c++", "-std=c++11"),
    ("clang++", "-x", "c++", "-std=c++11"),
    ("riscv64-unknown-elf-gcc", "-x", "c", "-std=c99", "-march=rv32imc", "-mabi=ilp32", "-ffreestanding"),
)


def main() -> int:
    failures = compiled = 0
    for name, *flags in COMPILERS:
        if shutil.which(name) is None:
            print(f"lint: {name} is not installed: kernels not checked with it")
            continue
        for header in sorted(FOLDER.glob("*.h")):
            source = f'#include "{header.name}"\n'
            command = [name, *flags, *WARNINGS, "-I", str(FOLDER), "-"]
            failures += subprocess.run(command, input=source, text=True, check=False).returncode != 0
            compiled += 1
    print(f"lint: {compiled} compilations of kernels, {failures} with warnings")
    return 1 if failures or not compiled else 0


if __name__ == "__main__":
    sys.exit(main())
