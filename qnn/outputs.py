# SPDX-License-Identifier: MIT
"""What a command may replace: files of the kind that it writes, never the user's own, never what it reads."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn.container import DOCUMENT
from qnn.errors import QnnError
from qnn.files import read_bounded, write_whole

MAX_JSON_BYTES = 16 << 20
HEAD_BYTES = 4096


@dataclass(frozen=True)
class Kind:
    """A kind of file that qnn writes: what it is called, and whether the file at a path is one."""

    name: str
    holds: Callable[[Path], bool]


def check_replaceable(outputs: Iterable[tuple[Path, Kind]], inputs: Sequence[Path] = ()) -> None:
    """Raises QnnError unless each output is new, empty or of its kind, and none is one of `inputs`.

    What is no regular file is left to whoever writes.
    """
    for path, kind in outputs:
        try:
            if not path.is_file():
                continue
            if any(source.exists() and path.samefile(source) for source in inputs):
                raise QnnError(path, "is what this command reads", "write to another file or folder with -o")
            if path.stat().st_size and not kind.holds(path):
                raise QnnError(path, f"is there and is not {kind.name}", "name another output, or move it away")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise QnnError(path, f"cannot be looked at ({reason})", "name another output") from None


def keep_previous(path: Path, kind: Kind) -> Path | None:
    """Copy the file at `path`, if there is one, to NAME.previous.SUFFIX beside it; that path, or None.

    Raises QnnError where the copy would replace what is not of `kind`.
    """
    if not path.is_file() or not path.stat().st_size:
        return None
    copy = path.with_name(f"{path.stem}.previous{path.suffix}")
    check_replaceable([(copy, kind)])
    write_whole(copy, read_bounded(path))
    return copy


def head_of(path: Path) -> str:
    """The start of the file at `path` as text, up to HEAD_BYTES."""
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES).decode("utf-8", "replace")


def json_of(path: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`; an empty one if there is none."""
    return _object(path.read_bytes()) if path.stat().st_size <= MAX_JSON_BYTES else {}


def container_kind(path: Path) -> str:
    """The kind of the .qnn file at `path`, "" if it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(DOCUMENT).file_size > MAX_JSON_BYTES:
                return ""
            return str(_object(archive.read(DOCUMENT)).get("kind", ""))
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError):
        return ""


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
