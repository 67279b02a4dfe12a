# SPDX-License-Identifier: MIT
"""How often each part of a kernel runs: its form, which the measured table turns into instructions.

A form is made for a parameter struct, which is what the kernels that share a loop structure have in common.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from qnn.instructions.fields import Called, Fields


class Part(NamedTuple):
    """A part of a kernel, by a name that the table knows, and how often it runs in one inference."""

    name: str
    times: float


Parts = tuple[Part, ...]
Counting = Callable[[Called], Parts]
ONCE, HALVES = "call", "result of 16 bits"
RESULT = re.compile(r"_(u8|i16)\Z")  # what of a function's name says the type of its results


@dataclass(frozen=True)
class Form:
    """What the kernels with one parameter struct have in common.

    parts: of a call. shared: one body serves results of 8 and of 16 bits (QNN_SHARED), so that both count where it
    matters whether there is one call of it. apart: the table has a row for either type of results. packer: the function
    that packs its windows, where kernels share it: the same matters there.
    """

    parts: Counting
    shared: bool
    apart: bool
    packer: str

    def body(self, function: str) -> str:
        """By what calls of the same code are told from others."""
        return RESULT.sub("", function) if self.shared else function

    def row(self, function: str) -> str:
        """The table's row for a function."""
        return function if self.apart else RESULT.sub("", function)


FORMS: dict[str, Form] = {}


def form(*structs: str, shared: bool = False, apart: bool = False, packer: str = "") -> Callable[[Counting], Counting]:
    """Registers the Form of the kernels that take one of these parameter structs."""

    def register(parts: Counting) -> Counting:
        FORMS.update(dict.fromkeys(structs, Form(parts, shared, apart, packer)))
        return parts

    return register


def parts_of(called: Called) -> Parts | None:
    """The parts of a call, those that do not run left out; None where the kernel has no form."""
    found = FORMS.get(called.kernel.struct)
    if found is None:
        return None
    return tuple(part for part in (*found.parts(called), Part(ONCE, 1)) if part.times)


def results(fields: Fields, times: int, name: str = "result") -> Parts:
    """`times` results, and what their requantization needs beside one multiplication and a shift."""
    constants = fields.struct("requantize")
    prescale, rule = constants.array("prescale"), constants["rule"]
    if rule:
        return (Part(name, times), Part(f"{name} by rule {rule}", times))
    if prescale is None:
        return (Part(name, times),)
    prescaled = times * float((prescale.values > 0).mean())
    return (Part(name, times), Part(f"{name}, with a prescale", times), Part(f"{name}, prescaled", prescaled))


def halves(called: Called, times: int) -> Parts:
    """What results of 16 bits add to those of 8, where one kernel's table serves both."""
    return (Part(HALVES, times if called.to_int16 else 0),)
