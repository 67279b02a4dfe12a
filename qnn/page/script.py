# SPDX-License-Identifier: MIT
"""The page's script: the modules of js/ in the order in which they need one another, as one module."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from importlib import resources

MAIN, LOADER = "main", "loader"
IMPORT = re.compile(r'^import \{ [^}\n]* \} from "\./(\w+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=async |function|class |const |let )", re.MULTILINE)
DECLARED = re.compile(r"^(?:async )?(?:function\*?|class|const|let) (\w+|\[[^\]]*\])", re.MULTILINE)
LICENCE = "// SPDX-License-Identifier: MIT\n"


@cache
def script(main: str = MAIN) -> str:
    """The script that starts with module `main`, without imports and exports.

    Raises ValueError where the modules cannot be joined: two of them declare one name.
    """
    ordered: list[str] = []
    _visit(main, ordered)
    bodies = [_body(name) for name in ordered]
    names = Counter(name for body in bodies for found in DECLARED.findall(body) for name in re.findall(r"\w+", found))
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        raise ValueError(f"declared by two modules of the page: {', '.join(twice)}")
    return LICENCE + "\n".join(bodies)


def source(name: str) -> str:
    """The text of a module of js/."""
    return (resources.files("qnn.page") / "js" / f"{name}.js").read_text(encoding="utf-8")


def _visit(name: str, ordered: list[str]) -> None:
    if name in ordered:
        return
    for needed in IMPORT.findall(source(name)):
        _visit(needed, ordered)
    ordered.append(name)


def _body(name: str) -> str:
    text = EXPORT.sub("", IMPORT.sub("", source(name))).removeprefix(LICENCE)
    if re.search(r"^(?:import|export)\b", text, re.MULTILINE):
        raise ValueError(f"{name}.js: an import or export that is not of one line and by names")
    return text
