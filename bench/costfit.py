# SPDX-License-Identifier: MIT
"""What the parts of kernels cost: least squares of relative errors over the counts of random networks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from costcounts import Counted
from costnets import Costed

from qnn.instructions.fields import Called
from qnn.instructions.forms import HALVES, ONCE, Part, Parts, parts_of
from qnn.instructions.predict import NODE
from qnn.instructions.table import RUN, SEVERAL, groups_of
from qnn.instructions.tight import TIGHT

ENDS = (", with a prescale", ", prescaled")  # of names of parts: see forms.results
RESULTS = ("result", "last result")
LIKE = (  # kernels that few networks need, and those whose loops are the same
    ("qnn_add_u8_i16_i16", "qnn_add_i16_u8_i16"),
    ("qnn_retype_u8_u8", "qnn_retype_i16_u8"),
    ("qnn_depthwise_conv2d_i16_w16", "qnn_depthwise_conv2d_i16_w8"),
    *((f"qnn_depthwise_conv2d_{x}_sum64", "qnn_depthwise_conv2d_i16_w16_sum64") for x in ("u8_w8", "u8_w16", "i16_w8")),
    *((f"qnn_conv2d_{x}_sum64", "qnn_conv2d_i16_w16_sum64") for x in ("u8_w8", "u8_w16", "i16_w8")),
    ("qnn_dense_u8_w8_sum64", "qnn_dense_u8_w16_sum64"),
)
UNEXPLAINED = 0.02  # how far counts are from any costs, by their size: compilers make other code of other parameters
ABOUT = (0.1, 2.0)  # how far costs are from those of a near group: by their size, and in instructions
ANY = 100.0  # instructions of a part that no near group has
LEAST = 50  # instructions below which errors are not weighed by their relative size
Row = tuple[Parts, int]
Rows = Mapping[str, list[Row]]


def rows_of(networks: Iterable[tuple[Costed, Counted]]) -> Rows:
    """How often each part ran in every call of a kernel, and the instructions of the call; by group."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for network, counted in networks:
        graph = network.build.graph
        kernels = graph.kernels[: len(graph.body)]
        for node, kernel, group, count in zip(graph.body, kernels, groups_of(kernels), counted.nodes, strict=True):
            parts = parts_of(Called(kernel, node.type.elements, network.zeros.get(node.inputs[0], 0.0)))
            if parts is not None:
                rows[group].append((parts, count))
        rows[RUN].append(((Part(ONCE, 1), Part(NODE, len(counted.nodes))), counted.rest))
    return rows


def fitted(rows: Rows) -> dict[str, dict[str, float]]:
    """What each part of each group costs, near to what it costs in groups that are alike: see _near."""
    found: dict[str, dict[str, float]] = {}
    for group in sorted(rows, key=lambda group: (TIGHT in group, group.count("+"), not group.endswith(SEVERAL))):
        near = {name: cost for other in reversed(_near(group)) for name, cost in found.get(other, {}).items()}
        found[group] = near | _fitted(rows[group], near)
    return borrowed(found)


def _near(group: str) -> list[str]:
    """The groups whose costs a group's are near to, the nearest first.

    Where a kernel is called once the compiler knows its parameters, and each network is a case of its own: such a group
    is near to that of several calls, kernels made in another way to those made for speed, and kernels that unpack their
    weights to those that do not.
    """
    base, plus, ways = group.removesuffix(SEVERAL).partition("+")
    every = [f"{kernel}{plus}{ways}" for kernel in (base, base.replace(TIGHT, ""))] + [base, base.replace(TIGHT, "")]
    found = [name for kernel in every for name in (kernel + SEVERAL, kernel)]
    return [name for name in dict.fromkeys(found) if name != group]


def borrowed(found: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The costs, and what none of the networks had: rows of kernels that are LIKE others; where no result of a group
    had a prescale, or 16 bits, what that costs is the median of what it costs elsewhere."""
    rows = {group: dict(found[other]) for group, other in LIKE if other in found} | dict(found)
    measured = {
        end: [cost for costs in found.values() for name, cost in costs.items() if name.endswith(end)]
        for end in (*ENDS, HALVES)
    }
    usual = {end: float(np.median(costs)) for end, costs in measured.items() if costs}
    kinds = {
        group: [name for name in costs if name.startswith(RESULTS) and not name.endswith((*ENDS, HALVES))]
        for group, costs in rows.items()
    }
    more = {
        group: {f"{name}{end}": usual[end] for name in names for end in ENDS if end in usual}
        | ({HALVES: usual[HALVES]} if names and HALVES in usual else {})
        for group, names in kinds.items()
    }
    return {group: more[group] | costs for group, costs in rows.items()}


def _fitted(rows: list[Row], near: Mapping[str, float]) -> dict[str, float]:
    """The most likely costs of parts, where rows are off by UNEXPLAINED and costs from those of `near` by ABOUT."""
    from scipy.optimize import nnls

    names = sorted({part.name for parts, _ in rows for part in parts})
    matrix, wanted = np.zeros((len(rows), len(names))), np.array([count for _, count in rows], float)
    for index, (parts, _) in enumerate(rows):
        for part in parts:
            matrix[index, names.index(part.name)] += part.times
    weights = 1 / np.maximum(wanted, LEAST)
    matrix, wanted = matrix * weights[:, None], wanted * weights
    ends = np.array([near.get(name, 0.0) for name in names])
    known = np.array([name in near for name in names])
    pulls = UNEXPLAINED / np.where(known, ABOUT[0] * ends + ABOUT[1], ANY)
    costs, _ = nnls(np.concatenate([matrix, np.diag(pulls)]), np.concatenate([wanted, pulls * ends]), 100 * len(names))
    return {name: round(float(cost), 3) for name, cost in zip(names, costs, strict=True)}
