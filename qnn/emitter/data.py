# SPDX-License-Identifier: MIT
"""Constants as C: arrays, and one const parameter struct per node."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from qnn.emitter.runtime import renamed
from qnn.ops.ckernel import CArray, CField, CKernel, CStruct
from qnn.ops.tight import MARK

WIDTH = 118
AVR_REACH = 64_000  # bytes of constants that leave room for interrupt vectors and structs in the 64 kB an AVR reads
AVR_MARKED = 32_000  # the same where pointers have a mark, see QNN_TIGHT in c_runtime/qnn_base.h


def node_data(name: str, index: int, kernel: CKernel, in_ram: bool) -> str:
    """The const arrays of node `index` of model `name`, and its parameter struct `name`_node`index`.

    in_ram: whether they live in RAM, unless whoever compiles the header defines `name`_node`index`_MEMORY.
    """
    prefix = f"{name}_node{index}"
    arrays: list[str] = []
    memory = memory_macro(name, index) if kernel.arrays() else f"{name}_CONST"
    fields = _struct_fields(memory, prefix, kernel.fields, arrays)
    struct = f"{memory} {renamed(kernel.struct, name)} {prefix} = {{\n{textwrap.indent(fields, '    ')}}};\n"
    chosen = f"#ifndef {memory}\n#define {memory} {name}_{'RAM' if in_ram else 'CONST'}\n#endif\n" if arrays else ""
    return chosen + "".join(arrays) + struct


def memory_macro(name: str, index: int) -> str:
    """The macro that defines the constants of node `index` of model `name`: NAME_CONST or NAME_RAM."""
    return f"{name}_node{index}_MEMORY"


def _struct_fields(memory: str, prefix: str, fields: tuple[CField, ...], arrays: list[str]) -> str:
    """Positional initializers, one a line with the field's name beside it (designated ones are not C++)."""
    lines: list[str] = []
    for index, field in enumerate(fields):
        comma = "" if index == len(fields) - 1 else ","
        value = field.value
        if isinstance(value, CStruct):
            inner = _struct_fields(memory, f"{prefix}_{field.name}", value.fields, arrays)
            inner = textwrap.indent(inner, "    ")
            lines.append(f"{{ /* {field.name} */\n{inner}}}{comma}\n")
            continue
        if isinstance(value, CArray):
            array = f"{prefix}_{field.name}"
            arrays.append(array_text(memory, array, value))
            text = array
        else:
            text = "0" if value is None else str(value)
        lines.append(f"{text}{comma} /* {field.name} */\n")
    return "".join(lines)


def array_text(memory: str, name: str, array: CArray) -> str:
    """The definition of the const array `name`; `memory` is the macro that says where it lives."""
    numbers = ",".join(map(str, array.values.reshape(-1).tolist()))
    body = "\n".join(_wrap(numbers))
    return f"{memory} {array.ctype} {name}[{array.values.size}] = {{\n{body}\n}};\n"


def avr_guard(constants: int, kernels: Sequence[CKernel]) -> str:
    """An #error for AVR where so many bytes of constants would lie beyond its reach, unnoticed by its linker.

    Where one of the network's `kernels` reads unpacked weights, its reach is half as far.
    """
    marked = any(MARK in kernel.features for kernel in kernels)
    if constants <= (AVR_MARKED if marked else AVR_REACH):
        return ""
    problem = f"{constants} bytes of constants: an AVR reads those in the first {32 if marked else 64} kB only"
    return f'#ifdef __AVR__\n#error "{problem}"\n#endif\n\n'


def _wrap(numbers: str) -> list[str]:
    """Lines of at most WIDTH characters, broken after commas."""
    lines: list[str] = []
    start = 0
    while len(numbers) - start > WIDTH:
        end = numbers.rfind(",", start, start + WIDTH) + 1
        lines.append(numbers[start:end])
        start = end
    return [*lines, numbers[start:]]
