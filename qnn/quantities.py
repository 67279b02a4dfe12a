# SPDX-License-Identifier: MIT
"""Sizes and counts as people write them: 8K, 500k, 1.2M."""

from __future__ import annotations

import re

from qnn.errors import QnnError

BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20}
COUNTS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3}
QUANTITY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z]*)\Z")


def bytes_of(text: str, option: str) -> int:
    """The bytes that `text` names, K of 1,024 and M of 1,048,576 of them: 20000, 8K, 1.5 KiB. Raises QnnError."""
    return _quantity(re.sub(r"(?<=[KMkm])(iB|B)\Z|(?<=[0-9 ])B\Z", "", text.strip()), BYTES, option, "8192 or 8K")


def count_of(text: str, option: str) -> int:
    """The count that `text` names, k of 1,000, M of 1,000,000: 500000, 500k, 1.2M. Raises QnnError."""
    return _quantity(text.strip(), COUNTS, option, "500000, 500k or 1.2M")


def _quantity(text: str, units: dict[str, int], option: str, example: str) -> int:
    match = QUANTITY.match(text)
    unit = units.get(match[2].upper()) if match else None
    value = 0 if match is None or unit is None else int(float(match[1]) * unit)
    if value < 1:
        raise QnnError(f"{option} {text[:40]}", "is no positive number", f"write it like {example}")
    return value
