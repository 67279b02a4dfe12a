# SPDX-License-Identifier: MIT
"""The kernels that a header needs, copied from c_runtime/ with the model's prefix."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

INCLUDE = re.compile(r'^#include "(qnn_\w+\.h)"\n', re.MULTILINE)
GUARD = re.compile(r"\A.*?#ifndef (QNN_\w+_H)\n#define \1\n(.*)#endif\n\Z", re.DOTALL)
OPTIONAL = re.compile(
    r"^#ifdef (QNN_\w+)\n(.*?)(?:^#else /\* \1 \*/\n(.*?))?^#endif /\* \1 \*/\n", re.MULTILINE | re.DOTALL
)
PREFIX = re.compile(r"\b(?:qnn|QNN)_")


def runtime_folder() -> Path:
    """Where the kernels are: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent.parent / "c_runtime"
    return inside if inside.is_dir() else inside.parent.parent / "c_runtime"


def runtime_text(headers: Iterable[str], name: str, features: Collection[str] = ()) -> str:
    """The C of `headers` and of what they include, each once, in order, every qnn_ replaced by the prefix `name`_.

    features: which optional parts (#ifdef QNN_X ... #endif of the kernels) are in it; of the others what follows #else.
    """
    ordered: list[str] = []
    for header in headers:
        _visit(header, ordered)
    text = "\n".join(_body(header) for header in ordered)
    return renamed(_chosen(text, features), name)


def _chosen(text: str, features: Collection[str]) -> str:
    """`text` with the optional parts of `features`, which may have such parts themselves, and without the others."""

    def part(match: re.Match[str]) -> str:
        return _chosen(match[2] if match[1] in features else match[3] or "", features)

    return OPTIONAL.sub(part, text)


def renamed(text: str, name: str) -> str:
    """`text` with every identifier qnn_X or QNN_X called `name`_X."""
    return PREFIX.sub(f"{name}_", text)


def _visit(header: str, ordered: list[str]) -> None:
    if header in ordered:
        return
    for included in INCLUDE.findall(_read(header)):
        _visit(included, ordered)
    ordered.append(header)


def _body(header: str) -> str:
    """The header's text without guard, licence line and includes; its opening comment stays."""
    match = GUARD.match(_read(header))
    if match is None:
        raise ValueError(f"{header} lacks its include guard")
    comment = _read(header).split("\n#ifndef", 1)[0].split("\n", 1)[1]
    code = INCLUDE.sub("", match.group(2)).replace("#include <stdint.h>\n", "")
    return f"{comment}\n\n{code.strip()}\n"


def _read(header: str) -> str:
    return (runtime_folder() / header).read_text(encoding="utf-8")
