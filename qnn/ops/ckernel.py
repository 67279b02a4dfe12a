# SPDX-License-Identifier: MIT
"""How an operator names its C kernel: a function and the constants of its parameter struct, no C text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WEIGHTS, TABLES = "weights", "tables"


@dataclass(frozen=True, eq=False)
class CArray:
    """A const array in flash: its C element type, its values in the kernel's layout, what it is counted as."""

    ctype: str
    values: np.ndarray
    role: str

    @property
    def bytes(self) -> int:
        """How many bytes it occupies in flash."""
        sizes = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8}
        return int(self.values.size) * sizes[self.ctype]


@dataclass(frozen=True, eq=False)
class CStruct:
    """A nested parameter struct. features: optional parts of c_runtime/ that its values need."""

    fields: tuple[CField, ...]
    features: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CField:
    """A field of a parameter struct, in the order of its C declaration; None is a null pointer."""

    name: str
    value: int | CArray | CStruct | None


@dataclass(frozen=True, eq=False)
class CKernel:
    """The call of one kernel: header of c_runtime/, function, parameter struct type and its fields.

    workspace: bytes of scratch memory that the kernel needs while it runs; it then takes a pointer to them between
    its inputs and its output. reason: why this kernel and not another that computes the same bits, "" where there is
    no other. features: optional parts of c_runtime/ that it needs, beside its structs'.
    """

    header: str
    function: str
    struct: str
    fields: tuple[CField, ...]
    workspace: int = 0
    reason: str = ""
    features: tuple[str, ...] = ()

    def arrays(self) -> tuple[CArray, ...]:
        """Every const array of the parameters, in order."""
        return _arrays(self.fields)

    def optional_parts(self) -> tuple[str, ...]:
        """The optional parts of c_runtime/ that it and its structs need."""
        return (*self.features, *_features(self.fields))


def _features(fields: tuple[CField, ...]) -> tuple[str, ...]:
    structs = [field.value for field in fields if isinstance(field.value, CStruct)]
    return tuple(feature for struct in structs for feature in (*struct.features, *_features(struct.fields)))


def _arrays(fields: tuple[CField, ...]) -> tuple[CArray, ...]:
    found: tuple[CArray, ...] = ()
    for field in fields:
        if isinstance(field.value, CArray):
            found += (field.value,)
        elif isinstance(field.value, CStruct):
            found += _arrays(field.value.fields)
    return found
