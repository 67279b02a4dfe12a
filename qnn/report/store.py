# SPDX-License-Identifier: MIT
"""Results of jobs that are done, one file each, so that a report that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn.errors import QnnError
from qnn.files import read_bounded, write_whole

MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class Store:
    """A folder of results by key (job.key_of), which is made when the first is put there; None: nothing is kept.

    fresh: what is there is not taken.
    """

    folder: Path | None
    fresh: bool = False

    def get(self, key: str) -> dict[str, Any] | None:
        """The result of that key, None where there is none or its file is damaged."""
        path = self._path(key)
        if path is None or self.fresh or not path.is_file():
            return None
        try:
            found = json.loads(read_bounded(path, MAX_BYTES))
        except (QnnError, ValueError, RecursionError):
            return None
        sound = isinstance(found, dict) and found.get("key") == key and isinstance(found.get("result"), dict)
        return found["result"] if sound else None

    def put(self, key: str, title: str, result: Mapping[str, Any]) -> None:
        """Keep a result, whole or not at all. Raises QnnError where the folder cannot be written."""
        path = self._path(key)
        if path is not None:
            content = {"key": key, "title": title, "result": result}
            write_whole(path, (json.dumps(content, allow_nan=False) + "\n").encode())

    def check(self) -> None:
        """Raises QnnError where the folder's name is taken."""
        if self.folder is not None and self.folder.exists() and not self.folder.is_dir():
            raise QnnError(self.folder, "is there and is not a folder", "name another output, or move it away")

    def _path(self, key: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{key}.json"
