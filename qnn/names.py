# SPDX-License-Identifier: MIT
"""Names that go into C: the model's prefix, node names, and text inside comments."""

from __future__ import annotations

import re

from qnn.errors import QnnError

MAX_NAME = 48
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const constexpr const_cast
    continue decltype default delete do double dynamic_cast else enum explicit export extern false float for friend
    goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected
    public register reinterpret_cast restrict return short signed sizeof static static_assert static_cast struct
    switch template this thread_local throw true try typedef typeid typename union unsigned using virtual void
    volatile wchar_t while xor xor_eq
    """.split()
)


def check_name(name: str) -> str:
    """`name` itself. Raises QnnError unless it can prefix C and C++ identifiers."""
    if not IDENTIFIER.match(name) or len(name) > MAX_NAME:
        remedy = f"use a letter, then letters, digits or _, at most {MAX_NAME}"
        raise QnnError(f"--name {name}", "is not a C identifier", remedy)
    if name in KEYWORDS:
        raise QnnError(f"--name {name}", "is a keyword of C or C++", f"try {name}_net")
    return name


def name_from(text: str) -> str:
    """A valid name made from a file's stem: other characters become _, a keyword or a digit gets a prefix."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[: MAX_NAME - 4]
    if not name or not IDENTIFIER.match(name) or name in KEYWORDS:
        name = f"net_{name}" if name else "net"
    return name


def comment_text(text: str) -> str:
    """`text` as it may stand inside a C comment: ASCII, one line, without comment marks or trigraphs."""
    escaped = text.encode("unicode_escape").decode("ascii")
    return escaped.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")
