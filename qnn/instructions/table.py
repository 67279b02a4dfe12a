# SPDX-License-Identifier: MIT
"""What each part of a kernel costs: a table that `python bench/run.py costs --write` measures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qnn.instructions.forms import FORMS, Parts
from qnn.ops.ckernel import CKernel
from qnn.ops.select import CONSTANT_TIME, FEATURES

PATH = Path(__file__).parent / "table.json"
REFERENCE = "gcc 12"  # whose instructions are predicted where nothing is said
RUN = "run"  # what NAME_run does beside its nodes
SEVERAL = "*"  # marks kernels that a network calls more than once, or that share what packs windows with others: else
# the compiler knows their parameters
VARIANTS = (*(part for _, parts in FEATURES for part in parts), CONSTANT_TIME)


@dataclass(frozen=True)
class Table:
    """RV32 instructions of every part of every group of kernels, as one compiler translates them."""

    compiler: str
    groups: Mapping[str, Mapping[str, float]]

    def instructions(self, group: str, parts: Parts) -> float | None:
        """What the parts of a kernel of `group` take; None where one of them was never measured.

        Where only one call, or only several, were measured, the one stands for the other.
        """
        other = group[:-1] if group.endswith(SEVERAL) else group + SEVERAL
        for known in (self.groups.get(group), self.groups.get(other)):
            if known is not None and all(part.name in known for part in parts):
                return sum(known[part.name] * part.times for part in parts)
        return None


def groups_of(kernels: Sequence[CKernel]) -> tuple[str, ...]:
    """The table's entry for each kernel of a network, "" for one without a form."""
    forms = [FORMS.get(kernel.struct) for kernel in kernels]
    bodies = [form.body(kernel.function) if form else "" for form, kernel in zip(forms, kernels, strict=True)]
    calls, packers = Counter(bodies), Counter(form.packer for form in forms if form and form.packer)
    found = []
    for kernel, form, body in zip(kernels, forms, bodies, strict=True):
        several = form and (calls[body] > 1 or packers[form.packer] > 1)
        ways = [feature for feature in VARIANTS if feature in kernel.features]
        name = "+".join((form.row(kernel.function), *ways)) if form else ""
        found.append(name + SEVERAL if several else name)
    return tuple(found)


def table_name(family: str, version: str) -> str:
    """How the tables call a compiler: its family and the part of its version that changes its code."""
    numbers = version.split(".")
    return f"{family} {'.'.join(numbers[: 2 if numbers[0] == '0' else 1])}"


@cache
def tables() -> Mapping[str, Table]:
    """The committed tables by compiler: see table_name."""
    read = json.loads(PATH.read_text(encoding="utf-8"))
    return {compiler: Table(compiler, groups) for compiler, groups in read.items()}
