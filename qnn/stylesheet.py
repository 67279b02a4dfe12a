# SPDX-License-Identifier: MIT
"""Style sheets of pages: the shared palette and a page's own, and hashes by which a policy allows them."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

SPACE = re.compile(r"\s*\n\s*|/\*.*?\*/", re.DOTALL)


def stylesheet(package: str) -> str:
    """The palette and the page.css of a package, without line breaks and comments."""
    files = (resources.files("qnn") / "palette.css", resources.files(package) / "page.css")
    return "".join(SPACE.sub("", file.read_text(encoding="utf-8")) for file in files)


def source_hash(text: str) -> str:
    """How a content security policy names a style or a script by its content."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
