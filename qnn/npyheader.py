# SPDX-License-Identifier: MIT
"""The header of a .npy array, read by a strict grammar: what numpy.save writes, and nothing that must be evaluated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

MAGIC = b"\x93NUMPY"
LENGTH_BYTES = (((1, 0), 2), ((2, 0), 4))  # format version, bytes of the header's length
MAX_BYTES = 1 << 12
MAX_DIMENSIONS = 32
HEADER = re.compile(
    r"\{'descr': *'(?P<descr>[<>|=][biufcSUVOmM]\d{0,9}(?:\[\w{1,20}\])?)', *"
    r"'fortran_order': *(?P<fortran>True|False), *"
    r"'shape': *\((?P<shape>|\d{1,18},|\d{1,18}(?:, *\d{1,18})+)\),? *\} *\n",
    re.ASCII,
)
COMPOUND = re.compile(r"\{'descr': *\[")


@dataclass(frozen=True)
class NpyHeader:
    """What an array's header says: its shape, whether it is in Fortran's order, its dtype."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype


def read_header(stream: BinaryIO, versions: tuple[tuple[int, int], ...] = ((1, 0), (2, 0))) -> NpyHeader:
    """The header at the start of `stream`, which is then at the array's data.

    versions: the allowed versions of the format. Raises ValueError for anything that numpy.save does not write, and
    for types without a size.
    """
    start = stream.read(len(MAGIC) + 2)
    version = (start[-2], start[-1]) if len(start) == len(MAGIC) + 2 and start.startswith(MAGIC) else None
    width = dict(LENGTH_BYTES).get(version) if version in versions else None
    if width is None:
        raise ValueError("an array has an unknown format")
    length = int.from_bytes(stream.read(width), "little")
    text = stream.read(min(length, MAX_BYTES + 1)).decode("latin-1")
    if len(text) != length or length > MAX_BYTES:
        raise ValueError("an array has an oversized or a short header")
    found = HEADER.fullmatch(text)
    if found is None:
        kind = "compound values" if COMPOUND.match(text) else "a header that NumPy does not write"
        raise ValueError(f"an array has {kind}")
    shape = tuple(int(size) for size in found["shape"].split(",") if size)
    try:
        dtype = np.dtype(found["descr"])
    except TypeError:
        raise ValueError(f"an array has the unknown type {found['descr']}") from None
    if dtype.itemsize == 0 or len(shape) > MAX_DIMENSIONS:
        raise ValueError("an array has values without a size, or too many dimensions")
    return NpyHeader(shape, found["fortran"] == "True", dtype)
