# SPDX-License-Identifier: MIT
"""What a user says of columns, for all at once or name by name: `0.01`, or `air=0.1,pressure=0.01`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from qnn.errors import QnnError

MAX_DECIMALS = 18  # 10**18 is the largest power of ten in int64


def assigned(words: Sequence[str], names: Sequence[str], option: str) -> tuple[str | None, ...]:
    """For each of `names` what `words` say: a word NAME=VALUE of that column, any other word of all the others.

    None where nothing is said. Raises QnnError, about `option`, for an unknown name or one that comes twice.
    """
    general: str | None = None
    found: dict[str, str] = {}
    for word in words:
        name, sign, value = word.rpartition("=")
        name, value = name.strip(), value.strip()
        if not sign:
            if general is not None:
                raise QnnError(option, f"says {general} and {value} of all columns", "write NAME=VALUE for single ones")
            general = value
            continue
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"name one of {', '.join(map(repr, names[:8]))}"
            raise QnnError(option, f"there is no column {name!r}", remedy)
        if name in found:
            raise QnnError(option, f"names the column {name!r} twice", "name it once")
        found[name] = value
    return tuple(found.get(name, general) for name in names)


def unit_decimals(text: str, option: str, fewest: int = -MAX_DECIMALS) -> int:
    """The decimals of a decimal unit: 3 of "0.001" or "1e-3", 0 of "1", -2 of "100".

    Raises QnnError, about `option`, for what is no power of ten or has fewer decimals than `fewest`.
    """
    try:
        _, digits, exponent = Decimal(text.strip()).normalize().as_tuple()
    except InvalidOperation:
        digits, exponent = (), 0
    if digits != (1,) or not isinstance(exponent, int) or not fewest <= -exponent <= MAX_DECIMALS or "-" in text[:1]:
        largest = "" if fewest < 0 else ", 1 at most"
        raise QnnError(option, f"{text!r} is not a decimal unit", f"give a power of ten, such as 0.001{largest}")
    return -exponent
