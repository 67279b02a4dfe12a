# SPDX-License-Identifier: MIT
"""Reading with a bound, writing whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from qnn.errors import QnnError

GIBIBYTE = 1 << 30


def read_bounded(path: Path, limit: int = GIBIBYTE) -> bytes:
    """The bytes of the file at `path`.

    Raises QnnError if it is missing, not a file, empty, unreadable or larger than `limit` bytes.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise QnnError(path, "is not a file", "name a file")
        if size > limit:
            raise QnnError(path, f"has {size} bytes, more than the {limit} allowed", "use a smaller file")
        data = path.read_bytes()
    except FileNotFoundError:
        raise QnnError(path, "no such file", "check the name") from None
    except OSError as error:
        raise QnnError(path, f"cannot be read ({error.strerror})", "check its permissions") from None
    if not data:
        raise QnnError(path, "is empty", "use a file with content")
    return data


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all (temporary file in the same folder, then rename)."""
    write_all_whole([(path, data)])


def write_all_whole(outputs: Sequence[tuple[Path, bytes]]) -> None:
    """Write several files; every byte is on disk before the first name changes.

    Raises QnnError if a folder cannot be made or written; what was there before is then untouched.
    """
    staged: list[tuple[str, Path]] = []
    target = outputs[0][0] if outputs else Path()
    try:
        for target, data in outputs:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                raise IsADirectoryError(0, "is a folder")
            staged.append((_stage(target, data), target))
        for temporary, target in staged:
            os.replace(temporary, target)
    except OSError as error:
        raise QnnError(target, f"cannot be written ({error.strerror})", "check the folder and the free space") from None
    finally:
        for temporary, _ in staged:
            if os.path.exists(temporary):
                os.unlink(temporary)


def _stage(target: Path, data: bytes) -> str:
    """A temporary file beside `target` that holds `data`, flushed to disk."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
