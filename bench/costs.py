# SPDX-License-Identifier: MIT
"""Measures what the parts of kernels cost and writes qnn/instructions/table.json; compares predictions with counts.

The forms in qnn/instructions say how often each part of a kernel runs. Random networks (costnets.py) are counted node
by node in the emulator, and what each part costs follows by least squares of the relative errors, where no cost is
below 0.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
from benchmodels import budget_name
from costedmodels import COSTED, TOLERANCE, costed_build, counted, save_counts, zeros_at
from costnets import WAYS, Costed, costed
from rich.console import Console
from rich.table import Table as Shown

from qnn.compiler import Build, write_build
from qnn.engines.image import Images
from qnn.engines.interface import interface_of
from qnn.engines.job import pack
from qnn.engines.machine import Machine
from qnn.engines.profile import Recorder
from qnn.engines.sites import NONE, sites_of
from qnn.engines.unicorn_engine import model_calls
from qnn.files import write_whole
from qnn.instructions.fields import Called
from qnn.instructions.forms import HALVES, ONCE, Part, Parts, parts_of
from qnn.instructions.predict import NODE, predicted, zeros_of
from qnn.instructions.table import PATH, RUN, SEVERAL, groups_of, tables
from qnn.instructions.tight import TIGHT
from qnn.simulator import simulate, tensor_names
from qnn.toolchain import Compiler

NETWORKS = (540, 90, 90, 90, 120)  # of each of WAYS
PRESCALES, RESULTS = (
    (", with a prescale", ", prescaled"),
    ("result", "last result"),
)  # names of parts: see forms.results
LIKE = (  # kernels that few networks need, and those whose loops are the same
    ("qnn_add_u8_i16_i16", "qnn_add_i16_u8_i16"),
    ("qnn_retype_u8_u8", "qnn_retype_i16_u8"),
    ("qnn_depthwise_conv2d_i16_w16", "qnn_depthwise_conv2d_i16_w8"),
    *((f"qnn_depthwise_conv2d_{x}_sum64", "qnn_depthwise_conv2d_i16_w16_sum64") for x in ("u8_w8", "u8_w16", "i16_w8")),
    *((f"qnn_conv2d_{x}_sum64", "qnn_conv2d_i16_w16_sum64") for x in ("u8_w8", "u8_w16", "i16_w8")),
    ("qnn_dense_u8_w8_sum64", "qnn_dense_u8_w16_sum64"),
)
NEAR = 0.2  # how much it counts that a group is near to another, beside its own rows
LEAST = 50  # instructions below which errors are not weighed by their relative size
Row = tuple[Parts, int]


def costs(console: Console, compilers: Iterable[Compiler]) -> bool:
    """Print what is predicted beside what is counted; False where a whole network is off by more than TOLERANCE."""
    good = True
    for compiler in compilers:
        table = tables().get(budget_name(compiler))
        if table is None:
            console.print(f"[red]no table for {compiler}[/]: python bench/run.py costs --write")
            return False
        shown = Shown("network", "predicted", "counted", "error", title=f"Instructions, {compiler} -O2")
        for model in COSTED:
            graph, count = costed_build(model)[0].graph, counted(model, compiler)
            total = predicted(graph, zeros_at(model), table).total
            error = float("nan") if total is None else total / count - 1
            good &= abs(error) <= TOLERANCE
            shown.add_row(model.name, f"{total:,}" if total else "", f"{count:,}", f"{100 * error:+.1f} %")
        console.print(shown)
    return good


def write_costs(console: Console, compilers: Iterable[Compiler]) -> None:
    """Measure with every compiler; the tables of compilers that are not here stay as they are."""
    found = json.loads(PATH.read_text()) if PATH.exists() else {}
    for compiler in compilers:
        rows = measured(compiler)
        found[budget_name(compiler)] = fitted(rows)
        write_whole(PATH, (json.dumps(found, indent=1, sort_keys=True) + "\n").encode())
        save_counts(budget_name(compiler), {model.name: counted(model, compiler) for model in COSTED})
        console.print(f"measured with {compiler}")


def measured(compiler: Compiler) -> Mapping[str, list[Row]]:
    """How often each part ran in every call of a kernel, and the instructions of the call; by group."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for choices, count in zip(WAYS, NETWORKS, strict=True):
        for seed in range(count):
            network = costed(seed, choices)
            if network is not None:
                _add(rows, network, compiler)
    return rows


def _add(rows: dict[str, list[Row]], network: Costed, compiler: Compiler) -> None:
    graph = network.build.graph
    zeros = zeros_of(simulate(graph, network.x, tensor_names(graph)))
    counts, rest = node_counts(network.build, network.x, compiler)
    kernels = graph.kernels[: len(graph.body)]
    for node, kernel, group, count in zip(graph.body, kernels, groups_of(kernels), counts, strict=True):
        parts = parts_of(Called(kernel, node.type.elements, zeros.get(node.inputs[0], 0.0)))
        if parts is not None:
            rows[group].append((parts, count))
    rows[RUN].append(((Part(ONCE, 1), Part(NODE, len(counts))), rest))


def node_counts(build: Build, x: np.ndarray, compiler: Compiler) -> tuple[list[int], int]:
    """Instructions of each node of the body for the raw sample x (1, *shape), and of what is no node's."""
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
    nodes = [recorder.part(index, node.name).instructions for index, node in enumerate(interface.nodes)]
    return nodes, recorder.part(NONE, RUN).instructions


def fitted(rows: Mapping[str, list[Row]]) -> dict[str, dict[str, float]]:
    """What each part of each group costs.

    Where a kernel is called once the compiler knows its parameters, and each network is a case of its own: such a group
    stays near to that of several calls, and kernels that unpack their weights to those that do not.
    """
    several = [group for group in rows if group.endswith(SEVERAL) and TIGHT not in group]
    found = {group: _fitted(rows[group], {}) for group in several}
    for group in sorted(rows, key=lambda group: (TIGHT in group, not group.endswith(SEVERAL))):
        if group not in found:
            other = group.replace(TIGHT, "").removesuffix(SEVERAL) + SEVERAL
            near = found.get(group.removesuffix(SEVERAL) + SEVERAL) or found.get(other, {})
            found[group] = {**near, **_fitted(rows[group], near)}
    return borrowed(found)


def borrowed(found: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The costs, and what none of the networks had: rows of kernels that are LIKE others; where no result of a group
    had a prescale, or 16 bits, what that costs is the median of what it costs elsewhere."""
    rows = {group: dict(found[other]) for group, other in LIKE if other in found} | dict(found)
    usual = {
        end: float(np.median([cost for costs in found.values() for name, cost in costs.items() if name.endswith(end)]))
        for end in (*PRESCALES, HALVES)
    }
    kinds = {
        group: [name for name in costs if name.startswith(RESULTS) and not name.endswith((*PRESCALES, HALVES))]
        for group, costs in rows.items()
    }
    more = {
        group: {f"{name}{end}": usual[end] for name in names for end in PRESCALES}
        | ({HALVES: usual[HALVES]} if names else {})
        for group, names in kinds.items()
    }
    return {group: more[group] | costs for group, costs in rows.items()}


def _fitted(rows: list[Row], near: Mapping[str, float]) -> dict[str, float]:
    """What each part costs, so that the relative errors of the rows are small, and costs close to those of `near`."""
    from scipy.optimize import nnls

    names = sorted({part.name for parts, _ in rows for part in parts})
    matrix, wanted = np.zeros((len(rows), len(names))), np.array([count for _, count in rows], float)
    for index, (parts, _) in enumerate(rows):
        for part in parts:
            matrix[index, names.index(part.name)] += part.times
    weights = 1 / np.maximum(wanted, LEAST)
    matrix, wanted = matrix * weights[:, None], wanted * weights
    known = [index for index, name in enumerate(names) if name in near]
    pulls = np.zeros((len(known), len(names)))
    pulls[range(len(known)), known] = NEAR * np.sqrt(np.sum(np.square(matrix[:, known]), axis=0))
    ends = pulls @ np.array([near.get(name, 0.0) for name in names])
    costs, _ = nnls(np.concatenate([matrix, pulls]), np.concatenate([wanted, ends]))
    return {name: round(float(cost), 3) for name, cost in zip(names, costs, strict=True)}
