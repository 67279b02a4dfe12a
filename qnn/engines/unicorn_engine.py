# SPDX-License-Identifier: MIT
"""The emitted C as RV32IMC code in the unicorn emulator: whole sets at full speed, a few samples instruction by
instruction.

A count is exact: a hook sees each basic block before it runs, and the block's instructions are counted once by
decoding their lengths. Whole sets run without hooks, which is some fifty times faster.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qnn.engines.engine import Measurement, Profile
from qnn.engines.image import Image, Images
from qnn.engines.interface import Interface
from qnn.engines.job import Job, pack, run_jobs
from qnn.engines.machine import Call, Machine, require_unicorn
from qnn.engines.measure import check_memory, count_instructions, stack_bytes
from qnn.engines.profile import profile_call
from qnn.graph import CLASS, PROBABILITIES, VALUE
from qnn.progress import Progress, silent
from qnn.toolchain import Compiler

HEAD_FUNCTIONS = {CLASS: "classify", PROBABILITIES: "probabilities", VALUE: "value"}


class UnicornEngine:
    """Runs NAME.h of the folder `build` as RV32IMC code; `images` of it may be shared by several engines.

    Raises QnnError if unicorn is missing, there is no compiler, or the header does not compile. Close it when done.
    """

    name = "rv32"

    def __init__(
        self, build: Path, interface: Interface, compiler: Compiler | None = None, images: Images | None = None
    ) -> None:
        self.runner = f"unicorn {require_unicorn()}"
        self.interface = interface
        self._images = images or Images(build, interface, compiler)
        self._own = images is None
        self._machines: dict[bool, Machine] = {}
        self.compiler, self.sizes = self._images.compiler, self._images.sizes

    def run(self, x: np.ndarray, q: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """See Engine.run."""
        return run_jobs(self.interface, x, q, self._machine(traced=False).run, order="<")

    def trace(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See Engine.trace."""
        return run_jobs(self.interface, x, None, self._machine(traced=True).run, trace=True, order="<")

    def measure(self, x: np.ndarray, progress: Progress = silent) -> Measurement:
        """See Engine.measure; the first sample's stack and memory accesses are watched as well.

        Raises CrashError also where the code touches memory that is not its own, or unaligned.
        """
        image = self._images.image()
        counts = instruction_counts(image, self.interface, x, progress)
        watched = pack(self.interface, x[:1], misalign=1, order="<")
        for call in model_calls(image, watched):
            check_memory(image, watched, call)
        return Measurement(counts, deepest_stack(image, watched))

    def profile(self, x: np.ndarray, index: int) -> Profile:
        """Where the instructions of NAME_run go for one sample (1, *shape), which is number `index` of `measure`."""
        image = self._images.image()
        job = pack(self.interface, x, misalign=index % 4, order="<")
        return profile_call(image, job, model_calls(image, job)[0])

    def close(self) -> None:
        """See Engine.close."""
        self._machines.clear()
        if self._own:
            self._images.close()

    def _machine(self, traced: bool) -> Machine:
        if traced not in self._machines:
            self._machines[traced] = Machine(self._images.image(traced))
        return self._machines[traced]


def instruction_counts(image: Image, interface: Interface, x: np.ndarray, progress: Progress = silent) -> np.ndarray:
    """int64 (N,): the instructions of NAME_run for each of the raw samples x (N, *shape)."""
    jobs = (pack(interface, x[i : i + 1], misalign=i % 4, order="<") for i in range(len(x)))
    counts = np.zeros(len(x), np.int64)
    for i, count in enumerate(count_instructions(image, ((job, model_calls(image, job)[0]) for job in jobs))):
        counts[i] = count
        progress(i + 1, len(x), "counting instructions")
    return counts


def deepest_stack(image: Image, job: Job) -> int:
    """Bytes of stack of NAME_run or of a head on the job's first sample, whichever takes more."""
    return max(stack_bytes(image, job, call) for call in model_calls(image, job))


def model_calls(image: Image, job: Job) -> tuple[Call, ...]:
    """NAME_run on the job's first sample, then each head on it."""
    window, scratch = image.symbols["qnnWindow"], image.symbols["qnnScratch"]
    at = {region.name: window + region.offset for region in (*job.inputs, *job.results)}
    name = job.interface.name
    calls = [Call(f"{name}_run", (at["in"], at["out"], scratch))]
    for head in job.interface.heads:
        result = () if head.name == CLASS else (at[head.name],)
        calls.append(Call(f"{name}_{HEAD_FUNCTIONS[head.name]}", (at["in"], *result, scratch)))
    return tuple(calls)
