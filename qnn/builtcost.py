# SPDX-License-Identifier: MIT
"""What a build takes of flash, RAM and instructions, where there is a compiler for RV32, and an emulator, to tell."""

from __future__ import annotations

import importlib.util
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qnn import toolchain
from qnn.compiler import Build, write_build
from qnn.engines.image import Images, measure_object
from qnn.engines.interface import interface_of
from qnn.engines.job import pack
from qnn.engines.unicorn_engine import deepest_stack, instruction_counts
from qnn.errors import QnnError
from qnn.evenly import evenly
from qnn.graph import Graph
from qnn.instructions.predict import predicted, zeros_of
from qnn.progress import Progress, silent
from qnn.simulator import extremes, simulate, tensor_names

INPUTS = 16  # that are counted: the one with the largest values, and samples


@dataclass(frozen=True)
class Run:
    """What an inference was measured to take in the emulator.

    stack: bytes below the caller's frame, of the deepest of NAME_run and the heads. instructions: of NAME_run, the most
    of `inputs` inputs, and what groups of zeros spared it: no input exceeds it but by what clamps and the like take.
    """

    stack: int
    instructions: int
    inputs: int


@dataclass(frozen=True)
class BuiltCost:
    """Bytes of constants and of code of a header by -O2, bytes of these constants that lie in RAM, and the compiler.

    run: None where nothing was run.
    """

    constants: int
    code: int
    in_ram: int
    compiler: str
    run: Run | None = None

    @property
    def flash(self) -> int:
        """Bytes of flash."""
        return self.constants + self.code

    def document(self) -> dict[str, Any]:
        """As JSON."""
        run = None if self.run is None else vars(self.run)
        return {
            "compiler": self.compiler,
            "constants": self.constants,
            "code": self.code,
            "in_ram": self.in_ram,
            "run": run,
        }


def built_cost(build: Build, x: np.ndarray | None = None, progress: Progress = silent) -> BuiltCost | None:
    """What the preferred compiler for RV32 makes of a build, None where there is none.

    x: raw samples (N, *shape) on which it is run too, where the emulator is here. Raises QnnError where it does not
    compile.
    """
    try:
        compiler = toolchain.rv32_compiler()
    except QnnError:
        return None
    if importlib.util.find_spec("elftools") is None:
        return None
    runs = x is not None and importlib.util.find_spec("unicorn") is not None
    with tempfile.TemporaryDirectory(prefix="qnn-") as folder:
        write_build(build, Path(folder))
        if x is None or not runs:
            sizes, run = measure_object(Path(folder), build.graph.name, compiler), None
        else:
            with closing(Images(Path(folder), interface_of(build.graph), compiler)) as images:
                sizes, run = images.sizes, _run(images, build.graph, x, progress)
    return BuiltCost(sizes.rodata + sizes.ram, sizes.code, sizes.ram, str(compiler), run)


def _run(images: Images, graph: Graph, x: np.ndarray, progress: Progress) -> Run:
    """The Run of the largest input and of samples, evenly spread over x."""
    rows = evenly(len(x), INPUTS - 1)
    inputs, image = np.concatenate([extremes(graph)[:1], x[rows]]), images.image()
    counts = instruction_counts(image, images.interface, inputs, progress)
    stack = deepest_stack(image, pack(images.interface, inputs[:1], misalign=0, order="<"))
    spared = (_spared(graph, inputs[i : i + 1]) for i in range(len(inputs)))
    return Run(stack, max(int(count) + less for count, less in zip(counts, spared, strict=True)), len(inputs))


def _spared(graph: Graph, x: np.ndarray) -> int:
    """About how many instructions one sample's groups of zeros spare."""
    most = predicted(graph).total
    usual = predicted(graph, zeros_of(simulate(graph, x, tensor_names(graph)))).total
    return 0 if most is None or usual is None else max(0, most - usual)
