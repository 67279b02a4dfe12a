# SPDX-License-Identifier: MIT
"""Instructions of random networks, node by node; what was counted once is kept in build/costs/.

A count is known by the header, the raw sample and the compiler, so that it is counted anew where any of them changed.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from costnets import Costed

from qnn.compiler import Build, write_build
from qnn.engines.image import Images
from qnn.engines.interface import interface_of
from qnn.engines.job import pack
from qnn.engines.machine import Machine
from qnn.engines.profile import Recorder
from qnn.engines.sites import NONE, sites_of
from qnn.engines.unicorn_engine import model_calls
from qnn.files import write_whole
from qnn.instructions.table import RUN
from qnn.toolchain import Compiler

KEPT = Path(__file__).resolve().parent.parent / "build" / "costs"


@dataclass(frozen=True)
class Counted:
    """Instructions of each node of the body, and of what is no node's, in one inference."""

    nodes: tuple[int, ...]
    rest: int

    @property
    def total(self) -> int:
        """Of NAME_run."""
        return sum(self.nodes) + self.rest


def counted_nodes(network: Costed, compiler: Compiler) -> Counted:
    """The Counted of a network's sample, from KEPT where it was counted before."""
    build = network.build
    header = dict(build.files)[f"{build.graph.name}.h"]
    told = hashlib.sha256(b"\0".join((str(compiler).encode(), network.x.tobytes(), header))).hexdigest()
    path = KEPT / f"{told[:32]}.json"
    if path.is_file():
        found = json.loads(path.read_text(encoding="ascii"))
        return Counted(tuple(found["nodes"]), found["rest"])
    counted = _counted(build, network.x, compiler)
    KEPT.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(asdict(counted)).encode())
    return counted


def _counted(build: Build, x: np.ndarray, compiler: Compiler) -> Counted:
    interface = interface_of(build.graph)
    with tempfile.TemporaryDirectory(prefix="qnn-") as folder:
        write_build(build, Path(folder))
        with closing(Images(Path(folder), interface, compiler)) as images:
            image = images.image()
            machine = Machine(image)
            recorder = Recorder(machine, sites_of(image, interface.name))
            machine.on_block(recorder.block)
            job = pack(interface, x, misalign=0, order="<")
            machine.load(job)
            machine.call(model_calls(image, job)[0])
    nodes = tuple(recorder.part(index, node.name).instructions for index, node in enumerate(interface.nodes))
    return Counted(nodes, recorder.part(NONE, RUN).instructions)
