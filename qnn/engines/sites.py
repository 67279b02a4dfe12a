# SPDX-License-Identifier: MIT
"""Which node an address of the linked code belongs to, from the debug information, which changes no instruction.

NAME_run and NAME_run_q are a list of calls, one a line and one a node. Code on such a line, and code of functions that
were inlined there, is the node's; the rest of the two functions is nobody's. Any other function belongs to whoever
called it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from qnn.engines.image import Image, open_elf

NONE = -1  # nobody's


def sites_of(image: Image, name: str) -> dict[int, int]:
    """By address (each second byte of the code concerned): the index of its node, or NONE. Others keep the last one."""
    elf = open_elf(image.path.read_bytes(), image.path)
    lines = call_lines((image.path.parent / f"{name}.h").read_text(encoding="ascii"), name)
    found: dict[int, int] = {}
    for symbol in elf.get_section_by_name(".symtab").iter_symbols():
        if re.fullmatch(rf"{name}_run(_q)?(\..*)?", symbol.name):
            start = int(symbol["st_value"])
            found |= dict.fromkeys(range(start, start + int(symbol["st_size"]), 2), NONE)
    dwarf = elf.get_dwarf_info()
    for unit in dwarf.iter_CUs():
        for start, end, line in (*_rows(dwarf, unit), *_inlined(dwarf, unit)):
            if line in lines:
                found |= dict.fromkeys(range(start, end, 2), lines[line])
    return found


def call_lines(header: str, name: str) -> dict[int, int]:
    """The lines (from 1) of the header's text that call a node's kernel, and the node's index."""
    call = re.compile(rf"    (?:return )?{name}_\w+\(&{name}_node(\d+)[,)]")
    matches = ((number, call.match(line)) for number, line in enumerate(header.split("\n"), 1))
    return {number: int(match.group(1)) for number, match in matches if match}


def _rows(dwarf: Any, unit: Any) -> Iterator[tuple[int, int, int]]:
    """Start, end and line of each row of the unit's line table."""
    program = dwarf.line_program_for_CU(unit)
    states = [entry.state for entry in program.get_entries() if entry.state is not None] if program else []
    for state, following in pairwise(states):
        if not state.end_sequence:
            yield state.address, following.address, state.line


def _inlined(dwarf: Any, unit: Any) -> Iterator[tuple[int, int, int]]:
    """Start, end and calling line of each stretch of inlined code in the unit."""
    for entry in unit.iter_DIEs():
        if entry.tag == "DW_TAG_inlined_subroutine" and "DW_AT_call_line" in entry.attributes:
            for start, end in _ranges(dwarf, unit, entry):
                yield start, end, entry.attributes["DW_AT_call_line"].value


def _ranges(dwarf: Any, unit: Any, entry: Any) -> Iterator[tuple[int, int]]:
    """The addresses of an entry: start and end of each piece."""
    attributes = entry.attributes
    if "DW_AT_low_pc" in attributes and "DW_AT_high_pc" in attributes:
        start, high = attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"]
        yield start, high.value if high.form == "DW_FORM_addr" else start + high.value
    if "DW_AT_ranges" not in attributes:
        return
    base = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
    offset = base.value if base else 0
    for piece in dwarf.range_lists().get_range_list_at_offset(attributes["DW_AT_ranges"].value, unit):
        if type(piece).__name__ == "BaseAddressEntry":
            offset = piece.base_address
        elif getattr(piece, "is_absolute", False):
            yield piece.begin_offset, piece.end_offset
        else:
            yield offset + piece.begin_offset, offset + piece.end_offset
